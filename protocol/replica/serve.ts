/** Answer a peer's question from memory, as far as memory reaches. */
import { mark } from '../assert.ts';
import { hex } from '../brand.ts';
import type { Certificate } from '../consensus/message.ts';
import { blockBytesMax } from '../params.ts';
import type { ReplicaState } from './state.ts';
import { certificateBytes, type SyncRequest, type SyncResponse } from './wire.ts';

/** An answer from what is above the last final block; null where only the disk can tell. */
export function serveFromMemory(state: ReplicaState, request: SyncRequest): SyncResponse | null {
  switch (request.kind) {
    case 'block': {
      const entry = state.tree.get(hex(request.hash));
      if (entry === undefined || entry.items === null) return null;
      mark('R63');
      const { header, signature, items } = entry;
      return { kind: 'block', block: { header, signature, items } };
    }
    case 'certificates': {
      mark('R64');
      const certificates: Certificate[] = [];
      let bytes = 0;
      for (const id of request.ids) {
        const held = state.certificates.get(hex(id));
        if (held === undefined) continue;
        bytes += certificateBytes(held.certificate);
        if (bytes > blockBytesMax) break; // Whoever lacks more asks again.
        certificates.push(held.certificate);
      }
      return { kind: 'certificates', certificates };
    }
    case 'final':
      if (request.from <= state.final.header.height) return null;
      mark('R65');
      return { kind: 'final', blocks: [], certificate: null };
  }
}

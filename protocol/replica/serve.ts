/** Answer a peer's question from memory, as far as memory reaches. */
import { mark } from '../assert.ts';
import { hex } from '../brand.ts';
import type { ReplicaState } from './state.ts';
import type { SyncRequest, SyncResponse } from './wire.ts';

/** An answer from what is above the last final block; null where only the disk can tell. */
export function serveFromMemory(state: ReplicaState, request: SyncRequest): SyncResponse | null {
  switch (request.kind) {
    case 'block': {
      const entry = state.tree.get(hex(request.hash));
      if (entry === undefined || entry.items === null) return null;
      mark('R35');
      const { header, signature, items } = entry;
      return { kind: 'block', block: { header, signature, items } };
    }
    case 'certificates': {
      mark('R36');
      const certificates = request.ids.flatMap((id) => {
        const held = state.certificates.get(hex(id));
        return held === undefined ? [] : [held.certificate];
      });
      return { kind: 'certificates', certificates };
    }
    case 'final':
      if (request.from <= state.final.header.height) return null;
      mark('R37');
      return { kind: 'final', blocks: [], certificate: null };
  }
}

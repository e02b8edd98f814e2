/** Ask one peer after the other for blocks and certificates, until one answers. */
import { unreachable } from '../protocol/assert.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Effect } from '../protocol/replica/effect.ts';
import {
  type SyncResponse,
  syncRequestCodec,
  syncResponseCodec,
} from '../protocol/replica/wire.ts';
import type { Happening } from './driver.ts';
import type { Network } from './ports.ts';

/** Milliseconds that a peer has to answer, and peers that are asked one after another. */
const answerMsMax = 2_000;
const askedPeerCountMax = 3;

/** What a replica wants to know. */
export type Question = Extract<Effect, { kind: 'request' }>;

/** The answer as the replica takes it; null when none of the asked peers had one. */
export async function askPeers(
  network: Network,
  { id, prefer, request }: Question,
): Promise<Extract<Happening, { kind: 'answered' }>> {
  const body = syncRequestCodec.encode(request);
  const others = shuffled(network.peers().filter((peer) => peer !== prefer));
  const peers = prefer === null || prefer === '' ? others : [prefer, ...others];
  for (const peer of peers.slice(0, askedPeerCountMax)) {
    try {
      const signal = AbortSignal.timeout(answerMsMax);
      const response = syncResponseCodec.decode(await network.request(peer, 'sync', body, signal));
      if (response.kind === request.kind && !isEmpty(response))
        return { kind: 'answered', id, response };
    } catch (error) {
      // A peer that is gone, slow or false is one of several: the next one is asked.
      if (!(error instanceof ProtocolError)) throw error;
    }
  }
  return { kind: 'answered', id, response: null };
}

/** Who has nothing, or says so, is not the last word: the next one is asked. */
function isEmpty(response: SyncResponse): boolean {
  switch (response.kind) {
    case 'block':
      return response.block === null;
    case 'certificates':
      return response.certificates.length === 0;
    case 'final':
      return response.blocks.length === 0;
    default:
      return unreachable(response);
  }
}

/** Chance spreads the questions of many nodes over many peers; nothing else depends on it. */
function shuffled<T>(values: readonly T[]): readonly T[] {
  const order = values.map((value) => ({ value, rank: Math.random() }));
  return order.sort((a, b) => a.rank - b.rank).map(({ value }) => value);
}

// Goal: whoever lacks blocks gets what the node has, within its limits, and no more.
// Method: a real store with the blocks of a node that ran; questions of every kind, and none.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AnwansiNode } from '../../node/node.ts';
import { storeDirectoryOf } from '../../node/parts.ts';
import type { Store } from '../../node/ports.ts';
import { openLevelStore } from '../../node/storage/level.ts';
import { answerSync } from '../../node/sync.ts';
import { hex } from '../../protocol/brand.ts';
import { sha256, uint64 } from '../../protocol/crypto/hash.ts';
import { networkId } from '../../protocol/ledger/genesis.ts';
import { headerHash } from '../../protocol/ledger/header.ts';
import type { ReplicaState } from '../../protocol/replica/state.ts';
import {
  type SyncRequest,
  syncRequestCodec,
  syncResponseCodec,
} from '../../protocol/replica/wire.ts';
import { reachEveryLine } from '../support/lines.ts';
import { createMachines, type Machines, until } from '../support/nodes.ts';

reachEveryLine('sync');

let machines: Machines;
let state: ReplicaState;
let store: Store;
beforeAll(async () => {
  machines = await createMachines(4);
  const nodes: readonly AnwansiNode[] = await machines.start([0, 1, 2, 3]);
  await until('blocks are final', () => nodes[0]!.state().final.header.height >= 8);
  await machines.stop();
  state = nodes[0]!.state();
  const directory = storeDirectoryOf(machines.directoryOf(0));
  store = await openLevelStore({ directory, network: networkId(machines.genesis) });
});
afterAll(async () => {
  await store.close();
  await machines.remove();
});

const ask = async (request: SyncRequest, from = store) =>
  syncResponseCodec.decode(await answerSync(state, from, syncRequestCodec.encode(request)));

test('a final block comes by its hash, an unknown one does not', async () => {
  const { header } = state.final;
  const found = await ask({ kind: 'block', hash: headerHash(header) });
  expect(found.kind === 'block' && found.block?.header).toEqual(header);
  expect(await ask({ kind: 'block', hash: sha256(uint64(1)) })).toEqual({
    kind: 'block',
    block: null,
  });
});

test('a stretch links the asked height to a certificate of its last block', async () => {
  const found = await ask({ kind: 'final', from: 2 });
  if (found.kind !== 'final') throw new Error('another answer than asked for');
  expect(found.blocks.map(({ header }) => header.height)).toEqual(
    found.blocks.map((_, place) => place + 2),
  );
  expect(hex(found.certificate!.block)).toBe(hex(headerHash(found.blocks.at(-1)!.header)));
  expect(found.blocks.length).toBeGreaterThan(4);
});

test('blocks without a certificate above them are no stretch', async () => {
  const without: Store = {
    ...store,
    get: (bucket, key) =>
      bucket === 'certificate' ? Promise.resolve(null) : store.get(bucket, key),
  };
  const found = await ask({ kind: 'final', from: 2 }, without);
  expect(found).toEqual({ kind: 'final', blocks: [], certificate: null });
});

test('above the final block memory answers', async () => {
  const from = state.final.header.height + 1;
  expect(await ask({ kind: 'final', from })).toEqual({
    kind: 'final',
    blocks: [],
    certificate: null,
  });
});

test('what is no question is refused', async () => {
  await expect(answerSync(state, store, Uint8Array.of(1, 2, 3))).rejects.toThrow();
});

// Goal: issuing a receipt costs what its job's own blocks cost, however long the job was open, and
// gives the bytes that all blocks would give.
// Method: jobs that run for a thousand blocks on a bare ledger; stores with all rows, without some
// and without any; block reads are counted.
import { beforeAll, describe, expect, test } from 'vitest';
import { nativeSha256 } from '../../node/crypto.ts';
import { appendHashes } from '../../node/history.ts';
import { jobLogChanges, readJobLog } from '../../node/job-log.ts';
import type { Store } from '../../node/ports.ts';
import { makeReceipt } from '../../node/receipts.ts';
import { storeChanges } from '../../node/records.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { openMemoryBlobs } from '../../node/storage/memory-blobs.ts';
import { laneLeafCodec } from '../../protocol/algebra/result.ts';
import { hash, installSha256 } from '../../protocol/crypto/hash.ts';
import { jobId } from '../../protocol/job/job.ts';
import { emptyFrontier } from '../../protocol/merkle/list.ts';
import { neededHeights } from '../../protocol/receipt/heights.ts';
import { issueReceipt } from '../../protocol/receipt/issue.ts';
import { receiptCodec } from '../../protocol/receipt/receipt.ts';
import type { SealedBlock } from '../../protocol/replica/wire.ts';
import { fakeWorld, type LedgerWorld, smallProgram } from '../support/ledger-world.ts';
import { codeOf } from '../support/receipt-scene.ts';

installSha256(nativeSha256);

const openBlocks = 1_000;

/** A world in which one job is open for a thousand blocks, and another comes and goes meanwhile. */
function longJob(): { readonly world: LedgerWorld; readonly id: Uint8Array } {
  const world = fakeWorld(7);
  for (const [seat, role] of [
    [0, 'lie'],
    [3, 'silent'],
  ] as const)
    world.roles.set(seat, role);
  world.block();
  const signed = world.job(smallProgram, { slowItemMs: 4_000 });
  const id = jobId(signed.job);
  world.block([{ kind: 'job', signed }]);
  world.block();
  const idle = (blocks: number): void => {
    for (let count = 0; count < blocks; count++) world.block([], { stepMs: 250 });
  };
  idle(300);
  // Two seats are quick, the others slow: the phase stays open.
  const quick = world.due().slice(0, 2);
  world.block(quick.map((said) => ({ kind: 'statement', signed: said })));
  const other = world.job(smallProgram);
  world.block([{ kind: 'job', signed: other }]);
  idle(openBlocks - 300);
  for (let block = 0; world.record(id)!.ended === null && block < 200; block++)
    world.block(world.due().map((said) => ({ kind: 'statement', signed: said })));
  world.block();
  return { world, id };
}

/** What a node of that world has on disk. `rows` picks the heights whose rows it kept. */
async function nodeOf(world: LedgerWorld, id: Uint8Array, rows: (height: number) => boolean) {
  const store = openMemoryStore();
  const { changes } = appendHashes(
    emptyFrontier,
    world.chains.map(({ hash: header }) => header),
  );
  await store.batch(changes, { durable: false });
  for (const [height, chain] of world.chains.entries()) {
    if (height === 0) continue;
    const block: SealedBlock = {
      header: chain.header,
      signature: new Uint8Array(64),
      items: world.bodies[height]!,
    };
    const certificate = world.certificate(height);
    const kept = storeChanges({ kind: 'finalize', blocks: [block], certificate, chain });
    const log = rows(height) ? jobLogChanges([block]) : [];
    await store.batch([...kept, ...log], { durable: false });
  }
  const blobs = openMemoryBlobs({ quotaBytes: 2 ** 30 });
  const { lanes, program } = world.pieces(id);
  await blobs.put(program);
  for (const { leaves, value } of lanes) {
    await blobs.putList(leaves.map((leaf) => laneLeafCodec.encode(leaf)));
    if (value !== null) await blobs.put(value);
  }
  let loads = 0;
  let [held, heldMax] = [0, 0];
  const counted: Store = {
    ...store,
    get: async (bucket, key) => {
      if (bucket === 'block') {
        loads += 1;
        held += 1;
        heldMax = Math.max(heldMax, held);
      }
      const found = await store.get(bucket, key);
      if (bucket === 'block') held -= 1;
      return found;
    },
  };
  const issue = (): Promise<Uint8Array> =>
    makeReceipt(id, {
      ...{ genesis: world.genesis, store: counted, blobs, chain: world.tip },
      certificate: world.certificate(world.chains.length - 1),
      fetch: async () => undefined,
    });
  return { store, issue, loads: () => loads, heldMax: () => heldMax };
}

let world: LedgerWorld;
let id: Uint8Array;
let expected: Uint8Array;
beforeAll(() => {
  ({ world, id } = longJob());
  expected = receiptCodec.encode(issueReceipt(world.pieces(id)));
});

describe('the receipt of a job that was open for a thousand blocks', () => {
  test('reads the blocks of its own heights, and no others', async () => {
    const record = world.record(id)!;
    const { includedHeight, ended } = record;
    expect(ended! - includedHeight).toBeGreaterThan(openBlocks);
    const { store, issue, loads } = await nodeOf(world, id, () => true);
    expect(await issue()).toEqual(expected);
    const spoken = await readJobLog(store, id, includedHeight, ended!);
    const { anchorHeight } = world.jobs.get(Buffer.from(id).toString('hex'))!.signed.job;
    const needed = neededHeights({ record, ended: ended!, anchorHeight });
    expect(spoken.length).toBeGreaterThan(3);
    expect(loads()).toBe(1 + needed.length + spoken.length);
    expect(loads()).toBeLessThan(60);
  });

  test.each<[string, (height: number) => boolean]>([
    ['none', () => false],
    ['one lacking', (height) => height < 200 || height > 400],
  ])('is the same from a store with rows that are %s, one block at a time', async (_, rows) => {
    const { issue, loads, heldMax } = await nodeOf(world, id, rows);
    expect(await issue()).toEqual(expected);
    expect(loads()).toBeGreaterThan(openBlocks);
    expect(heldMax()).toBe(1);
  });

  test('is refused where a block of its log is gone', async () => {
    const { store, issue } = await nodeOf(world, id, () => true);
    const [height] = await readJobLog(store, id, 1, world.tip.header.height);
    const found = (await store.range('block', {}))[height! - 1]!;
    await store.batch([{ bucket: 'block', key: found[0], value: null }], { durable: false });
    const error = await issue().catch((reason: unknown) => reason);
    expect(
      codeOf(() => {
        throw error;
      }),
    ).toBe('RECEIPT_PIECE_MISSING');
    expect(String(error)).toContain('the whole log of lane');
  });
});

test('the rows of blocks name their jobs and heights, and of two jobs each its own', async () => {
  const store = openMemoryStore();
  const rows = world.chains.flatMap(({ header }, height) =>
    jobLogChanges([{ header, signature: new Uint8Array(64), items: world.bodies[height]! }]),
  );
  await store.batch(rows, { durable: false });
  const known = [...world.jobs.values()].map(({ signed }) => jobId(signed.job));
  expect(known.length).toBe(2);
  const last = world.tip.header.height;
  const heights = await Promise.all(known.map((job) => readJobLog(store, job, 0, last)));
  for (const own of heights) {
    expect(own).toEqual([...new Set(own)].sort((a, b) => a - b));
    expect(own.length).toBeGreaterThan(1);
  }
  expect(heights[0]!.length + heights[1]!.length).toBe(rows.length);
  const [first, second] = [heights[0]![0]!, heights[0]![1]!];
  expect(await readJobLog(store, known[0]!, first, first)).toEqual([first]);
  expect(await readJobLog(store, known[0]!, first + 1, second)).toEqual([second]);
  expect(await readJobLog(store, hash('dev', 'no job'), 0, last)).toEqual([]);
});

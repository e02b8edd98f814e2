// Goal: what a node's disk kept is all that it needs: the chain goes on, jobs in flight end, what
// was acknowledged is known, nothing is signed twice; a damaged disk is refused and not believed.
// Method: four real nodes with real stores and sandboxes, stopped and started on their directories.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { nativeKeys, nativeSha256, nativeSuite } from '../../node/crypto.ts';
import { readKept } from '../../node/kept.ts';
import type { AnwansiNode } from '../../node/node.ts';
import { storeDirectoryOf } from '../../node/parts.ts';
import type { Bucket } from '../../node/ports.ts';
import { openLevelStore } from '../../node/storage/level.ts';
import { concatBytes, hex } from '../../protocol/brand.ts';
import { voteCodec, voteMessage } from '../../protocol/consensus/message.ts';
import { type Digest, uint64 } from '../../protocol/crypto/hash.ts';
import { jobId } from '../../protocol/job/job.ts';
import { networkId } from '../../protocol/ledger/genesis.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { mapRoot } from '../../protocol/merkle/map.ts';
import { auditReceipt } from '../../protocol/receipt/audit.ts';
import { devSeatSeed } from '../../protocol/receipt/dev.ts';
import { devTrust } from '../../protocol/receipt/trust.ts';
import { sealedBlockCodec } from '../../protocol/replica/wire.ts';
import { reachEveryLine } from '../support/lines.ts';
import { createMachines, type Machines, primesJob, until } from '../support/nodes.ts';

reachEveryLine('storage', {
  B11: 'test/node/prune.test.ts',
  B12: 'test/ports/blobs.test.ts',
  B15: 'test/ports/blobs.test.ts',
});

const seats = [0, 1, 2, 3];
let machines: Machines;
beforeAll(async () => {
  machines = await createMachines(seats.length);
});
afterEach(() => machines.stop());
afterAll(() => machines.remove());

const heightOf = (node: AnwansiNode): number => node.state().final.header.height;
const endOf = (node: AnwansiNode, id: Uint8Array) =>
  new StateCursor(node.state().final.map).job(id)?.ended ?? null;
const openStore = (seat: number) =>
  openLevelStore({
    directory: storeDirectoryOf(machines.directoryOf(seat)),
    network: networkId(machines.genesis),
  });

test('a chain, its jobs and its receipts go on where they stopped', async () => {
  const first = await machines.start(seats);
  const signed = await primesJob(machines, first[0]!);
  const id = jobId(signed.job);
  expect((await first[0]!.submit(signed)).verdict).toBe('accept');
  await until('the job settles', () => endOf(first[0]!, id) !== null);
  const before = first[0]!.state().final;
  await machines.stop();

  const second = await machines.start(seats);
  const after = second[0]!.state().final;
  expect(after.header.height).toBeGreaterThanOrEqual(before.header.height);
  expect(hex(mapRoot(after.map))).toBe(hex(after.header.stateRoot));
  const { height } = after.header;
  await until('blocks go on', () => second.every((node) => heightOf(node) > height + 3));
  const audit = auditReceipt(await second[1]!.receipt(id), devTrust, { suite: nativeSuite });
  expect(audit.findings.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect((await second[0]!.submission(id))?.state).toBe('pending');
  expect((await second[0]!.jobs(null, 10)).ids.map(hex)).toEqual([hex(id)]);
  // Only the node that it was submitted to knows of the submission; all know of the job.
  expect(await second[1]!.submission(id)).toBeNull();
  expect((await second[1]!.jobs(null, 10)).ids.map(hex)).toEqual([hex(id)]);
});

test('all stopped at once in the middle of a job: it settles after the start', async () => {
  const first = await machines.start(seats);
  const signed = await primesJob(machines, first[2]!, 3_000_000);
  const id = jobId(signed.job);
  expect((await first[2]!.submit(signed)).verdict).toBe('accept');
  const isDrawn = () => new StateCursor(first[2]!.state().final.map).job(id)?.state === 'running';
  await until('the job is drawn', isDrawn);
  await machines.stop();
  expect(endOf(first[2]!, id)).toBeNull();

  const second = await machines.start(seats);
  await until('the job settles', () => endOf(second[2]!, id) !== null);
  expect(new StateCursor(second[2]!.state().final.map).job(id)?.state).toBe('settled');
});

test('acknowledged and stopped at once: the job is known, announced again, and settles', async () => {
  const [alone] = await machines.start([1]);
  const signed = await primesJob(machines, alone!);
  const id = jobId(signed.job);
  expect((await alone!.submit(signed)).verdict).toBe('accept');
  await machines.stop();
  const nodes = await machines.start(seats);
  expect(await nodes[1]!.submission(id)).toMatchObject({ state: 'pending' });
  await until('the job settles', () => endOf(nodes[0]!, id) !== null);
});

test('a cancelled job is announced no more, also after a start', async () => {
  // Alone, a seat that does not lead its view cannot propose, and never comes to another view.
  const bystander = async (): Promise<{ node: AnwansiNode; seat: number }> => {
    for (const seat of seats) {
      const [node] = await machines.start([seat]);
      const { rules, engine } = node!.state();
      if (rules.engine.leaderOf(engine.view) !== seat) return { node: node!, seat };
      await machines.stop();
    }
    throw new Error('one seat leads a view');
  };
  const { node: alone, seat } = await bystander();
  const signed = await primesJob(machines, alone);
  const id = jobId(signed.job);
  expect(await alone.cancel(id)).toBe('unknown');
  await alone.submit(signed);
  expect(await alone.cancel(id)).toBe('cancelled');
  await machines.stop();
  const nodes = await machines.start(seats);
  const { height } = nodes[seat]!.state().final.header;
  await until('blocks go on', () => heightOf(nodes[seat]!) > height + 6);
  expect(new StateCursor(nodes[seat]!.state().final.map).job(id)).toBeNull();
  expect((await nodes[seat]!.submission(id))?.state).toBe('cancelled');
});

test('no seat signed two different votes in any of its lives', async () => {
  let votes = 0;
  for (const seat of seats) {
    const store = await openStore(seat);
    const places = new Set<string>();
    for (const [key] of await store.range('vote', {})) {
      const place = hex(key.subarray(0, 17));
      expect(places, `seat ${seat}`).not.toContain(place);
      places.add(place);
      votes += 1;
    }
    await store.close();
  }
  expect(votes).toBeGreaterThan(100);
});

test.each([
  ['state', 'an account lost'],
  ['history', 'its pieces lost'],
  ['block', 'the final block lost'],
] as const)('a disk with %s damaged (%s) is refused by name', async (bucket, _what) => {
  const store = await openStore(0);
  const lost = await store.range(bucket, {
    reverse: true,
    ...(bucket === 'block' ? { limit: 1 } : {}),
  });
  const without = lost.map(([key]) => ({ bucket, key, value: null }));
  await store.batch(bucket === 'state' ? without.slice(0, 1) : without, { durable: true });
  const directory = machines.directoryOf(0);
  await expect(readKept(store, directory)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  await store.close();
  await expect(machines.start([0])).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  const mended = await openStore(0);
  const again = lost.map(([key, value]) => ({ bucket, key, value }));
  await mended.batch(again, { durable: true });
  expect((await readKept(mended, directory)).final).not.toBeNull();
  await mended.close();
});

/** Ways in which a log of votes, statements or proposals can be none of this seat's. */
const bends: readonly (readonly [string, Bucket, (value: Uint8Array) => Uint8Array])[] = [
  ['a vote with a bit flipped in its signature', 'vote', flipped],
  [
    'two votes of one kind for two blocks of one view',
    'vote',
    (value) => {
      const vote = voteCodec.decode(value);
      const other = { ...vote, kind: 'notar', block: nativeSha256(value) as Digest } as const;
      const message = voteMessage(networkId(machines.genesis), other, 0);
      const { sign } = nativeKeys(devSeatSeed(0));
      return voteCodec.encode({ ...other, signature: sign(message) });
    },
  ],
  ['a proposal with a bit flipped in its signature', 'proposal', bentProposal],
];

function flipped(value: Uint8Array): Uint8Array {
  const bent = value.slice();
  bent[bent.length - 1]! ^= 1;
  return bent;
}

function bentProposal(value: Uint8Array): Uint8Array {
  const block = sealedBlockCodec.decode(value);
  return sealedBlockCodec.encode({ ...block, signature: flipped(block.signature) });
}

test.each(bends)('%s stops a start by name', async (_, bucket, bend) => {
  const store = await openStore(0);
  const view = (await readKept(store, 'here')).final!.header.view;
  // Open views follow the final one: what is kept of them is what a start reads.
  const last = await store.range(bucket, { reverse: true, limit: 1 });
  const [key, value] = last[0]!;
  const above = view + 1_000;
  const own = bucket === 'vote' ? ownNotar(above) : value;
  const sound =
    bucket === 'vote'
      ? [
          {
            bucket,
            key: concatBytes(key.subarray(0, 8), uint64(above), Uint8Array.of(0)),
            value: own,
          },
        ]
      : [];
  const bentAt = concatBytes(
    key.subarray(0, bucket === 'vote' ? 8 : 0),
    uint64(above),
    flipped(key),
  );
  const added = [...sound, { bucket, key: bentAt, value: bend(proposalAt(bucket, own, above)) }];
  await store.batch(added, { durable: true });
  await store.close();
  await expect(machines.start([0])).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
    cause: { code: 'LOG_UNSOUND' },
  });
  const mended = await openStore(0);
  await mended.batch(
    added.map((each) => ({ ...each, value: null })),
    { durable: true },
  );
  await mended.close();
  await machines.start([0]);
});

function ownNotar(view: number): Uint8Array {
  const subject = {
    kind: 'notar',
    epoch: 0,
    view,
    block: nativeSha256(uint64(view)) as Digest,
  } as const;
  const { sign } = nativeKeys(devSeatSeed(0));
  const signature = sign(voteMessage(networkId(machines.genesis), subject, 0));
  return voteCodec.encode({ ...subject, seat: 0, signature });
}

/** The value itself, for a proposal in a view that is still open. */
function proposalAt(bucket: Bucket, value: Uint8Array, view: number): Uint8Array {
  if (bucket !== 'proposal') return value;
  const block = sealedBlockCodec.decode(value);
  return sealedBlockCodec.encode({ ...block, header: { ...block.header, view } });
}

test('the directory of another seat, or of a seat for an observer, is refused by name', async () => {
  const directory = machines.directoryOf(1);
  const store = await openStore(1);
  for (const seat of [2, null])
    await expect(readKept(store, directory, seat)).rejects.toMatchObject({
      detail: { code: 'STORE_OTHER_SEAT', found: 1, expected: seat },
    });
  expect((await readKept(store, directory, 1)).final).not.toBeNull();
  await store.close();
});

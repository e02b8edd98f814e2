// Goal: what a job that was acknowledged works on stays until the job has ended, whatever is
// uploaded or fetched meanwhile, also over a restart; and not a moment longer.
// Method: pins alone over random jobs and times, against the names in the jobs; a job that ends on
// a ledger; and one real node that hears nobody, with a small quota, started twice.
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { nativeKeys } from '../../node/crypto.ts';
import type { AnwansiNode } from '../../node/face.ts';
import { jobPins } from '../../node/pins.ts';
import type { Blobs } from '../../node/storage/blobs.ts';
import { StorageError } from '../../node/storage/error.ts';
import { openMemoryBlobs } from '../../node/storage/memory-blobs.ts';
import { hex } from '../../protocol/brand.ts';
import type { Digest } from '../../protocol/crypto/hash.ts';
import { signedMessage } from '../../protocol/crypto/signature.ts';
import { type Job, jobCodec, jobId, type SignedJob } from '../../protocol/job/job.ts';
import type { ChainState } from '../../protocol/ledger/chain.ts';
import { listBlob } from '../../protocol/merkle/blob.ts';
import { cidDigest } from '../../protocol/merkle/cid.ts';
import { jobLifeMsMax } from '../../protocol/params.ts';
import { devAccountSeed } from '../../protocol/receipt/dev.ts';
import { pattern } from '../ports/blobs.ts';
import { finished } from '../support/ledger-steps.ts';
import { fakeWorld, smallProgram } from '../support/ledger-world.ts';
import { createMachines, primesJob } from '../support/nodes.ts';

const itemBytes = 1_000;
/** Sends away everything that may be sent away. */
async function flush(blobs: Blobs, quotaBytes: number): Promise<void> {
  const refused = await blobs.put(new Uint8Array(quotaBytes)).catch((error: unknown) => error);
  if (!(refused instanceof StorageError) || refused.detail.code !== 'BLOB_QUOTA') return;
  await blobs.put(new Uint8Array(quotaBytes - refused.detail.pinnedBytes));
}

describe('pins of jobs', () => {
  const quotaBytes = 100_000;
  const world = fakeWorld(7, 31);
  const { job: any } = world.job(smallProgram);
  const at = (timeMs: number): ChainState => ({
    ...world.tip,
    header: { ...world.tip.header, timeMs },
  });
  const items = Array.from({ length: 6 }, (_, seed) => pattern(itemBytes, seed));

  /** Whether, after each step, what is named by a job that is held is what is still here. */
  const check = async (pinsOf: typeof jobPins): Promise<void> => {
    const wish = fc.record({
      program: fc.nat(5),
      list: fc.subarray([0, 1, 2, 3, 4, 5], { minLength: 1 }),
      lifeMs: fc.integer({ min: 1, max: 9 }),
    });
    const wishes = fc.array(wish, { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(wishes, fc.nat(5), async (wished, absent) => {
        const blobs = openMemoryBlobs({ quotaBytes });
        const pins = pinsOf(blobs);
        const cids = await Promise.all(
          items.map((bytes, place) =>
            place === absent ? openMemoryBlobs({ quotaBytes }).put(bytes) : blobs.put(bytes),
          ),
        );
        const jobs = await Promise.all(
          wished.map(async ({ program, list, lifeMs }, nonce) => {
            const { cid, bytes } = listBlob(list.map((place) => cids[place]!));
            await blobs.putAs(cid, bytes);
            const input = { kind: 'list', root: cidDigest(cid), items: list.length } as const;
            const of = { nonce: BigInt(1_000 + nonce), program: cids[program]!, input };
            const job: Job = { ...any, ...of, includeByMs: lifeMs };
            const names = [cids[program]!, cid, ...list.map((place) => cids[place]!)].map(hex);
            return { job, lifeMs, names };
          }),
        );
        await Promise.all([...jobs, ...jobs].map(({ job }) => pins.hold(job)));
        for (let timeMs = 0; timeMs < 10; timeMs++) {
          pins.follow(at(timeMs + jobLifeMsMax));
          await pins.settled();
          await flush(blobs, quotaBytes);
          const named = new Set(
            jobs.flatMap(({ lifeMs, names }) => (lifeMs > timeMs ? names : [])),
          );
          for (const [place, cid] of cids.entries())
            expect(await blobs.has(cid)).toBe(place !== absent && named.has(hex(cid)));
        }
      }),
      { numRuns: 40 },
    );
  };

  test('hold what is here of what a job names, until no job names it any more', async () => {
    await check(jobPins);
  });

  test('that were never given back, or given back too early, are told', async () => {
    await expect(
      check((blobs) => ({ ...jobPins(blobs), follow: () => undefined })),
    ).rejects.toThrow();
    await expect(
      check((blobs) => {
        const pins = jobPins(blobs);
        return { ...pins, follow: () => pins.follow(at(9 + jobLifeMsMax)) };
      }),
    ).rejects.toThrow();
  });

  test('of a job that is open stay beyond its time to be ordered, and go when it has ended', async () => {
    const blobs = openMemoryBlobs({ quotaBytes });
    const pins = jobPins(blobs);
    const program = await blobs.put(items[0]!);
    const open = world.job({ ...smallProgram, program: items[0]! });
    await pins.hold(open.job);
    expect(hex(open.job.program)).toBe(hex(program));
    world.block([{ kind: 'job', signed: open }]);
    pins.follow(at(open.job.includeByMs + jobLifeMsMax + 1));
    await pins.settled();
    await flush(blobs, quotaBytes);
    expect(await blobs.has(program)).toBe(true);
    const other = fakeWorld(7, 31);
    const ended = other.job({ ...smallProgram, program: items[0]! });
    const later = jobPins(blobs);
    await later.hold(ended.job);
    finished(other, [ended]);
    // Its time to be ordered is not over: it is the end of the job that gives back.
    expect(other.tip.header.timeMs).toBeLessThan(ended.job.includeByMs + 60_000);
    later.follow({ ...other.tip, header: { ...other.tip.header, timeMs: 0 } });
    await later.settled();
    await flush(blobs, quotaBytes);
    expect(await blobs.has(program), 'the first still holds it').toBe(true);
  });

  test('a list that is damaged or not here holds no items, and stops nobody', async () => {
    const blobs = openMemoryBlobs({ quotaBytes });
    const pins = jobPins(blobs);
    const { cid } = listBlob([await blobs.put(items[0]!)]);
    const job = { ...any, input: { kind: 'list', root: cidDigest(cid), items: 1 } } as Job;
    await pins.hold(job);
    await blobs.putList([await blobs.put(items[0]!)]);
    blobs.damage(cid, pattern(3));
    await pins.hold({ ...job, nonce: 5n, program: pattern(36) });
    pins.follow(at(job.includeByMs + jobLifeMsMax));
    await pins.settled();
  });
});

describe('a node', async () => {
  const quotaBytes = 600_000;
  const machines = await createMachines(4, { blobQuotaBytes: quotaBytes });
  afterAll(() => machines.remove());
  const upload = (node: AnwansiNode, seed: number, bytes = 50_000): Promise<unknown> =>
    node.blobs.putStream(
      (async function* () {
        yield pattern(bytes, seed);
      })(),
    );
  /** Uploads until one is refused; gives how many were taken. */
  const uploadAll = async (node: AnwansiNode): Promise<number> => {
    for (let seed = 100; seed < 200; seed++)
      try {
        await upload(node, seed);
      } catch (error) {
        expect(error).toMatchObject({ code: 'BLOB_QUOTA' });
        return seed - 100;
      }
    throw new Error('uploads have no end');
  };
  /** A job over items that were uploaded, signed well. */
  const listJob = async (node: AnwansiNode): Promise<[SignedJob, readonly Uint8Array[]]> => {
    const { job: like } = await primesJob(machines, node);
    node.blobs.release(like.program);
    const inputs = [1, 2, 3].map((seed) => pattern(40_000, seed));
    const cids: Uint8Array[] = [];
    for (const bytes of inputs) {
      const stored = await node.blobs.putStream(
        (async function* () {
          yield bytes;
        })(),
      );
      cids.push(stored.cid);
    }
    const list = await node.blobs.putList(cids);
    const input = { kind: 'list', root: cidDigest(list as never), items: 3 } as const;
    const job: Job = { ...like, input, cut: 'lines', subtasks: 3 };
    const keys = nativeKeys(devAccountSeed(0));
    const message = signedMessage('job', job.network as Digest, jobCodec.encode(job));
    return [{ job, signature: keys.sign(message) }, [job.program, list, ...cids]];
  };

  test('keeps a job whole from its acknowledgement on, over restarts and against uploads', async () => {
    const [node] = (await machines.start([0])) as [AnwansiNode];
    const [signed, named] = await listJob(node);
    expect(await node.submit(signed)).toEqual({ verdict: 'accept' });
    const taken = await uploadAll(node);
    expect(taken).toBeGreaterThan(1);
    const here = async (of: AnwansiNode): Promise<boolean[]> =>
      Promise.all(named.map((cid) => of.blobs.has(cid)));
    expect(await here(node)).toEqual(named.map(() => true));
    await flush(node.blobs, quotaBytes);
    expect(await here(node)).toEqual(named.map(() => true));
    await machines.stop();

    const [again] = (await machines.start([0])) as [AnwansiNode];
    expect(await again.submission(jobId(signed.job))).toMatchObject({ state: 'pending' });
    await uploadAll(again);
    await flush(again.blobs, quotaBytes);
    expect(await here(again)).toEqual(named.map(() => true));
    expect(again.blobs.bytes()).toBeLessThanOrEqual(quotaBytes);
    // The twin: with a hand on the pins, the same pressure sends everything away.
    for (const cid of named) again.blobs.release(cid);
    await flush(again.blobs, quotaBytes);
    expect(await here(again)).toEqual(named.map(() => false));
    for (const cid of named) again.blobs.pin(cid);
  });
});

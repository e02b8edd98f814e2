// Goal: a node keeps no job that the chain could not order, and no more jobs than it can look at
// after each final block; what it has acknowledged stays acknowledged.
// Method: one real node that hears nobody, with a real store, and jobs that are signed well.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nativeKeys, nativeSha256 } from '../../node/crypto.ts';
import type { AnwansiNode, Submission } from '../../node/face.ts';
import type { Store } from '../../node/ports.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { readSubmissionsSince, submissionChanges } from '../../node/submissions.ts';
import { concatBytes, utf8 } from '../../protocol/brand.ts';
import type { Digest } from '../../protocol/crypto/hash.ts';
import { uint64 } from '../../protocol/crypto/hash.ts';
import { signedMessage } from '../../protocol/crypto/signature.ts';
import { type Job, jobCodec, jobId, type SignedJob } from '../../protocol/job/job.ts';
import { jobLifeMsMax, timeMsMax } from '../../protocol/params.ts';
import { devAccountSeed } from '../../protocol/receipt/dev.ts';
import { pooledJobCountMax } from '../../protocol/replica/pool.ts';
import { createMachines, type Machines, primesJob } from '../support/nodes.ts';

const keys = nativeKeys(devAccountSeed(0));
let machines: Machines;
let node: AnwansiNode;
let good: SignedJob;
beforeAll(async () => {
  machines = await createMachines(4);
  [node] = (await machines.start([0])) as [AnwansiNode];
  good = await primesJob(machines, node);
});
afterAll(() => machines.remove());

function signedAs(different: Partial<Job>, by = keys): SignedJob {
  const job = { ...good.job, submitter: by.publicKey, ...different };
  const message = signedMessage('job', job.network as Digest, jobCodec.encode(job));
  return { job, signature: by.sign(message) };
}

test('a job that can never be ordered is refused by name, and not kept', async () => {
  const { includeByMs } = good.job;
  const start = node.state().final.header.timeMs;
  const cases: readonly (readonly [Partial<Job>, string])[] = [
    [{ nonce: 1n, includeByMs: timeMsMax }, 'reject JOB_LIVES_TOO_LONG'],
    [{ nonce: 2n, includeByMs: includeByMs + 1 }, 'reject JOB_LIVES_TOO_LONG'],
    [{ nonce: 3n, includeByMs: start }, 'reject JOB_NOT_INCLUDED_IN_TIME'],
    [{ nonce: 4n, anchorHash: new Uint8Array(32) }, 'ignore JOB_ANCHOR_UNKNOWN'],
  ];
  expect(includeByMs).toBe(start + jobLifeMsMax);
  for (const [different, expected] of cases) {
    const signed = signedAs(different);
    const verdict = await node.submit(signed);
    expect(Object.values(verdict).join(' ')).toBe(expected);
    expect(await node.submission(jobId(signed.job)), expected).toBeNull();
  }
  // The same job with nothing wrong in it.
  expect((await node.submit(signedAs({ nonce: 5n }))).verdict).toBe('accept');
});

test('those who cannot pay take few of the places', async () => {
  // With a job under way, tokens may come back; without one there is nothing to wait for.
  const nobody = signedAs({ nonce: 0n }, nativeKeys(nativeSha256(utf8('nobody'))));
  expect(await node.submit(nobody)).toEqual({ verdict: 'reject', code: 'JOB_ESCROW' });
  expect(await node.submission(jobId(nobody.job))).toBeNull();
  const fee = 10n ** 13n;
  const poor = Array.from({ length: 600 }, (_, at) =>
    signedAs({ nonce: BigInt(10_000 + at), fee }),
  );
  const verdicts = await Promise.all(poor.map((signed) => node.submit(signed)));
  const codes = verdicts.map((verdict) => Object.values(verdict).join(' '));
  expect(codes.filter((code) => code === 'accept')).toHaveLength(512);
  expect(codes.filter((code) => code === 'ignore JOB_ESCROW')).toHaveLength(88);
  // Whoever can pay is taken; and a poor one, in the place of a poor one that has gone.
  expect((await node.submit(signedAs({ nonce: 50n }))).verdict).toBe('accept');
  expect((await node.submit(poor[599]!)).verdict).toBe('ignore');
  await node.cancel(jobId(poor[0]!.job));
  expect((await node.submit(poor[599]!)).verdict).toBe('accept');
});

test('jobs wait up to a number; one that was taken is taken again', async () => {
  // One good job, 512 without tokens, one with, and this one.
  const waiting = 515;
  const first = signedAs({ nonce: 100n });
  expect((await node.submit(first)).verdict).toBe('accept');
  const verdicts = new Map<string, number>();
  const count = pooledJobCountMax + 10;
  for (let at = 0; at < count; at += 256)
    await Promise.all(
      Array.from({ length: Math.min(256, count - at) }, async (_, more) => {
        const said = Object.values(
          await node.submit(signedAs({ nonce: BigInt(1_000 + at + more) })),
        );
        verdicts.set(said.join(' '), (verdicts.get(said.join(' ')) ?? 0) + 1);
      }),
    );
  expect([...verdicts]).toEqual([
    ['accept', pooledJobCountMax - waiting],
    ['ignore POOL_FULL', waiting + 10],
  ]);
  expect((await node.submit(first)).verdict).toBe('accept');
  // A place that somebody gives up is free again.
  expect(await node.cancel(jobId(first.job))).toBe('cancelled');
  expect((await node.submit(first)).verdict).toBe('accept');
});

test('what was submitted is found again among the jobs of others, a page at a time', async () => {
  const inner = openMemoryStore();
  const others = Array.from({ length: 10_000 }, (_, at) => ({
    bucket: 'ordered' as const,
    key: concatBytes(uint64(1_000 + at), nativeSha256(utf8(`other ${at}`)), Uint8Array.of(1)),
    value: new Uint8Array(0),
  }));
  const own = [0, 5_000, 9_999].map((at): Submission => {
    return { signed: signedAs({ nonce: BigInt(at) }), state: 'pending', at: 1_000 + at };
  });
  await inner.batch([...others, ...own.flatMap(submissionChanges)], { durable: false });
  const most = { entries: 0 };
  const store: Store = {
    ...inner,
    range: async (bucket, options) => {
      const entries = await inner.range(bucket, options);
      most.entries = Math.max(most.entries, entries.length);
      return entries;
    },
  };
  const places = async (since: number) =>
    (await readSubmissionsSince(store, since)).map(({ at }) => at);
  expect(await places(0)).toEqual([1_000, 6_000, 10_999]);
  expect(await places(1_001)).toEqual([6_000, 10_999]);
  expect(most.entries).toBeLessThan(others.length / 2);
});

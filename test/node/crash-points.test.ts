// Goal: whatever moment the power goes at, a node starts from what its disk kept, with a final chain
// that it had, bound by every word that left it; a disk that forgets a bucket is found out.
// Method: four drivers with stores in memory in virtual time; the laws are asked of every beginning
// of what one of them wrote, and the node is stopped at some of its batches and goes on.
import { expect, test } from 'vitest';
import type { Bucket } from '../../node/ports.ts';
import { crashFaults, crashRun, cutEverywhere } from '../support/crash-run.ts';

const plans = [
  { seed: 1, lossPercent: 0 },
  { seed: 2, lossPercent: 15 },
  { seed: 3, lossPercent: 40 },
];

test.each(plans)(
  'seed $seed, loss $lossPercent %: every disk that can be left is good',
  async (plan) => {
    const { world, ended } = await crashRun(plan);
    expect(ended).toBe(true);
    expect(world.violations).toEqual([]);
    const { broken, cuts } = await cutEverywhere(world);
    expect([...broken]).toEqual([]);
    expect(cuts).toBeGreaterThan(20);
  },
);

const twins: readonly (readonly [Bucket, RegExp])[] = [
  ['vote', /votes durable/],
  ['statement', /statements durable/],
  ['proposal', /proposals durable/],
  ['ballot', /view goes on/],
  ['tree', /voted bodies/],
  ['state', /STORE_CORRUPT/],
  ['history', /STORE_CORRUPT/],
  ['block', /STORE_CORRUPT/],
  ['submission', /acknowledged/],
  ['certificate', /final kept/],
  ['height', /final found by hash/],
  ['job', /open jobs known/],
];

test('a disk that forgets a bucket is found out, whichever it is', async () => {
  const { world } = await crashRun(plans[2]!);
  for (const [bucket, law] of twins) {
    const { broken } = await cutEverywhere(world, bucket);
    expect([...broken].join(), bucket).toMatch(law);
  }
});

test('a node that flushes votes only, or nothing, is found out', async () => {
  const { world } = await crashRun(plans[0]!);
  const flushing = async (bucket: Bucket | null): Promise<string> => {
    const [host] = world.hosts;
    const written = host!.witness.written.map(({ changes }) => ({
      changes,
      durable: changes.some((change) => change.bucket === bucket),
    }));
    const hosts = [{ ...host!, witness: { ...host!.witness, written } }];
    const { network, now } = world;
    return [...(await cutEverywhere({ network, now, hosts })).broken].join();
  };
  expect(await flushing('vote')).toMatch(/statements durable/);
  expect(await flushing('statement')).toMatch(/votes durable/);
  expect(await flushing(null)).toMatch(/proposals durable.*acknowledged/);
});

test('stopped at a batch and started again, a node keeps its word and jobs end', async () => {
  const plan = plans[1]!;
  const { world } = await crashRun(plan);
  const batches = world.hosts[0]!.witness.written.length;
  for (let batch = 0; batch < batches; batch += 24)
    for (const when of ['before', 'after'] as const) {
      const cut = { batch, when, power: (batch + when.length) % 2 === 0 };
      expect(await crashFaults({ ...plan, cut }), JSON.stringify(cut)).toEqual([]);
    }
});

test.each([-3_600_000, 3_600_000])(
  'a clock that is off by %i ms after a start costs views only',
  async (clockMs) => {
    for (const batch of [3, 12]) {
      const cut = { batch, when: 'after', power: true, clockMs } as const;
      expect(await crashFaults({ ...plans[0]!, cut }), JSON.stringify(cut)).toEqual([]);
    }
  },
);

test('a node that goes on without its statements is caught in a lie', async () => {
  const found = new Set<string>();
  const isCaught = (): boolean => [...found].some((one) => /^I10 equivocation.*abstain/.test(one));
  for (let batch = 8; batch < 40 && !isCaught(); batch += 2) {
    const cut = { batch, when: 'after', power: false } as const;
    for (const fault of await crashFaults({ ...plans[1]!, cut, forgets: 'statement' }))
      found.add(fault);
  }
  expect(isCaught(), [...found].join()).toBe(true);
});

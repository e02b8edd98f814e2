// Goal: the laws of test/node/crash-points.test.ts at every batch, in many weathers.
// Method: the same machines, stopped once at each batch that one of them writes, both before and
// after it, with and without the power; SEED=… runs one seed alone.
import { expect, test } from 'vitest';
import { crashFaults, crashRun, cutEverywhere } from '../support/crash-run.ts';

const first = Number(process.env.SEED ?? 1);
const seeds = Array.from({ length: process.env.SEED === undefined ? 12 : 1 }, (_, i) => first + i);

test.each(seeds)(
  'seed %i: stopped at every batch, it keeps its word and jobs end',
  async (seed) => {
    const plan = { seed, lossPercent: (seed * 7) % 45 };
    const { world, ended } = await crashRun(plan);
    expect([ended, world.violations]).toEqual([true, []]);
    const { broken, cuts } = await cutEverywhere(world);
    expect([...broken]).toEqual([]);
    for (let batch = 0; batch < cuts; batch++)
      for (const when of ['before', 'after'] as const) {
        const cut = { batch, when, power: (batch + when.length) % 2 === 0 };
        expect(await crashFaults({ ...plan, cut }), JSON.stringify(cut)).toEqual([]);
      }
  },
);

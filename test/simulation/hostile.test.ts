// Goal: whatever faulty seats and strangers send, honest replicas hold little of it and go on.
// Method: worlds in which each honest replica hears some thousands of hostile messages while it
// works: what passes the judge, and, as if a host had no judge, everything.
import { expect, test } from 'vitest';
import { jobId } from '../../protocol/job/job.ts';
import type { Role } from './adversaries.ts';
import { runCase } from './campaign.ts';
import { sizes } from './checker.ts';
import { flood } from './flood.ts';
import { simulatedJob } from './network.ts';
import { weathers } from './weather.ts';
import { World } from './world.ts';

const rounds = 60;
const messagesARound = 25;

test.each([
  { seats: 4, judged: true },
  { seats: 7, judged: true },
  { seats: 4, judged: false },
])('a flood on $seats seats, judged $judged, leaves little behind', ({ seats, judged }) => {
  const faulty = Array.from({ length: Math.floor((seats - 1) / 3) }, (_, i) => seats - 1 - i);
  const roles = new Map(faulty.map((seat): [number, Role] => [seat, 'silent']));
  const world = new World({ seed: 5, seats, weather: weathers.delayed, roles });
  const next = flood(world.network, faulty, 5);
  const ids = [1n, 2n, 3n].map((nonce) => {
    const signed = simulatedJob(world.network, world.nodes[0]!.state!.final.header, { nonce });
    world.submit(0, signed);
    return jobId(signed.job);
  });
  for (let round = 0; round < rounds; round++) {
    world.run(100, () => false);
    for (const { seat, state } of world.honest())
      for (let i = 0; i < messagesARound; i++) {
        const [topic, bytes] = next(state!);
        world.inject(seat, topic, bytes, judged);
      }
  }
  for (const { state } of world.honest()) {
    for (const [name, size, limit] of sizes(state!, seats))
      expect(size, name).toBeLessThanOrEqual(limit);
    const { tree, orphans, wanted, pool } = state!;
    expect(tree.size + orphans.size).toBeLessThan(2 * (4 * seats + 64) + 20);
    expect(wanted.size).toBeLessThan(20);
    expect(pool.jobs.size).toBeLessThanOrEqual(ids.length);
  }
  expect(world.run(120_000, () => world.ended(ids))).toBe(true);
  expect(world.checker.violations).toEqual([]);
  for (const { state } of world.honest()) {
    const { jobs, statements } = state!.pool;
    expect([jobs.size, statements.size]).toEqual([0, 0]);
  }
  for (const id of ids) expect(world.jobState(world.honest()[0]!, id)?.state).toBe('settled');
});

test.each(['withholding', 'forging', 'equivocating'] as const)(
  'leaders that are %s cost their views, and nothing else',
  (role) => {
    for (const seats of [4, 7])
      for (let seed = 0; seed < 4; seed++) {
        const { violations, ends } = runCase({ seed, seats, role, weather: 'shuffled' });
        expect(violations, `seed ${seed}`).toEqual([]);
        expect(ends).not.toContain(null);
      }
  },
);

test('honest replicas refuse and name what a forger proposes', () => {
  const refused = new Set<string>();
  const { world } = runCase({ seed: 1, seats: 4, role: 'forging', weather: 'calm' });
  for (const { state } of world.honest())
    for (const { fault } of state!.tree.values()) if (fault !== null) refused.add(fault);
  expect(world.checker.notices.get('BLOCK_STATE_ROOT')).toBeGreaterThan(0);
  expect([...refused].filter((code) => code !== 'BLOCK_STATE_ROOT')).toEqual([]);
});

// Goal: no seed of many breaks agreement or stays stuck after healing.
// Method: as consensus-simulation.test.ts, with more seeds and sizes; prints how fast it went.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import * as engine from '../../protocol/consensus/engine.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import { healedBlocks, run } from '../simulation/engine/run.ts';

installSha256((bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()));

test.each([
  { seats: 4, fault: 'silent', count: 10_000 },
  { seats: 4, fault: 'equivocate', count: 20_000 },
  { seats: 7, fault: 'silent', count: 1_000 },
  { seats: 7, fault: 'equivocate', count: 4_000 },
  { seats: 10, fault: 'equivocate', count: 500 },
] as const)('$count seeds of $seats seats, f of them $fault', ({ seats, fault, count }) => {
  const begun = performance.now();
  let steps = 0;
  for (let seed = 1; seed <= count; seed++) {
    const report = run({ seed, seats, fault, engine });
    steps += report.steps;
    expect(report.violations, `seed ${seed}`).toEqual([]);
    expect(report.progress, `seed ${seed}`).toBeGreaterThanOrEqual(healedBlocks);
  }
  const seconds = (performance.now() - begun) / 1_000;
  const rate = (total: number): string => (total / seconds).toFixed(0);
  process.stdout.write(`${seats} ${fault}: ${rate(count)} seeds/s, ${rate(steps)} steps/s\n`);
});

/** Measure how long accept tables take as seats grow, and what exact arithmetic costs. */
import { ratio } from '../protocol/ratio.ts';
import { acceptTable } from '../protocol/sampling/accept.ts';
import { adversarialSeats, drawPlan } from '../protocol/sampling/plan.ts';
import type { Benchmark, Effort, Row, Spread } from './benchmark.ts';
import { growthRow, interleave, paired, processor, spread, wall } from './measure.ts';

const sizes = [64, 128, 256, 512, 1024];

async function run(effort: Effort): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const costs: [number, number][] = [];
  let plan: Spread | null = null;
  for (const seats of sizes) {
    const adversarial = adversarialSeats(seats, 0);
    // As of a fresh job with a loss of 1e-9: delta' = loss / (B G), with B = 4.
    const { lanesMax } = drawPlan(planOf(seats));
    const denominator = 10n ** 9n * 4n * BigInt(lanesMax);
    const question = { seats, adversarial, loss: ratio(1n, denominator), rows: seats };
    const taken = await interleave(effort.runs(5), {
      exact: () => acceptTable(question),
      float: () => floatTable(question, 1 / Number(denominator)),
      plan: () => drawPlan(planOf(seats)),
    });
    const exact = acceptTable(question);
    const float = floatTable(question, 1 / Number(denominator));
    const differing = exact.filter((row, at) => row !== float[at]).length;
    rows.push({
      ...paired(`n = ${seats}: whole table`, 'ms', processor(taken.exact), {
        name: 'the same in doubles',
        values: processor(taken.float),
      }),
      wallMs: spread(wall(taken.exact)),
      note: `${new Set(exact).size} different rows; ${differing} of ${seats} differ in doubles`,
    });
    costs.push([seats, spread(processor(taken.exact)).median]);
    plan = spread(processor(taken.plan));
  }
  rows.push(growthRow('whole table, as seats grow', costs));
  rows.push({
    what: `n = ${sizes.at(-1)}: plan of a job: K, l, G and the bounds`,
    unit: 'ms',
    figure: plan!,
  });
  return rows;
}

const planOf = (seats: number) =>
  ({ seats, adversary: 0, lossExponent: 9, skippedViews: 0 }) as const;

/** The walk of `acceptTable` as probabilities in doubles: quick, and not to be agreed on. */
function floatTable(
  { seats, adversarial, rows }: { seats: number; adversarial: number; rows: number },
  loss: number,
): number[] {
  const honest = seats - adversarial;
  const table: number[] = [];
  // Probability to be at (others, bad) without ever having been absorbed.
  let here: number[] = [1];
  for (let bad = 1; bad <= adversarial; bad++)
    here.push((here[bad - 1]! * (adversarial - bad + 1)) / (seats - bad + 1));
  for (let others = 0; others < rows && others <= honest; others++) {
    const share = others === 0 ? 1 / 2 : 3 / (10 * others ** 2);
    const before = table.at(-1) ?? 1;
    let votes = before;
    while (votes <= adversarial && here[votes]! > loss * share) votes += 1;
    table.push(votes);
    if (votes > adversarial) break;
    const next: number[] = [];
    for (let bad = 0; bad <= adversarial; bad++) {
      const left = seats - others - bad;
      const fromHonest = bad < votes ? (here[bad]! * (honest - others)) / left : 0;
      const fromBad = bad === 0 ? 0 : (next[bad - 1]! * (adversarial - bad + 1)) / (left - 0);
      next.push(fromHonest + fromBad);
    }
    here = next;
  }
  while (table.length < rows) table.push(table.at(-1)!);
  return table;
}

export const accept: Benchmark = {
  name: 'accept',
  question: 'How long does the exact accept table take as seats grow?',
  run,
};

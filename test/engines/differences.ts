/** Compare what two engines observed. */
import type { Observed } from './observe.ts';

/** Each line names a case, a limit and what was otherwise; none if all is the same. */
export function differences(
  expected: readonly Observed[],
  found: readonly Observed[],
): readonly string[] {
  const others = new Map(found.map((one) => [one.name, one]));
  const lines = expected.flatMap((one) => {
    const other = others.get(one.name);
    if (other === undefined) return [`${one.name}: it did not run`];
    if (other.sha256 !== one.sha256) return [`${one.name}: rewritten to other bytes`];
    if (other.runs.length !== one.runs.length) return [`${one.name}: another number of runs`];
    return one.runs.flatMap((run, at) => {
      const its = other.runs[at]!;
      const keys = Object.keys(run) as (keyof typeof run)[];
      return keys
        .filter((key) => its[key] !== run[key])
        .map((key) => `${one.name}, limit ${run.limit}: ${key} ${its[key]}, not ${run[key]}`);
    });
  });
  if (found.length !== expected.length) lines.push(`${found.length} cases, not ${expected.length}`);
  return lines;
}

/** Runs that are there to be compared. */
export function runCount(observed: readonly Observed[]): number {
  return observed.reduce((sum, { runs }) => sum + runs.length, 0);
}

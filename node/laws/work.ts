/** Hold what the parts of a check share: its subject, its workbench, its counts, its end. */
import { mark } from '../../protocol/assert.ts';
import { type LawName, lawNames, type Statement } from './law.ts';
import type { CheckBounds } from './report.ts';
import type { Items, Subject } from './subject.ts';
import { type Made, openWorkbench, type Workbench } from './workbench.ts';

/** Calls that this machine could not run, after which it gives up. */
export const unrunMax = 3;
/** Calls that take more fuel than one may, after which a check gives up. */
const dearMax = 8;

/** This machine could not run the program: nothing is said about its laws. */
export class Unrunnable extends Error {}

export type Broken = {
  readonly statement: Statement;
  readonly left: Made;
  readonly right: Made;
  /** What its operands came to, where that is known. */
  readonly values?: readonly Uint8Array[];
};

/** What is counted while a check runs. */
export type Tally = {
  readonly tried: Record<LawName, number>;
  failedAlike: number;
  oneSided: number;
  /** The first of these. */
  doubtful: Broken | null;
  dear: number;
  /** Items at hand that gave no value: nothing was compared of them but how they failed. */
  failedItems: number;
  /** Calls that this machine could not run. */
  unrun: number;
  /** Fuel was up before the statements were. */
  cut: boolean;
  readonly notTried: string[];
};

/** What the parts of a check share. */
export type Work = {
  readonly subject: Subject;
  readonly items: Items;
  readonly bench: Workbench;
  readonly bounds: CheckBounds;
  readonly tally: Tally;
  readonly enough: () => boolean;
};

/** Begins: nothing was tried yet. */
export function openWork(subject: Subject, items: Items, bounds: CheckBounds): Work {
  const tally: Tally = {
    tried: Object.fromEntries(lawNames.map((law) => [law, 0])) as Record<LawName, number>,
    ...{ failedAlike: 0, oneSided: 0, doubtful: null, dear: 0, failedItems: 0 },
    ...{ unrun: 0, cut: false },
    notTried: untried(subject, items),
  };
  const bench = impatient(openWorkbench(subject, items, bounds.callFuel), tally);
  const enough = (): boolean => {
    const { fuel, dear } = bench.spent();
    if (fuel < bounds.fuel && dear <= dearMax) return false;
    mark('T7');
    return true;
  };
  return { subject, items, bench, bounds, tally, enough };
}

/** The workbench, as long as it can run things: a program that hangs must not hang the check. */
function impatient(bench: Workbench, tally: Tally): Workbench {
  const minded = <T extends { readonly kind: string }>(result: T, reason: string): T => {
    tally.unrun += 1;
    if (tally.unrun >= unrunMax) throw new Unrunnable(reason);
    return result;
  };
  return {
    make: async (origin) => {
      const made = await bench.make(origin);
      return made.kind === 'unrun' ? minded(made, made.reason) : made;
    },
    judge: async (statement) => {
      const held = await bench.judge(statement);
      return held.kind === 'unrun' ? minded(held, held.reason) : held;
    },
    subtask: async (indices, plan) => {
      const outcome = await bench.subtask(indices, plan);
      return outcome.kind === 'local' ? minded(outcome, outcome.reason) : outcome;
    },
    spent: bench.spent,
  };
}

function untried({ program }: Subject, items: Items): string[] {
  const list: string[] = [];
  if (items.count === 0) list.push('items of a real input: none was given (--input FILE)');
  if (!program.exports.sample) list.push('values of anw_sample: the program has none');
  if (program.exports.generates) list.push('other parameters than these (--params JSON)');
  list.push('other engines and machines; whether the results are right');
  return list;
}

/** Test the laws of a program in the sandbox: draw, run, and shrink what breaks one. */
import { mark } from '../../protocol/assert.ts';
import { hex } from '../../protocol/brand.ts';
import type { Stream } from '../../protocol/crypto/stream.ts';
import { listRoot } from '../../protocol/merkle/list.ts';
import { costTableVersion, rewriterVersion } from '../../protocol/params.ts';
import { nativeSha256 } from '../crypto.ts';
import { nameBlob } from '../storage/naming.ts';
import {
  allOfThree,
  drawnTree,
  isOfJob,
  type LawName,
  leftTree,
  planOf,
  type Statement,
} from './law.ts';
import type { Origin } from './origin.ts';
import { emptyPool, fillPool, type Pool, type Refused } from './pool.ts';
import {
  type CheckBounds,
  type Example,
  headBytesMax,
  type LawBlob,
  type LawReport,
  lawBlob,
  lawReportVersion,
  originNodes,
  poolGroups,
  type Side,
  treeNodes,
} from './report.ts';
import { drawnIndices, drawStatement, seededStream } from './sampling.ts';
import { shrink, smallerStatements } from './shrink.ts';
import type { Items, Subject } from './subject.ts';
import { type Broken, openWork, Unrunnable, unrunMax, type Work } from './work.ts';
import { compared, type Held, type Made, ofSubtask, sameMade, subtaskText } from './workbench.ts';

export type CheckOptions = {
  /** Statements to try. */
  readonly runs: number;
  readonly seed: string;
  /** {@link fullBounds} unless given. */
  readonly bounds?: CheckBounds;
  /** Told that a law is broken, before its example is made small. */
  readonly broke?: () => void;
  /** Asked while an example is made small: once it says so, the smallest so far is taken. */
  readonly isSmallEnough?: () => boolean;
  /** Told how many statements were tried. */
  readonly trying?: (count: number) => void;
  /** Whether an example is wanted of what only warns: see {@link Check.warning}. */
  readonly warns?: boolean;
};

/** What an author waits for. */
export const fullBounds: CheckBounds = {
  ...{ items: 24, made: 96, samples: 96, folds: 64, doubled: 24, shrunk: 1_500 },
  ...{ callFuel: 2n ** 31n, fuel: 2n ** 42n },
};

/** What fits in front of a job, or beside one. */
export const quickBounds: CheckBounds = {
  ...{ items: 3, made: 48, samples: 24, folds: 16, doubled: 4, shrunk: 300 },
  ...{ callFuel: 2n ** 28n, fuel: 2n ** 33n },
};
export const quickRunCount = 300;

/** What a check came to. */
export type Check = {
  readonly report: LawReport;
  /** The report by its name; null where this machine could not run something. */
  readonly blob: LawBlob | null;
  /** What was left out, for people. */
  readonly notTried: readonly string[];
  /** The whole values of the example, by hash in hexadecimal. */
  readonly values: ReadonlyMap<string, Uint8Array>;
  /**
   * Where nothing is refuted, a statement of which one side failed on values that no job at hand
   * comes to; null where there is none, or none was asked for.
   */
  readonly warning: Example | null;
  /** The law of what was found broken, before it was made smaller; null where nothing is. */
  readonly foundLaw: LawName | null;
  /** Items at hand that gave no value, and the first of all origins that did not. */
  readonly failedItems: number;
  readonly refused: Refused | null;
};

/** Statements under way at once. */
const batchCount = 16;

/** Tests the laws. Rejects only where an item that should be there cannot be read. */
export async function checkLaws(
  subject: Subject,
  items: Items,
  options: CheckOptions,
): Promise<Check> {
  const { seed, bounds = fullBounds } = options;
  const draw = seededStream(seed, 'pool');
  const places = items.places ?? drawnIndices(items.count, bounds.items, draw);
  const work = openWork(subject, items, bounds);
  const { bench, tally } = work;
  let pool = emptyPool();
  let broken: Broken | null = null;
  try {
    pool = await fillPool(work, places, draw);
    broken =
      (await tryItems(work, places, seededStream(seed, 'orders'))) ??
      (await tryStatements(work, pool, options));
  } catch (error) {
    if (!(error instanceof Unrunnable)) throw error;
    tally.notTried.push(`the rest: this machine cannot run it (${error.message})`);
  }
  const unfinished = tally.cut || tally.unrun >= unrunMax || tally.tried.associative === 0;
  if (broken !== null) options.broke?.();
  const { isSmallEnough = () => false } = options;
  const found =
    broken === null ? null : await smallest(work, broken, refutes(work, broken), isSmallEnough);
  if (pool.heavy > 0) tally.notTried.push(`${pool.heavy} large values, but for their order`);
  const sizes = poolGroups.map((group) => [group, pool.groups.get(group)?.length ?? 0]);
  const report: LawReport = {
    version: lawReportVersion,
    program: nameBlob(subject.program.bytes).cid,
    rewriter: rewriterVersion,
    costTable: costTableVersion,
    parameters: nativeSha256(subject.parameters),
    input: await inputOf(subject, items, places),
    together: items.together ?? true,
    seed,
    runs: options.runs,
    bounds,
    verdict: found !== null ? 'refuted' : unfinished ? 'untested' : 'none-found',
    tried: tally.tried,
    failedAlike: tally.failedAlike,
    oneSided: tally.oneSided,
    dear: tally.dear,
    pool: Object.fromEntries(sizes) as LawReport['pool'],
    refusedItems: pool.refusedItems,
    fuel: bench.spent().fuel,
    example: found?.example ?? null,
  };
  const { notTried, doubtful } = tally;
  const blob = tally.unrun > 0 ? null : lawBlob(report);
  const isWanted = options.warns === true && found === null && doubtful !== null;
  // Its fuel is no part of the report: who asks for no example comes to the same one.
  const warned = isWanted
    ? await smallest(work, doubtful, ({ kind }) => kind === 'one-sided', isSmallEnough)
    : null;
  const { example: warning = null, values = new Map() } = found ?? warned ?? {};
  return {
    ...{ report, blob, notTried, values, warning: found === null ? warning : null },
    ...{ foundLaw: broken?.statement.law ?? null },
    ...{ failedItems: tally.failedItems, refused: pool.refused },
  };
}

async function inputOf(
  { program }: Subject,
  items: Items,
  places: readonly number[],
): Promise<LawReport['input']> {
  if (places.length === 0) return { kind: 'none' };
  if (program.exports.generates) return { kind: 'generated', places };
  const cids: Uint8Array[] = [];
  for (const place of places) cids.push(nameBlob((await items.bytes(place))!).cid);
  return { kind: 'list', places, root: listRoot(cids) };
}

/** Runs the real items as subtasks: the same one twice, then other orders and brackets. */
async function tryItems(
  work: Work,
  places: readonly number[],
  draw: Stream,
): Promise<Broken | null> {
  const { bench, tally, enough } = work;
  if (places.length === 0 || enough()) return null;
  const left = leftTree(places.length);
  const operands = places.map((index): Origin => ({ kind: 'item', index }));
  // An item that takes more fuel than is granted here says nothing, and would take it again.
  const made = await Promise.all(operands.map(bench.make));
  tally.failedItems = made.filter(({ kind }) => kind === 'failed').length;
  if (made.some((one) => compared(one, one).kind === 'dear')) {
    tally.notTried.push('orders of the items: one takes more fuel than is granted here');
    return null;
  }
  const trees = [left, left, drawnTree(places.length, draw), drawnTree(places.length, draw)];
  const outcomes = await Promise.all(trees.map((tree) => bench.subtask(places, planOf(tree))));
  const [first, again, ...others] = outcomes.map(ofSubtask);
  tally.tried.replay += places.length;
  if (subtaskText(outcomes[0]!) !== subtaskText(outcomes[1]!) && bothRan(first!, again!)) {
    const statement: Statement = { law: 'replay', operands, left, right: left };
    return { statement, left: first!, right: again! };
  }
  if (places.length === 1) tally.notTried.push('orders of the items: there is one item');
  for (const [at, other] of others.entries()) {
    if (places.length < 2 || !bothRan(first!, other)) continue;
    tally.tried.order += 1;
    if (sameMade(first!, other)) continue;
    const statement: Statement = { law: 'order', operands, left, right: trees[at + 2]! };
    // A subtask does not say why a combine failed: one way may only have been dearer.
    const held = await bench.judge(statement);
    const broken = { statement, left: first!, right: other };
    if (held.kind === 'dear') tally.dear += 1;
    else if (first!.kind === other.kind || held.kind === 'broken') return broken;
    else if (held.kind === 'one-sided' && counts(work, broken)) return broken;
  }
  return judged(work, allOfThree(operands.slice(0, 3)));
}

const bothRan = (a: Made, b: Made): boolean => a.kind !== 'unrun' && b.kind !== 'unrun';

/**
 * Whether a statement of which one side failed refutes: only where a job at hand may come to both
 * sides. Other values may lie outside of what its combine promises.
 */
function counts({ items, tally }: Work, broken: Broken): boolean {
  mark('T14');
  if ((items.together ?? true) && isOfJob(broken.statement)) return true;
  tally.oneSided += 1;
  tally.doubtful ??= broken;
  return false;
}

/** What a smaller example must be, so that it refutes as much as the one that was found. */
function refutes(
  { items }: Work,
  { left, right }: Broken,
): (held: Held, statement: Statement) => boolean {
  const oneSided = left.kind !== right.kind && (items.together ?? true);
  return ({ kind }, statement) =>
    kind === 'broken' || (oneSided && kind === 'one-sided' && isOfJob(statement));
}

async function tryStatements(
  work: Work,
  { groups }: Pool,
  { runs, seed, trying = () => {} }: CheckOptions,
): Promise<Broken | null> {
  const { tally, enough } = work;
  const pool = [...groups.values()];
  if (pool.length === 0) return null;
  const draw = seededStream(seed, 'runs');
  for (let run = 0; run < runs; run += batchCount) {
    if (enough()) {
      tally.cut = true;
      tally.notTried.push(`${runs - run} of the ${runs} statements: their fuel was up`);
      return null;
    }
    const batch = Array.from({ length: Math.min(batchCount, runs - run) }, (_, at) =>
      drawStatement(run + at, pool, draw),
    );
    const broken = await judged(work, batch);
    if (broken !== null) return broken;
    trying(run + batch.length);
  }
  return null;
}

/** Judges some statements at once, counts them, and gives the first that is broken. */
async function judged(work: Work, batch: readonly Statement[]): Promise<Broken | null> {
  const { bench, tally } = work;
  const held = await Promise.all(batch.map(bench.judge));
  for (const [at, one] of held.entries()) {
    const statement = batch[at]!;
    if (one.kind === 'unrun' || one.kind === 'no-value') continue;
    if (one.kind === 'dear') {
      tally.dear += 1;
      continue;
    }
    const isBroken = one.kind === 'broken' || one.kind === 'one-sided';
    const broken = isBroken ? { statement, left: one.left, right: one.right } : null;
    if (one.kind === 'one-sided' && !counts(work, broken!)) continue;
    tally.tried[statement.law] += 1;
    if (one.kind === 'failed-alike') tally.failedAlike += 1;
    if (broken !== null) return broken;
  }
  return null;
}

type Smallest = {
  readonly example: Example;
  readonly values: ReadonlyMap<string, Uint8Array>;
};

/** The smallest broken statement that can be come to from one, and what it comes to. */
async function smallest(
  work: Work,
  { statement, left, right }: Broken,
  isEnough: (held: Held, statement: Statement) => boolean,
  isSmallEnough: () => boolean,
): Promise<Smallest> {
  const { subject, items, bench, bounds, enough } = work;
  // Nothing that a smaller one would run may come between a seat and its verdict.
  if (bounds.shrunk === 0) return exampleOf(work, { statement, left, right });
  const { cut } = subject.program.manifest;
  const bytes = new Map<number, Uint8Array | null>();
  for (const operand of statement.operands.flatMap(itemsIn))
    if (!bytes.has(operand)) bytes.set(operand, await items.bytes(operand));
  // A smaller one that hangs is not taken, and after some the rest is left as it is.
  const calmly = (one: Statement): Promise<Held> =>
    bench.judge(one).catch((error: unknown) => {
      if (!(error instanceof Unrunnable)) throw error;
      return { kind: 'unrun', reason: error.message };
    });
  const again = await calmly(statement);
  if (!isEnough(again, statement)) return exampleOf(work, { statement, left, right });
  // What it came to is kept: where time is up, none of it can be run again.
  const seen = new WeakMap<Statement, Held>([[statement, again]]);
  const shrunk = await shrink(
    statement,
    (one) => smallerStatements(one, cut, (index) => bytes.get(index) ?? null),
    async (one) => {
      const held = await calmly(one);
      if (isEnough(held, one)) seen.set(one, held);
      return isEnough(held, one);
    },
    { triedCountMax: bounds.shrunk, enough: () => enough() || isSmallEnough() },
  );
  const [last, kept] = [await calmly(shrunk), seen.get(shrunk)];
  const sides = last.kind === 'unrun' && kept !== undefined ? kept : last;
  return exampleOf(
    work,
    sides.kind === 'broken' || sides.kind === 'one-sided'
      ? { ...sides, statement: shrunk }
      : { statement, left, right },
  );
}

async function exampleOf(
  { bench, tally }: Work,
  { statement, left, right, values: known }: Broken,
): Promise<Smallest> {
  const values = new Map<string, Uint8Array>();
  const side = (made: Made): Side => {
    if (made.kind === 'failed') return { kind: 'failed', class: made.class };
    if (made.kind === 'unrun') {
      tally.unrun += 1;
      return { kind: 'failed', class: 'combine failed' };
    }
    const hash = nativeSha256(made.value);
    values.set(hex(hash), made.value);
    const head = made.value.slice(0, headBytesMax);
    return { kind: 'value', bytes: made.value.length, hash, head };
  };
  const unrunnable = (error: unknown): Made => ({ kind: 'unrun', reason: String(error) });
  const operands = statement.operands.map(async (operand, place) => {
    const made = await bench.make(operand).catch(unrunnable);
    const value = known?.[place];
    const isKnown = made.kind === 'unrun' && value !== undefined;
    return {
      origin: originNodes(operand, nativeSha256),
      value: side(isKnown ? { kind: 'value', value } : made),
    };
  });
  const example: Example = {
    law: statement.law,
    operands: await Promise.all(operands),
    left: treeNodes(statement.left),
    right: treeNodes(statement.right),
    leftValue: side(left),
    rightValue: side(right),
  };
  return { example, values };
}

function itemsIn(origin: Origin): number[] {
  switch (origin.kind) {
    case 'item':
      return [origin.index];
    case 'fold':
      return origin.parts.flatMap(itemsIn);
    case 'doubled':
      return itemsIn(origin.part);
    default:
      return [];
  }
}

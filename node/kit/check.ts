/** Test the laws of a program in the sandbox: draw, run, and shrink what breaks one. */
import type { Stream } from '../../protocol/crypto/stream.ts';
import { type Ground, type Items, openItems } from './items.ts';
import { drawnTree, type LawName, lawNames, leftTree, planOf, type Statement } from './law.ts';
import { doublingMax, type Origin } from './origin.ts';
import { drawnIndices, drawStatement, madeItems, sampleSeeds, seededStream } from './sampling.ts';
import { shrink, smallerStatements } from './shrink.ts';
import {
  type Held,
  type Made,
  openWorkbench,
  sameMade,
  subtaskText,
  type Workbench,
} from './workbench.ts';

export type CheckOptions = {
  /** Statements to try. */
  readonly runs: number;
  readonly seed: string;
  readonly inputPath: string | null;
};

/** A law that does not hold, by the smallest example that was found. */
export type Counterexample = {
  readonly statement: Statement;
  readonly values: readonly Made[];
  readonly left: Made;
  readonly right: Made;
};

export type CheckReport = {
  readonly verdict: 'refuted' | 'none-found' | 'untested';
  /** What was asked of each law, and how often both sides failed alike. */
  readonly tried: Readonly<Record<LawName, number>>;
  readonly failedAlike: number;
  /** Values that the laws were tested on, by where they came from, and items that gave none. */
  readonly pool: Readonly<Record<PoolGroup, number>>;
  readonly refusedItems: number;
  readonly notTried: readonly string[];
  readonly counterexample: Counterexample | null;
};

export type PoolGroup = 'items' | 'made' | 'samples' | 'folds' | 'doubled';

const realItemMax = 24;
const madeItemCount = 96;
const sampleCount = 96;
const foldCount = 64;
const doubledCount = 24;
/** Bytes of a value that goes to and fro for single combines. */
const lightBytesMax = 65_536;
/** Bytes of an item that stands beside a large one, cut from it at a line's end. */
const pieceBytesMax = 2_048;
/** Statements under way at once. */
const batchCount = 16;
/** Calls that this machine could not run, after which it gives up. */
const unrunMax = 3;

/** This machine could not run the program: nothing is said about its laws. */
class Unrunnable extends Error {}

type Draft = {
  readonly groups: Map<PoolGroup, Origin[]>;
  readonly notTried: string[];
  refusedItems: number;
};

/** Tests the laws. Rejects only for what is wrong with input and parameters. */
export async function checkLaws(ground: Ground, options: CheckOptions): Promise<CheckReport> {
  const items = await openItems(ground, options.inputPath);
  const bench = impatient(await openWorkbench(ground, items));
  const draft: Draft = { groups: new Map(), notTried: untried(ground, items), refusedItems: 0 };
  const tried = Object.fromEntries(lawNames.map((law) => [law, 0])) as Record<LawName, number>;
  const sum = { failedAlike: 0 };
  let broken: Broken | null = null;
  try {
    const indices = await fillPool(ground, items, bench, draft, options.seed);
    broken =
      (await tryItems(bench, indices, tried, draft, seededStream(options.seed, 'orders'))) ??
      (await tryStatements(bench, draft, options, tried, sum));
  } catch (error) {
    if (!(error instanceof Unrunnable)) throw error;
    draft.notTried.push(`the rest: this machine cannot run it (${error.message})`);
  }
  const counterexample = broken === null ? null : await smallest(ground, items, bench, broken);
  const count = (group: PoolGroup): number => draft.groups.get(group)?.length ?? 0;
  const untested =
    tried.associative === 0 || draft.notTried.some((one) => one.startsWith('the rest'));
  return {
    verdict: counterexample !== null ? 'refuted' : untested ? 'untested' : 'none-found',
    tried,
    failedAlike: sum.failedAlike,
    pool: {
      items: count('items'),
      made: count('made'),
      samples: count('samples'),
      folds: count('folds'),
      doubled: count('doubled'),
    },
    refusedItems: draft.refusedItems,
    notTried: draft.notTried,
    counterexample,
  };
}

/** The workbench, as long as it can run things: a program that hangs must not hang the check. */
function impatient(bench: Workbench): Workbench {
  let count = 0;
  const minded = <T extends { readonly kind: string }>(result: T, reason: string): T => {
    count += 1;
    if (count >= unrunMax) throw new Unrunnable(reason);
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
  };
}

function untried({ program }: Ground, items: Items): string[] {
  const list: string[] = [];
  if (items.count === 0) list.push('items of a real input: none was given (--input FILE)');
  if (!program.exports.sample) list.push('values of anw_sample: the program has none');
  if (program.exports.generates) list.push('other parameters than these (--params JSON)');
  list.push('other engines and machines; whether the results are right');
  return list;
}

/** Gathers origins whose values can be had and are light. */
async function fillPool(
  { program }: Ground,
  items: Items,
  bench: Workbench,
  draft: Draft,
  seed: string,
): Promise<readonly number[]> {
  const { cut } = program.manifest;
  const draw = seededStream(seed, 'pool');
  const indices = drawnIndices(items.count, realItemMax, draw);
  const real = indices.map((index): Origin => ({ kind: 'item', index }));
  const heavy = await keepLight(bench, draft, 'items', real);
  const pieces: Uint8Array[] = [];
  for (const index of indices) pieces.push(...piecesOf(await items.bytes(index)));
  if (!program.exports.generates) {
    const lines = pieces.flatMap(linesOf).slice(0, 256);
    const made = madeItems(cut, lines, madeItemCount, draw);
    if (cut.kind !== 'fixed') made.unshift(...pieces.filter((piece) => piece.length > 0));
    await keepLight(
      bench,
      draft,
      'made',
      made.map((bytes) => ({ kind: 'made', bytes })),
    );
  }
  if (program.exports.sample) {
    const seeds = sampleSeeds(sampleCount, draw);
    await keepLight(
      bench,
      draft,
      'samples',
      seeds.map((bytes) => ({ kind: 'sample', seed: bytes })),
    );
  }
  if (heavy > 0)
    draft.notTried.push(`${heavy} values above ${lightBytesMax} bytes, but for their order`);
  await fillFolds(bench, draft, draw);
  return indices;
}

/** Partial folds of what is there, and values combined with themselves again and again. */
async function fillFolds(bench: Workbench, draft: Draft, draw: Stream): Promise<void> {
  const all = [...draft.groups.values()].flat();
  const own = draft.groups.get('items') ?? [];
  const base = own.length > 1 ? own : all;
  if (base.length === 0) return;
  const folds = Array.from({ length: foldCount }, (_, at): Origin => {
    // Half of them of real items alone: what a lane of the job itself comes to.
    const from = at % 2 === 0 ? base : all;
    const parts = Array.from({ length: 2 + draw.below(23) }, () => from[draw.below(from.length)]!);
    return { kind: 'fold', parts };
  });
  await keepLight(bench, draft, 'folds', folds);
  const doubled = Array.from({ length: doubledCount }, (): Origin => {
    const part = all[draw.below(all.length)]!;
    return { kind: 'doubled', part, times: 1 + draw.below(doublingMax) };
  });
  await keepLight(bench, draft, 'doubled', doubled);
}

/** Keeps the origins that have a light value; returns how many were too heavy. */
async function keepLight(
  bench: Workbench,
  draft: Draft,
  group: PoolGroup,
  origins: readonly Origin[],
): Promise<number> {
  const kept: Origin[] = [];
  let heavy = 0;
  for (let at = 0; at < origins.length; at += batchCount) {
    const batch = origins.slice(at, at + batchCount);
    const made = await Promise.all(batch.map(bench.make));
    made.forEach((one, place) => {
      if (one.kind === 'failed') draft.refusedItems += 1;
      else if (one.kind === 'value' && one.value.length > lightBytesMax) heavy += 1;
      else if (one.kind === 'value') kept.push(batch[place]!);
    });
  }
  if (kept.length > 0) draft.groups.set(group, kept);
  return heavy;
}

function linesOf(bytes: Uint8Array): Uint8Array[] {
  const text = Buffer.from(bytes).toString('latin1');
  const lines = text.split(/(?<=\n)/).filter((line) => line.length <= 512);
  return lines.map((line) => Uint8Array.from(Buffer.from(line, 'latin1')));
}

/** The beginning of a large item, up to a line's end. */
function piecesOf(bytes: Uint8Array | null): Uint8Array[] {
  if (bytes === null) return [];
  if (bytes.length <= pieceBytesMax) return [bytes];
  const end = bytes.subarray(0, pieceBytesMax).lastIndexOf(10) + 1;
  return end === 0 ? [] : [bytes.slice(0, end)];
}

type Broken = { readonly statement: Statement; readonly left: Made; readonly right: Made };

/** Runs the real items as subtasks: the same one twice, then other orders and brackets. */
async function tryItems(
  bench: Workbench,
  indices: readonly number[],
  tried: Record<LawName, number>,
  draft: Draft,
  draw: Stream,
): Promise<Broken | null> {
  if (indices.length === 0) return null;
  const left = leftTree(indices.length);
  const operands = indices.map((index): Origin => ({ kind: 'item', index }));
  const trees = [left, left, drawnTree(indices.length, draw), drawnTree(indices.length, draw)];
  const outcomes = await Promise.all(trees.map((tree) => bench.subtask(indices, planOf(tree))));
  const [first, again, ...others] = outcomes.map(asMade);
  tried.replay += indices.length;
  if (subtaskText(outcomes[0]!) !== subtaskText(outcomes[1]!) && bothRan(first!, again!))
    return {
      statement: { law: 'replay', operands, left, right: left },
      left: first!,
      right: again!,
    };
  if (indices.length === 1) draft.notTried.push('orders of the items: there is one item');
  for (const [at, other] of others.entries()) {
    if (indices.length < 2 || !bothRan(first!, other)) continue;
    tried.order += 1;
    if (sameMade(first!, other)) continue;
    const statement: Statement = { law: 'order', operands, left, right: trees[at + 2]! };
    return { statement, left: first!, right: other };
  }
  return null;
}

const bothRan = (a: Made, b: Made): boolean => a.kind !== 'unrun' && b.kind !== 'unrun';

function asMade(outcome: Awaited<ReturnType<Workbench['subtask']>>): Made {
  if (outcome.kind === 'local') return { kind: 'unrun', reason: outcome.reason };
  return outcome.value === null
    ? { kind: 'failed', class: outcome.combineFailed ? 'combine failed' : 'an item failed' }
    : { kind: 'value', value: outcome.value };
}

async function tryStatements(
  bench: Workbench,
  draft: Draft,
  { runs, seed }: CheckOptions,
  tried: Record<LawName, number>,
  sum: { failedAlike: number },
): Promise<Broken | null> {
  const pool = [...draft.groups.values()];
  if (pool.length === 0) return null;
  const draw = seededStream(seed, 'runs');
  for (let run = 0; run < runs; run += batchCount) {
    const batch = Array.from({ length: Math.min(batchCount, runs - run) }, (_, at) =>
      drawStatement(run + at, pool, draw),
    );
    const held = await Promise.all(batch.map(bench.judge));
    for (const [at, one] of held.entries()) {
      const statement = batch[at]!;
      if (one.kind !== 'unrun' && one.kind !== 'no-value') tried[statement.law] += 1;
      if (one.kind === 'failed-alike') sum.failedAlike += 1;
      if (one.kind === 'broken') return { statement, left: one.left, right: one.right };
    }
  }
  return null;
}

/** The smallest broken statement that can be come to from one, and what it comes to. */
async function smallest(
  { program }: Ground,
  items: Items,
  bench: Workbench,
  { statement, left, right }: Broken,
): Promise<Counterexample> {
  const { cut } = program.manifest;
  const bytes = new Map<number, Uint8Array | null>();
  for (const operand of statement.operands.flatMap(itemsIn))
    if (!bytes.has(operand)) bytes.set(operand, await items.bytes(operand));
  // A smaller one that hangs is not taken, and after some the rest is left as it is.
  const judged = (one: Statement): Promise<Held> =>
    bench.judge(one).catch((error: unknown) => {
      if (!(error instanceof Unrunnable)) throw error;
      return { kind: 'unrun', reason: error.message };
    });
  const again = await judged(statement);
  const values = (one: Statement): Promise<Made[]> => Promise.all(one.operands.map(bench.make));
  if (again.kind !== 'broken') return { statement, values: await values(statement), left, right };
  const shrunk = await shrink(
    statement,
    (one) => smallerStatements(one, cut, (index) => bytes.get(index) ?? null),
    async (one) => (await judged(one)).kind === 'broken',
  );
  const sides = await judged(shrunk);
  return {
    statement: shrunk,
    values: await values(shrunk),
    left: sides.kind === 'broken' ? sides.left : left,
    right: sides.kind === 'broken' ? sides.right : right,
  };
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

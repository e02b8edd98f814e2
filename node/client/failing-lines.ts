/** Find the lines by which an item fails, running parts of it in the sandbox. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { placeStates } from '../executor/task.ts';
import type { Executor, FailureClass } from '../ports.ts';

/** A run of whole lines that fails by itself as the item does: it was run, and did. */
export type FailingLines = {
  /** Numbers of the first and the last one, from 1. */
  readonly first: number;
  readonly last: number;
  /** What they are counted in: the item, where the lines before it could not be counted. */
  readonly of: 'input' | 'item';
  /** How the last one begins, without its line end. */
  readonly text: Uint8Array;
  /** Whether it fails no more without its first line, nor without its last one. */
  readonly least: boolean;
};

/** An item that failed, and what it was run with. */
export type FailedItem = {
  readonly programPath: string;
  readonly parameters: Uint8Array;
  /** File of the item, which is cut at line ends. */
  readonly path: string;
  readonly class: FailureClass;
  /** Units that it had. */
  readonly fuel: bigint;
  /** The input and how many of its bytes lie before the item; null where nobody can read it. */
  readonly input: { readonly path: string; readonly before: number } | null;
};

/** Calls, and milliseconds for them and for counting lines, after which a search gives up. */
const callCountMax = 64;
const searchMsMax = 3_000;
/** First bytes of the last line that are kept. */
const textBytesMax = 512;

const lineFeed = 0x0a;

/**
 * Looks for the smallest run of whole lines that still fails in the same class: first the shortest
 * such beginning of the item, then as few of its last lines as will do. Best effort: null where
 * fewer lines than all were not found in time, or this machine could not run them.
 * @param folder - Where the executor may read, for files of our own.
 */
export async function failingLines(
  item: FailedItem,
  executor: Executor,
  folder: string,
  signal: AbortSignal,
): Promise<FailingLines | null> {
  const bytes = new Uint8Array(await readFile(item.path));
  const ends = lineEnds(bytes);
  if (ends.length === 0 || item.class === 'out-of-fuel') return null;
  const part = (first: number, end: number): Uint8Array =>
    bytes.subarray(first === 0 ? 0 : ends[first - 1]!, ends[end - 1]!);
  const within = AbortSignal.any([signal, AbortSignal.timeout(searchMsMax)]);
  const file = join(folder, `lines-${randomUUID()}`);
  let calls = 0;
  const fails = async (first: number, end: number): Promise<boolean | null> => {
    if (calls++ === callCountMax || within.aborted) return null;
    await writeFile(file, part(first, end));
    return failsAlike(item, file, executor, within);
  };
  const found = await smallestRun(ends.length, fails).finally(() => rm(file, { force: true }));
  signal.throwIfAborted();
  if (found === null) return null;
  const { first, end, least } = found;
  const before = await linesBefore(item.input, signal);
  const last = part(end - 1, end);
  return {
    first: (before ?? 0) + first + 1,
    last: (before ?? 0) + end,
    of: before === null ? 'item' : 'input',
    text: last.slice(
      0,
      Math.min(last.at(-1) === lineFeed ? last.length - 1 : last.length, textBytesMax),
    ),
    least,
  };
}

/** Whether a part of an item fails as all of it did; null where this machine cannot tell. */
async function failsAlike(
  { programPath, parameters, class: failure, fuel }: FailedItem,
  path: string,
  executor: Executor,
  signal: AbortSignal,
): Promise<boolean | null> {
  const items = [{ kind: 'file', path } as const];
  const limits = { item: fuel, combine: fuel };
  const run = { programPath, parameters, items, plan: [0], fuel: limits };
  const outcome = await executor.runSubtask(run, signal);
  return outcome.kind === 'local' ? null : placeStates[outcome.states[0]!] === failure;
}

type Run = { readonly first: number; readonly end: number; readonly least: boolean };

/**
 * Lines `first..end-1` of `count` that fail, as few as bisection finds; null where that is no fewer
 * than all of several. Each answer of {@link fails} may be null: then the search ends with what it
 * knows. What is given back was seen to fail, but for all lines, which the caller saw.
 */
export async function smallestRun(
  count: number,
  fails: (first: number, end: number) => Promise<boolean | null>,
): Promise<Run | null> {
  // The first `end` lines fail, and the first `sound` do not: no lines at all are taken to be sound.
  let [sound, end] = [0, count];
  while (end - sound > 1) {
    const middle = (sound + end) >> 1;
    const failing = await fails(0, middle);
    if (failing === null) return end < count ? { first: 0, end, least: false } : null;
    if (failing) end = middle;
    else sound = middle;
  }
  if (end === 1) return { first: 0, end, least: true };
  const alone = await fails(end - 1, end);
  if (alone === true) return { first: end - 1, end, least: true };
  let [first, late] = [0, end - 1];
  let told = alone !== null;
  while (told && late - first > 1) {
    const middle = (first + late) >> 1;
    const failing = await fails(middle, end);
    if (failing === null) told = false;
    else if (failing) first = middle;
    else late = middle;
  }
  return end - first === count ? null : { first, end, least: told };
}

/** Where each line ends; what follows the last line end is a line too. */
function lineEnds(bytes: Uint8Array): number[] {
  const ends: number[] = [];
  for (let end = 0; end < bytes.length; ends.push(end)) {
    const at = bytes.indexOf(lineFeed, end);
    end = at < 0 ? bytes.length : at + 1;
  }
  return ends;
}

/** Line ends before an item; null where they cannot be counted in time. */
async function linesBefore(
  input: FailedItem['input'],
  signal: AbortSignal,
): Promise<number | null> {
  if (input === null) return null;
  const { path, before } = input;
  if (before === 0) return 0;
  const within = AbortSignal.any([signal, AbortSignal.timeout(searchMsMax)]);
  let [lines, bytes] = [0, 0];
  try {
    const options = { end: before - 1, highWaterMark: 1024 * 1024, signal: within };
    for await (const chunk of createReadStream(path, options)) {
      const read = chunk as Uint8Array;
      bytes += read.length;
      for (let at = read.indexOf(lineFeed); at >= 0; at = read.indexOf(lineFeed, at + 1)) lines++;
    }
  } catch {
    signal.throwIfAborted();
    return null; // Too long, or gone since it was cut: the item's own numbers will do.
  }
  return bytes === before ? lines : null;
}

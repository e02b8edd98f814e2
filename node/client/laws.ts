/** Check the laws of a program before its job costs anything, in a bounded time. */
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Cutter } from '../../protocol/execution/cut.ts';
import type { Cid } from '../../protocol/merkle/cid.ts';
import { itemCountMax } from '../../protocol/params.ts';
import { type Check, checkLaws, quickBounds, quickRunCount } from '../laws/check.ts';
import type { Remembered } from '../laws/remembered.ts';
import type { LawReport } from '../laws/report.ts';
import { type Items, noItems, type Subject } from '../laws/subject.ts';
import type { Executor } from '../ports.ts';
import { nameBlob } from '../storage/naming.ts';
import type { Wish } from './prepare.ts';

/** Milliseconds that a check before a job may take: then the job goes on untested. */
export const checkMsMax = 3_000;
/** Milliseconds more once a law is broken: there is no job, and the example shall be small. */
export const shrinkMsMax = 3_000;
/** Milliseconds that what is under way then may still take. */
const lastCallsMsMax = 2_000;

/** What is known of a program before its job. */
export type LawWord = {
  readonly report: LawReport;
  /** Null where the report was remembered, and where this machine could not run something. */
  readonly check: Check | null;
  /** Its time was over before it was through. */
  readonly late: boolean;
};

export type LawCheckParts = {
  readonly executor: Executor;
  /** A folder that the executor may read. */
  readonly scratch: string;
  readonly remembered: Remembered;
  readonly signal: AbortSignal;
  /** Told that a law is broken, before its example is made small in {@link shrinkMsMax}. */
  readonly broke?: () => void;
};

/**
 * What a short check says of a program, on the first items of its input; or what one said before.
 * Null where the parameters or the input are at fault: whoever prepares the job says how.
 */
export async function lawsBefore(
  { program, parameters, inputPath }: Pick<Wish, 'program' | 'parameters' | 'inputPath'>,
  { executor, scratch, remembered, signal, broke: tell = () => {} }: LawCheckParts,
): Promise<LawWord | null> {
  const cid = nameBlob(program.bytes).cid as Cid;
  const passed = new TextEncoder().encode(parameters);
  const known = await remembered.read(cid, passed);
  if (known !== null) return { report: known, check: null, late: false };
  const folder = await mkdtemp(join(scratch, 'laws-'));
  const late = new AbortController();
  let timer = setTimeout(() => late.abort(), checkMsMax);
  let smallBy = Number.POSITIVE_INFINITY;
  const isSmallEnough = (): boolean => performance.now() >= smallBy;
  const broke = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => late.abort(), shrinkMsMax + lastCallsMsMax);
    smallBy = performance.now() + shrinkMsMax;
    tell();
  };
  try {
    const programPath = join(folder, 'program.wasm');
    await writeFile(programPath, program.bytes);
    const subject: Subject = {
      ...{ program, programPath, scratch: folder, executor },
      parameters: passed,
      signal: AbortSignal.any([signal, late.signal]),
    };
    const items = await firstItems(subject, inputPath);
    if (items === null) return null;
    const seed = randomBytes(4).toString('hex');
    const check = await checkLaws(subject, items, {
      ...{ runs: quickRunCount, bounds: quickBounds },
      ...{ seed, broke, isSmallEnough },
    });
    signal.throwIfAborted();
    const { report, blob } = check;
    if (blob !== null) await remembered.write(cid, passed, blob);
    return { report, check, late: late.signal.aborted };
  } finally {
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Whether a longer check found nothing where the one before a job would have looked: as many
 * statements or more, bounds as wide or wider, and items of an input.
 */
export function standsForQuick({ verdict, runs, bounds, input }: LawReport): boolean {
  const names = Object.keys(quickBounds) as (keyof typeof quickBounds)[];
  // What is made small comes after a verdict, and is none of it.
  const isWide = names.every((name) => name === 'shrunk' || bounds[name] >= quickBounds[name]);
  return verdict === 'none-found' && input.kind !== 'none' && runs >= quickRunCount && isWide;
}

/** A few items of the job, without reading all of its input. */
async function firstItems(subject: Subject, inputPath: string | null): Promise<Items | null> {
  const { program } = subject;
  if (program.exports.generates) return generatedItems(subject);
  if (inputPath === null) return null;
  const items = await firstOf(inputPath, new Cutter(program.manifest.cut)).catch(() => []);
  if (items.length === 0) return null;
  const pathOf = (index: number): string => join(subject.scratch, `item-${index}`);
  for (const [index, item] of items.entries()) await writeFile(pathOf(index), item);
  return {
    count: items.length,
    source: (index) => ({ kind: 'file', path: pathOf(index) }),
    bytes: async (index) => items[index]!,
  };
}

async function firstOf(inputPath: string, cutter: Cutter): Promise<Uint8Array[]> {
  const items: Uint8Array[] = [];
  // Read like the whole of it, so that items are the same.
  for await (const chunk of createReadStream(inputPath, { highWaterMark: 1024 * 1024 })) {
    items.push(...cutter.push(chunk as Uint8Array));
    if (items.length >= quickBounds.items) return items.slice(0, quickBounds.items);
  }
  items.push(...cutter.finish());
  return items.slice(0, quickBounds.items);
}

async function generatedItems({
  executor,
  programPath,
  parameters,
  signal,
}: Subject): Promise<Items | null> {
  const { callFuel } = quickBounds;
  const counted = await executor.count(programPath, parameters, signal, callFuel);
  if (counted.kind !== 'ok') return null;
  const { buffer, byteOffset } = counted.value;
  const items = new DataView(buffer, byteOffset, 8).getBigUint64(0);
  if (items < 1n || items > BigInt(itemCountMax)) return null;
  const count = Number(items);
  const places = [...new Set([0, count >> 1, count - 1])].sort((a, b) => a - b);
  return { ...noItems, count, places };
}

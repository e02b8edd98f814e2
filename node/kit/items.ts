/** Bring the items of a job to files that a sandbox may read, without a network. */
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Cutter } from '../../protocol/execution/cut.ts';
import { ClientError } from '../client/error.ts';
import { checkInput } from '../client/input.ts';
import { countItems } from '../client/measure.ts';
import type { Program } from '../client/program.ts';
import { type Items, noItems } from '../laws/subject.ts';
import type { Executor } from '../ports.ts';

/** A program in a folder that its sandbox can read, and what its job is about. */
export type Ground = {
  readonly program: Program;
  readonly programPath: string;
  readonly parameters: Uint8Array;
  /** Folder of our own, readable by the executor. */
  readonly scratch: string;
  readonly executor: Executor;
  /** Units of fuel that one call, or one fold, may use. */
  readonly fuel: bigint;
  readonly signal: AbortSignal;
};

/**
 * The items of a job: cut from its input, or counted from its parameters. None where a program
 * works on an input and none is given.
 * @throws ClientError as `anwansi run` does.
 */
export async function openItems(ground: Ground, inputPath: string | null): Promise<Items> {
  const { program } = ground;
  if (program.exports.generates) {
    if (inputPath !== null)
      throw new ClientError({ code: 'INPUT_NEEDLESS', program: program.name });
    return { ...noItems, count: await countItems(ground) };
  }
  return inputPath === null ? noItems : cutFile(ground, inputPath);
}

async function cutFile({ program, scratch, signal }: Ground, inputPath: string): Promise<Items> {
  await checkInput(inputPath);
  const cutter = new Cutter(program.manifest.cut);
  let count = 0;
  const fileOf = (index: number): string => join(scratch, `item-${index}`);
  const keep = async (items: readonly Uint8Array[]): Promise<void> => {
    for (const item of items) await writeFile(fileOf(count++), item);
  };
  const chunks = createReadStream(inputPath, { highWaterMark: 1024 * 1024, signal });
  for await (const chunk of chunks) await keep(cutter.push(chunk as Uint8Array));
  await keep(cutter.finish());
  if (count === 0) throw new ClientError({ code: 'INPUT_EMPTY', path: inputPath });
  return {
    count,
    source: (index) => ({ kind: 'file', path: fileOf(index) }),
    bytes: async (index) => new Uint8Array(await readFile(fileOf(index))),
  };
}

/** Items that a small input is cut into, so that there are orders to try. */
const smallerMax = 16;

/**
 * The lines of an input that is one item, as several smaller items: where a program cuts at line
 * ends, its result does not depend on which of them. Null for another rule, or a single line.
 */
export async function smallerItems(
  { program, scratch }: Ground,
  items: Items,
): Promise<Items | null> {
  const bytes = items.count === 1 ? await items.bytes(0) : null;
  if (bytes === null || program.manifest.cut.kind !== 'lines') return null;
  const lines = linesOf(bytes);
  const count = Math.min(lines.length, smallerMax);
  if (count < 2) return null;
  const fileOf = (index: number): string => join(scratch, `smaller-${index}`);
  for (let index = 0; index < count; index++) {
    const [first, end] = [index, index + 1].map((one) => Math.floor((lines.length * one) / count));
    await writeFile(fileOf(index), Buffer.concat(lines.slice(first, end)));
  }
  return {
    count,
    source: (index) => ({ kind: 'file', path: fileOf(index) }),
    bytes: async (index) => new Uint8Array(await readFile(fileOf(index))),
  };
}

/** Each with its line end; what follows the last one is a line too. */
function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const at = bytes.indexOf(10, start);
    const end = at < 0 ? bytes.length : at + 1;
    lines.push(bytes.subarray(start, end));
    start = end;
  }
  return lines;
}

/** Run subtasks of a receipt again on this machine, from the reader's own copy of the input. */

import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { subtaskWorkStretches } from '../../protocol/algebra/work.ts';
import { tryDecode } from '../../protocol/codec/codec.ts';
import { Cutter } from '../../protocol/execution/cut.ts';
import { programManifest } from '../../protocol/execution/manifest.ts';
import type { Job } from '../../protocol/job/job.ts';
import { blobCid } from '../../protocol/merkle/blob.ts';
import type { Audit } from '../../protocol/receipt/audit.ts';
import { receiptCodec } from '../../protocol/receipt/receipt.ts';
import type { ReexecutedSubtask, ReexecutionTask } from '../../protocol/receipt/reexecution.ts';
import type { Executor, ItemSource } from '../ports.ts';
import { unhurried } from '../unhurried.ts';
import { checkInput } from './input.ts';

/** Where the items of the reader's input lie. */
export type ItemFiles = readonly string[] | null;

type Parts = {
  readonly executor: Executor;
  readonly scratch: string;
  readonly signal: AbortSignal;
};

/** Cuts the reader's input by the program's own rule into files of `scratch`. */
async function input(
  { count, inputPath }: { readonly count: number; readonly inputPath: string | null },
  receiptBytes: Uint8Array,
  scratch: string,
): Promise<{ readonly cids: readonly Uint8Array[] | null; readonly sources: ItemFiles }> {
  if (count === 0 || inputPath === null) return { cids: null, sources: null };
  await checkInput(inputPath);
  const receipt = tryDecode(receiptCodec, receiptBytes);
  if (receipt === null) return { cids: null, sources: null }; // The audit says what is wrong.
  const cutter = new Cutter(programManifest(receipt.program).cut);
  const cids: Uint8Array[] = [];
  const sources: string[] = [];
  const keep = async (items: readonly Uint8Array[]): Promise<void> => {
    for (const item of items) {
      const file = join(scratch, `item-${sources.length}`);
      await writeFile(file, item);
      sources.push(file);
      cids.push(blobCid(item));
    }
  };
  for await (const chunk of createReadStream(inputPath, { highWaterMark: 1024 * 1024 }))
    await keep(cutter.push(chunk as Uint8Array));
  await keep(cutter.finish());
  return { cids, sources };
}

/** What each drawn subtask comes to here; null where this machine cannot run it. */
async function run(
  { reexecution, receipt }: Pick<Audit, 'reexecution' | 'receipt'>,
  sources: ItemFiles,
  parts: Parts,
): Promise<readonly (ReexecutedSubtask | null)[]> {
  const tasks = reexecution?.value ?? null;
  if (tasks === null || receipt === null) return [];
  const programPath = join(parts.scratch, `${randomUUID()}.wasm`);
  await writeFile(programPath, receipt.program);
  const outcomes: (ReexecutedSubtask | null)[] = [];
  for (const task of tasks)
    outcomes.push(await runTask(task, programPath, receipt.job.job, sources, parts));
  return outcomes;
}

async function runTask(
  { subtask, first, end }: ReexecutionTask,
  programPath: string,
  { parameters, fuelItem, fuelCombine }: Job,
  sources: ItemFiles,
  { executor, signal }: Parts,
): Promise<ReexecutedSubtask | null> {
  const items: ItemSource[] = [];
  const plan: number[] = [];
  for (let item = first; item < end; item++) {
    items.push(
      sources === null
        ? { kind: 'generated', index: item }
        : { kind: 'file', path: sources[item]! },
    );
    // Any order and bracket come to the same: the plain one will do.
    plan.push(item - first);
    if (item > first) plan.push(-1);
  }
  const fuel = { item: fuelItem, combine: fuelCombine };
  const run = { programPath, parameters, items, plan, fuel };
  const outcome = await executor.runSubtask(run, signal);
  if (outcome.kind === 'local') return null;
  const { states, hashes, folds, mapFuel } = outcome;
  const trace = { subtask, first, plan, states, hashes, folds };
  const { result } = await unhurried(subtaskWorkStretches(trace, new Uint8Array(32)));
  return { result, mapFuel };
}

export const reexecute = { input, run };

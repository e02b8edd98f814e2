/** Run the lane that our seat was drawn for: fetch, execute in its own noise, fold, keep. */
import { foldPlan, noiseSeed } from '../protocol/algebra/noise.ts';
import {
  type LaneLeaf,
  laneFoldFailure,
  laneRoot,
  subtaskLeaf,
} from '../protocol/algebra/result.ts';
import { laneTranscript } from '../protocol/algebra/transcript.ts';
import { type SubtaskWork, subtaskWork } from '../protocol/algebra/work.ts';
import { admitProgram } from '../protocol/execution/admit.ts';
import { itemCount } from '../protocol/job/job.ts';
import { laneSubtasks, subtaskItems } from '../protocol/job/split.ts';
import type { AbstainClass } from '../protocol/job/statement.ts';
import { listBlobBytesMax, verifyListBlob } from '../protocol/merkle/blob.ts';
import { listCid } from '../protocol/merkle/cid.ts';
import { inlineValueBytesMax, itemBytesMax, programBytesMax } from '../protocol/params.ts';
import type { Duty } from '../protocol/replica/effect.ts';
import type { LaneOutcome } from '../protocol/replica/input.ts';
import { validateModule } from './executor/engine.ts';
import type { Executor, ItemSource, SubtaskOutcome } from './ports.ts';
import type { Blobs } from './storage/blobs.ts';

/** What running a lane needs of its node. */
export type LaneParts = {
  readonly blobs: Blobs;
  readonly executor: Executor;
  /** Brings a blob here from whoever has it; rejects when `signal` fires first. */
  readonly fetch: (cid: Uint8Array, bytesMax: number, signal: AbortSignal) => Promise<void>;
  readonly itemWallMs: number;
  /** Items finished, for people who watch. */
  readonly progress: (key: string, items: number) => void;
  /** Keeps a result from being evicted: a receipt needs it. */
  readonly keep: (cid: Uint8Array) => void;
  /** Changes what is told, in a seat that plays a liar. */
  readonly lie: boolean;
};

class Abstention extends Error {
  readonly reason: AbstainClass;
  constructor(reason: AbstainClass) {
    super(reason);
    this.reason = reason;
  }
}

/**
 * Executes a duty. Always comes to an outcome, at the latest soon after `signal` fires.
 * The pins that it takes on blobs are given back when it ends; its results stay kept.
 */
export async function runLane(
  duty: Duty,
  parts: LaneParts,
  signal: AbortSignal,
): Promise<LaneOutcome> {
  const pinned: Uint8Array[] = [];
  const bring = async (cid: Uint8Array, bytesMax: number): Promise<string> => {
    try {
      // Each blob has a window of its own: a large input may be slow, as long as it comes.
      const patience = AbortSignal.timeout(duty.patienceMs);
      await parts.fetch(cid, bytesMax, AbortSignal.any([signal, patience]));
      parts.blobs.pin(cid);
      pinned.push(cid);
      const path = await parts.blobs.path(cid);
      if (path !== null) return path;
    } catch {
      // Whatever the reason: this seat cannot have it in time, and says so.
    }
    throw new Abstention('unavailable');
  };
  try {
    return await execute(duty, parts, bring, signal);
  } catch (error) {
    if (error instanceof Abstention) return { kind: 'local', class: error.reason };
    throw error;
  } finally {
    for (const cid of pinned) parts.blobs.release(cid);
  }
}

type Bring = (cid: Uint8Array, bytesMax: number) => Promise<string>;

async function execute(
  duty: Duty,
  parts: LaneParts,
  bring: Bring,
  signal: AbortSignal,
): Promise<LaneOutcome> {
  const { job } = duty.signed;
  const programPath = await bring(job.program, programBytesMax);
  const program = await parts.blobs.read(job.program);
  if (program === null) throw new Abstention('unavailable');
  const admission = admitProgram(program, { validate: validateModule });
  if (admission.kind !== 'ok') throw new Abstention('inadmissible');
  const cids = await itemCids(duty, parts, bring);
  const items = itemCount(job);
  const works: SubtaskWork[] = [];
  const values: Uint8Array[] = [];
  const leaves: LaneLeaf[] = [];
  const subtasks = laneSubtasks(job.subtasks, duty.lanes, duty.lane);
  const gather = (at: number): Promise<readonly ItemSource[]> => {
    const subtask = subtasks[at];
    if (subtask === undefined) return Promise.resolve([]);
    const { first, end } = subtaskItems(items, job.subtasks, subtask);
    const sources = itemSources(cids, first, end, bring);
    sources.catch(() => undefined); // Looked at when its turn comes, or never.
    return sources;
  };
  // The items of the next subtask come in while this one is executed.
  let next = gather(0);
  for (const [at, subtask] of subtasks.entries()) {
    const { first, end } = subtaskItems(items, job.subtasks, subtask);
    const { beacon, wave, seat } = duty;
    const seed = noiseSeed({ beacon, job: duty.job, subtask, wave, seat });
    const plan = foldPlan(seed, end - first);
    const sources = await next;
    next = gather(at + 1);
    const { itemWallMs } = parts;
    const run = { programPath, parameters: job.parameters, items: sources, plan, itemWallMs };
    const outcome = await parts.executor.runSubtask(run, signal);
    if (outcome.kind === 'local') throw new Abstention(outcome.class);
    const work = commitTo(duty, subtask, first, plan, outcome);
    works.push(work);
    leaves.push({ subtask, result: work.result });
    if (outcome.value !== null && work.result.ok) values.push(outcome.value);
    parts.progress(duty.key, end - first);
  }
  const value = await foldLane(programPath, duty, leaves, values, parts, signal);
  return finish(parts, works, leaves, value);
}

async function itemCids(
  duty: Duty,
  parts: LaneParts,
  bring: Bring,
): Promise<readonly Uint8Array[] | null> {
  const { input } = duty.signed.job;
  if (input.kind === 'generated') return null;
  const cid = listCid(input.root);
  await bring(cid, listBlobBytesMax);
  const bytes = await parts.blobs.read(cid);
  const cids = bytes === null ? null : verifyListBlob(cid, bytes);
  // A list of another length than was signed has no items to run: nobody can have them.
  if (cids === null || cids.length !== input.items) throw new Abstention('unavailable');
  return cids;
}

async function itemSources(
  cids: readonly Uint8Array[] | null,
  first: number,
  end: number,
  bring: Bring,
): Promise<readonly ItemSource[]> {
  const sources: ItemSource[] = [];
  for (let item = first; item < end; item++) {
    if (cids === null) sources.push({ kind: 'generated', index: item });
    else sources.push({ kind: 'file', path: await bring(cids[item]!, itemBytesMax) });
  }
  return sources;
}

type Done = Extract<SubtaskOutcome, { kind: 'done' }>;

function commitTo(
  duty: Duty,
  subtask: number,
  first: number,
  plan: readonly number[],
  { items, folds, combineFailed }: Done,
): SubtaskWork {
  return subtaskWork(
    { subtask, first, plan, items, folds: combineFailed ? null : folds },
    duty.saltKey,
  );
}

/** The left fold of the subtasks' values; null when an item or a combine failed. */
async function foldLane(
  programPath: string,
  duty: Duty,
  leaves: LaneLeaf[],
  values: readonly Uint8Array[],
  parts: LaneParts,
  signal: AbortSignal,
): Promise<Uint8Array | null> {
  if (leaves.some(({ result }) => !result.ok)) return null;
  const folded = await parts.executor.fold(programPath, values, parts.itemWallMs, signal);
  if (folded.kind === 'local') throw new Abstention(folded.class);
  if (folded.kind === 'failed') {
    leaves.push(laneFoldFailure(duty.lanes));
    return null;
  }
  return folded.value;
}

async function finish(
  { blobs, keep, lie }: LaneParts,
  works: readonly SubtaskWork[],
  leaves: readonly LaneLeaf[],
  honest: Uint8Array | null,
): Promise<LaneOutcome> {
  const value = lie ? falseValue(honest) : honest;
  keep(await blobs.putList(leaves.map(subtaskLeaf)));
  const valueCid = value === null ? null : await blobs.put(value);
  if (valueCid !== null) keep(valueCid);
  const transcript = laneTranscript(works);
  return {
    kind: 'done',
    claim: { laneRoot: laneRoot(leaves), valueCid, mapFuel: 0n },
    transcript,
    workRoot: transcript.workRoot,
    inlineValue: value !== null && value.length <= inlineValueBytesMax ? value : null,
  };
}

/** What all liars of a development network tell alike. */
function falseValue(value: Uint8Array | null): Uint8Array {
  const lie = Uint8Array.from(value ?? [0]);
  if (lie.length > 0) lie[0] = lie[0]! ^ 1;
  return lie;
}

/** Run the lane that our seat was drawn for: fetch, execute in its own noise, fold, keep. */
import { foldPlanStretches, noiseSeed } from '../protocol/algebra/noise.ts';
import { type LaneLeaf, laneFoldFailure, subtaskLeaf } from '../protocol/algebra/result.ts';
import { laneTranscriptStretches } from '../protocol/algebra/transcript.ts';
import { type SubtaskWork, subtaskWorkStretches } from '../protocol/algebra/work.ts';
import { hex } from '../protocol/brand.ts';
import type { Digest } from '../protocol/crypto/hash.ts';
import { type Stretches, stretchHashCount } from '../protocol/crypto/stretches.ts';
import { itemCount } from '../protocol/job/job.ts';
import { laneSubtasks, subtaskItems } from '../protocol/job/split.ts';
import type { AbstainClass } from '../protocol/job/statement.ts';
import {
  listBlobBytesMax,
  listBlobStretches,
  type PackedList,
  readListStretches,
} from '../protocol/merkle/blob.ts';
import { cidDigest, listCid } from '../protocol/merkle/cid.ts';
import { inlineValueBytesMax, itemBytesMax, programBytesMax } from '../protocol/params.ts';
import type { Duty } from '../protocol/replica/effect.ts';
import type { LaneOutcome } from '../protocol/replica/input.ts';
import type { Executor, ItemSource } from './ports.ts';
import type { Blobs } from './storage/blobs.ts';
import { unhurried } from './unhurried.ts';

/** Blobs of one lane that are fetched at the same time. */
export const laneFetchCountMax = 8;
/** Values of subtasks that a lane holds until it folds them: in number and bytes. */
const heldValueCountMax = 256;
const heldValueBytesMax = 32 * 1024 * 1024;

/** What running a lane needs of its node. */
export type LaneParts = {
  readonly blobs: Blobs;
  readonly executor: Executor;
  /** Brings a blob here from whoever has it; rejects when `signal` fires first. */
  readonly fetch: (cid: Uint8Array, bytesMax: number, signal: AbortSignal) => Promise<void>;
  /** Items finished, for people who watch, and the fuel that they took here. */
  readonly progress: (key: string, items: number, fuel: bigint) => void;
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
  const ended = new AbortController();
  const bring = async (cid: Uint8Array, bytesMax: number): Promise<string> => {
    try {
      // Each blob has a window of its own: a large input may be slow, as long as it comes.
      const patience = AbortSignal.timeout(duty.patienceMs);
      await parts.fetch(cid, bytesMax, AbortSignal.any([signal, patience, ended.signal]));
      ended.signal.throwIfAborted(); // Nobody would give back a pin that is taken now.
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
    ended.abort();
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
  const cids = await itemCids(duty, parts, bring, signal);
  const items = itemCount(job);
  const turn = hex(duty.job);
  const fuel = { item: job.fuelItem, combine: job.fuelCombine };
  let mapFuel = 0n;
  const works: SubtaskWork[] = [];
  const fold = laneFold(programPath, duty, parts, signal);
  const leaves: LaneLeaf[] = [];
  const subtasks = laneSubtasks(job.subtasks, duty.lanes, duty.lane);
  const gather = (at: number): Promise<readonly ItemSource[]> => {
    const subtask = subtasks[at];
    if (subtask === undefined) return Promise.resolve([]);
    const { first, end } = subtaskItems(items, job.subtasks, subtask);
    const sources = itemSources(cids, first, end, bring, signal);
    sources.catch(() => undefined); // Looked at when its turn comes, or never.
    return sources;
  };
  // The items of the next subtask come in while this one is executed.
  let next = gather(0);
  for (const [at, subtask] of subtasks.entries()) {
    const { first, end } = subtaskItems(items, job.subtasks, subtask);
    const { beacon, wave, seat } = duty;
    const seed = noiseSeed({ beacon, job: duty.job, subtask, wave, seat });
    const plan = await calmly(foldPlanStretches(seed, end - first), signal);
    const sources = await next;
    next = gather(at + 1);
    const run = { programPath, parameters: job.parameters, items: sources, plan, fuel, turn };
    const outcome = await parts.executor.runSubtask(run, signal);
    if (outcome.kind === 'local') throw new Abstention(outcome.class);
    const { states, hashes, folds } = outcome;
    const trace = { subtask, first, plan, states, hashes, folds };
    const work = await calmly(subtaskWorkStretches(trace, duty.saltKey), signal);
    works.push(work);
    leaves.push({ subtask, result: work.result });
    mapFuel += outcome.mapFuel;
    if (outcome.value !== null && work.result.ok) await fold.add(outcome.value);
    const used = outcome.spent.used ?? outcome.mapFuel;
    parts.progress(duty.key, end - first, used);
  }
  const value = await fold.end(leaves);
  return finish(parts, works, { leaves, mapFuel }, value, signal);
}

/** Long work between other things; a lane that is broken off ends like a killed one. */
async function calmly<T>(work: Stretches<T>, signal: AbortSignal): Promise<T> {
  try {
    return await unhurried(work, signal);
  } catch (error) {
    if (signal.aborted) throw new Abstention('killed');
    throw error;
  }
}

async function itemCids(
  duty: Duty,
  parts: LaneParts,
  bring: Bring,
  signal: AbortSignal,
): Promise<PackedList | null> {
  const { input } = duty.signed.job;
  if (input.kind === 'generated') return null;
  const cid = listCid(input.root);
  await bring(cid, listBlobBytesMax);
  const bytes = await parts.blobs.read(cid);
  const cids = bytes === null ? null : await calmly(readListStretches(cid, bytes), signal);
  // A list of another length than was signed has no items to run: nobody can have them.
  if (cids === null || cids.count !== input.items) throw new Abstention('unavailable');
  return cids;
}

/** Where a subtask's items are, in order; a few at a time are brought here. */
async function itemSources(
  cids: PackedList | null,
  first: number,
  end: number,
  bring: Bring,
  signal: AbortSignal,
): Promise<readonly ItemSource[]> {
  const sources: ItemSource[] = [];
  if (cids === null) return calmly(generatedSources(first, end), signal);
  let next = first;
  let failed = false;
  const fetcher = async (): Promise<void> => {
    while (next < end && !failed) {
      const item = next++;
      try {
        sources[item - first] = { kind: 'file', path: await bring(cids.entry(item), itemBytesMax) };
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: laneFetchCountMax }, fetcher));
  return sources;
}

function* generatedSources(first: number, end: number): Stretches<readonly ItemSource[]> {
  const sources: ItemSource[] = [];
  for (let index = first; index < end; index++) {
    sources.push({ kind: 'generated', index });
    if (sources.length % stretchHashCount === 0) yield;
  }
  return sources;
}

/** The left fold of the subtasks' values, as they come. */
type LaneFold = {
  readonly add: (value: Uint8Array) => Promise<void>;
  /** The lane's value; null when an item or a combine failed. */
  readonly end: (leaves: LaneLeaf[]) => Promise<Uint8Array | null>;
};

/**
 * Folds now and then instead of at the end: a lane may have 65,536 values of 16 MiB. A left fold
 * may be broken off and taken up again anywhere, with the fuel that is left of it.
 */
function laneFold(
  programPath: string,
  duty: Duty,
  { executor }: LaneParts,
  signal: AbortSignal,
): LaneFold {
  let held: Uint8Array[] = [];
  let failed = false;
  const { fuelCombine: combine, fuelFold } = duty.signed.job;
  let left = fuelFold;
  const fold = async (): Promise<void> => {
    if (failed) return;
    const fuel = { combine, fold: left };
    const folded = await executor.fold(programPath, held, fuel, signal, hex(duty.job));
    if (folded.kind === 'local') throw new Abstention(folded.class);
    failed = folded.kind === 'failed';
    left -= folded.fuel;
    held = folded.kind === 'failed' ? [] : [folded.value];
  };
  return {
    add: async (value) => {
      if (failed) return;
      held.push(value);
      const bytes = held.reduce((sum, { length }) => sum + length, 0);
      if (held.length >= heldValueCountMax || bytes >= heldValueBytesMax) await fold();
    },
    end: async (leaves) => {
      if (leaves.some(({ result }) => !result.ok)) return null;
      await fold();
      if (!failed) return held[0]!;
      leaves.push(laneFoldFailure(duty.lanes));
      return null;
    },
  };
}

async function finish(
  { blobs, keep, lie }: LaneParts,
  works: readonly SubtaskWork[],
  { leaves, mapFuel }: { readonly leaves: readonly LaneLeaf[]; readonly mapFuel: bigint },
  honest: Uint8Array | null,
  signal: AbortSignal,
): Promise<LaneOutcome> {
  const value = lie ? falseValue(honest) : honest;
  const entries = await calmly(leafBytes(leaves), signal);
  const { cid, bytes } = await calmly(listBlobStretches(entries), signal);
  await blobs.putAs(cid, bytes);
  keep(cid);
  const valueCid = value === null ? null : await blobs.put(value);
  if (valueCid !== null) keep(valueCid);
  const transcript = await calmly(laneTranscriptStretches(works), signal);
  return {
    kind: 'done',
    // The list's id holds its root: laneRoot.
    claim: { laneRoot: cidDigest(cid) as Digest, valueCid, mapFuel },
    transcript,
    workRoot: transcript.workRoot,
    inlineValue: value !== null && value.length <= inlineValueBytesMax ? value : null,
  };
}

function* leafBytes(leaves: readonly LaneLeaf[]): Stretches<readonly Uint8Array[]> {
  const entries: Uint8Array[] = [];
  for (const leaf of leaves) {
    entries.push(subtaskLeaf(leaf));
    if (entries.length % 512 === 0) yield;
  }
  return entries;
}

/** What all liars of a development network tell alike. */
function falseValue(value: Uint8Array | null): Uint8Array {
  const lie = Uint8Array.from(value ?? [0]);
  if (lie.length > 0) lie[0] = lie[0]! ^ 1;
  return lie;
}

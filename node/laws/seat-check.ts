/** Check the program of a lane on a few items of it, with a seed that nobody can foresee. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { mark } from '../../protocol/assert.ts';
import type { Stream } from '../../protocol/crypto/stream.ts';
import { admitProgram } from '../../protocol/execution/admit.ts';
import { itemCount } from '../../protocol/job/job.ts';
import { laneSubtasks, subtaskItems } from '../../protocol/job/split.ts';
import { listBlobBytesMax, readListStretches } from '../../protocol/merkle/blob.ts';
import { type Cid, formatCid, listCid } from '../../protocol/merkle/cid.ts';
import { itemBytesMax, programBytesMax } from '../../protocol/params.ts';
import type { Duty } from '../../protocol/replica/effect.ts';
import type { Executor } from '../ports.ts';
import type { Blobs } from '../storage/blobs.ts';
import { unhurried } from '../unhurried.ts';
import { type Check, checkLaws, quickBounds, quickRunCount } from './check.ts';
import { grantedBounds, type Ration } from './ration.ts';
import { seededStream } from './sampling.ts';
import { type Items, noItems, type Subject } from './subject.ts';

/** What a check at a seat takes of its node. */
export type SeatCheckParts = {
  readonly blobs: Blobs;
  readonly executor: Executor;
  /** Folder of this node alone that children may read; made when it is needed. */
  readonly scratch: string;
  /** Brings a blob here; rejects when `signal` fires first. */
  readonly fetch: (duty: Duty, cid: Uint8Array, max: number, signal: AbortSignal) => Promise<void>;
};

/** Milliseconds that one check may take: longer, and nothing is said. */
const checkMsMax = 60_000;
/** Milliseconds that it waits for blobs: after a lane they are here, and others wait for their look. */
const fetchMsMax = 5_000;
/** All checks of one machine share a turn, however many seats it has. */
const turn = 'laws';

/**
 * Checks the program of a duty on items of its lane; null where it is not even admitted.
 * @param ration - Executor and fuel that the check has.
 */
export async function checkAtSeat(
  duty: Duty,
  parts: SeatCheckParts,
  ration: Ration,
  stop: AbortSignal,
): Promise<Check | null> {
  const { blobs, scratch } = parts;
  const { program: cid, parameters } = duty.signed.job;
  // What a check leaves under way when it gives up goes with it.
  const ended = new AbortController();
  const signal = AbortSignal.any([stop, ended.signal, AbortSignal.timeout(checkMsMax)]);
  const patience = AbortSignal.timeout(Math.min(fetchMsMax, duty.patienceMs));
  const pinned: Uint8Array[] = [];
  const bring = async (name: Uint8Array, bytesMax: number): Promise<string> => {
    await parts.fetch(duty, name, bytesMax, AbortSignal.any([signal, patience]));
    blobs.pin(name);
    pinned.push(name);
    const path = await blobs.path(name);
    if (path === null) throw new Error(`blob ${formatCid(name as Cid)} is gone`);
    return path;
  };
  try {
    const programPath = await bring(cid, programBytesMax);
    const bytes = await readFile(programPath);
    // Only the sandbox lets the engine look: a module can be made that costs it gigabytes. What it
    // refuses there gives no value, and nothing to check.
    const admission = admitProgram(bytes, { validate: () => true });
    if (admission.kind === 'rejected') return null;
    await mkdir(scratch, { recursive: true });
    const program = { bytes, exports: admission.exports, manifest: admission.manifest };
    mark('T9');
    // Nobody but this seat knows it before the report is there: no author can prepare for it.
    const seed = randomBytes(16).toString('hex');
    const { generates } = program.exports;
    // A job whose input is of another kind than its program's has no items that could be run.
    const fits = generates === (duty.signed.job.input.kind === 'generated');
    const draw = seededStream(seed, 'items');
    const items = fits ? await laneItems(duty, blobs, bring, draw) : noItems;
    const subject: Subject = {
      ...{ program, programPath, parameters, scratch, executor: ration.executor, signal },
      // One call at a time: what waits of a lane comes between any two.
      ...{ turn, callCountMax: 1 },
    };
    const options = { runs: quickRunCount, seed, bounds: grantedBounds(ration.grant) };
    return await checkLaws(subject, items, options);
  } finally {
    ended.abort();
    for (const name of pinned) blobs.release(name);
  }
}

/** A few of `count` places by chance, rising: after R. W. Floyd, each choice as likely. */
function someOf(count: number, draw: Stream): number[] {
  const chosen = new Set<number>();
  for (let last = Math.max(count - quickBounds.items, 0); last < count; last++) {
    const place = draw.below(last + 1);
    chosen.add(chosen.has(place) ? last : place);
  }
  return [...chosen].sort((a, b) => a - b);
}

/** Some items of a lane, as far as they can be had; of one subtask, if it has more than one. */
async function laneItems(
  { signed, lanes, lane }: Duty,
  blobs: Blobs,
  bring: (cid: Uint8Array, bytesMax: number) => Promise<string>,
  draw: Stream,
): Promise<Items> {
  const { job } = signed;
  const items = itemCount(job);
  const subtasks = laneSubtasks(job.subtasks, lanes, lane);
  const firstOf = (subtask: number): number => subtaskItems(items, job.subtasks, subtask).first;
  const { first, end } = subtaskItems(items, job.subtasks, subtasks[draw.below(subtasks.length)]!);
  // Only within a subtask do seats combine single items, each in an order of its own.
  const together = end - first > 1;
  const places = together
    ? someOf(end - first, draw).map((at) => first + at)
    : someOf(subtasks.length, draw).map((at) => firstOf(subtasks[at]!));
  if (job.input.kind === 'generated')
    return {
      together,
      count: items,
      source: (index) => ({ kind: 'generated', index }),
      bytes: async () => null,
      places,
    };
  const paths = new Map<number, string>();
  const list = listCid(job.input.root);
  await bring(list, listBlobBytesMax);
  const listed = await blobs.read(list);
  const cids = listed === null ? null : await unhurried(readListStretches(list, listed));
  for (const place of cids === null || cids.count !== items ? [] : places) {
    // What nobody has is the lane's trouble; the laws are tested on the rest.
    const path = await bring(cids!.entry(place), itemBytesMax).catch(() => null);
    if (path !== null) paths.set(place, path);
  }
  return {
    together,
    count: items,
    source: (index) => ({ kind: 'file', path: paths.get(index)! }),
    bytes: async (index) => new Uint8Array(await readFile(paths.get(index)!)),
    places: [...paths.keys()],
  };
}

/** Draw subtasks that a reader executes himself, and compare what came out. */
import type { LaneLeaf, SubtaskResult } from '../algebra/result.ts';
import { assert, mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import { stream } from '../crypto/stream.ts';
import type { Job } from '../job/job.ts';
import { laneSubtasks, subtaskItems } from '../job/split.ts';
import type { LaneClaim } from '../job/statement.ts';
import { listRoot } from '../merkle/list.ts';
import { fails, holds, type Ruling, skips } from './finding.ts';

/** What a reader asks for. */
export type ReexecutionWish = {
  /** Subtasks to draw; all of them if there are fewer. */
  readonly count: number;
  /** 32 bytes of the reader's own randomness, which nobody knew before. */
  readonly seed: Uint8Array;
  /**
   * Content ids of all items of the reader's own copy of the input, in order; null where the
   * program generates its items, or where the reader has no input.
   */
  readonly cids: readonly Uint8Array[] | null;
};

/** One subtask to execute, in any order and bracket. */
export type ReexecutionTask = {
  readonly subtask: number;
  /** Items `first..end-1` of the job. */
  readonly first: number;
  readonly end: number;
  /** Content ids of those items; null where the program generates them from its parameters. */
  readonly cids: readonly Uint8Array[] | null;
  /** What the accepted lane says. */
  readonly expected: SubtaskResult;
  /** The lane that the subtask is of, and the fuel that it claims for all of its subtasks. */
  readonly lane: { readonly number: number; readonly subtasks: number; readonly mapFuel: bigint };
};

/** What a task came to on the reader's machine. */
export type ReexecutedSubtask = { readonly result: SubtaskResult; readonly mapFuel: bigint };

/** @see spec/protocol/receipt.md V42 to V44 */
export function reexecutionPlan(
  job: Job,
  lanes: readonly { readonly leaves: readonly LaneLeaf[]; readonly claim: LaneClaim }[],
  { count, seed, cids }: ReexecutionWish,
): Ruling<readonly ReexecutionTask[]> {
  assert(Number.isSafeInteger(count) && count >= 1, 'somebody re-executes at least one subtask');
  const { input, subtasks } = job;
  const generated = input.kind === 'generated';
  if (!generated) {
    if (cids === null) {
      mark('V42');
      return skips('AUDIT_NO_INPUT', 'the items come from a blob, and no input was given');
    }
    if (cids.length !== input.items || !sameBytes(listRoot(cids), input.root)) {
      mark('V43');
      return skips('AUDIT_OTHER_INPUT', "the input that was given is not the job's");
    }
  }
  const told = new Map<number, Pick<ReexecutionTask, 'expected' | 'lane'>>();
  for (const [number, { leaves, claim }] of lanes.entries()) {
    // A leaf after those of the subtasks tells of the lane's fold.
    const own = laneSubtasks(subtasks, lanes.length, number).length;
    const lane = { number, subtasks: own, mapFuel: claim.mapFuel };
    for (const { subtask, result } of leaves.slice(0, own))
      told.set(subtask, { expected: result, lane });
  }
  const chosen = chosenSubtasks(subtasks, count, seed);
  mark('V44');
  return holds(
    `subtasks ${chosen.join(' ')} were drawn`,
    chosen.map((subtask) => {
      const range = subtaskItems(input.items, subtasks, subtask);
      return {
        subtask,
        ...range,
        cids: generated ? null : cids!.slice(range.first, range.end),
        ...told.get(subtask)!,
      };
    }),
  );
}

/** Distinct subtasks, all sets of that size equally likely; rising. */
function chosenSubtasks(subtasks: number, count: number, seed: Uint8Array): readonly number[] {
  const chosen = stream(seed).shuffled(subtasks).slice(0, count);
  return chosen.sort((a, b) => a - b);
}

/**
 * Compares outcomes with the leaves, and their fuel with that of the lanes.
 * @param outcomes - One a task, in order; null where the reader's machine could not run it.
 * @see spec/protocol/receipt.md V45 to V47, V69
 */
export function checkReexecution(
  tasks: readonly ReexecutionTask[],
  outcomes: readonly (ReexecutedSubtask | null)[],
): Ruling<true> {
  const differing = tasks.filter((task, at) => {
    const outcome = outcomes[at] ?? null;
    return outcome !== null && !sameResult(task.expected, outcome.result);
  });
  const names = (some: readonly ReexecutionTask[]): string =>
    some.map(({ subtask }) => subtask).join(' ');
  if (differing.length > 0) {
    mark('V45');
    const because = `subtasks ${names(differing)} come to something else when run again`;
    return fails('AUDIT_REEXECUTION', because);
  }
  const bent = tasks.find(({ lane }) => !fuelFits(lane, tasks, outcomes))?.lane;
  if (bent !== undefined) {
    mark('V69');
    const { number, mapFuel } = bent;
    const because = `lane ${number} took another fuel than ${mapFuel} when run again`;
    return fails('AUDIT_REEXECUTION', because);
  }
  const unrun = tasks.filter((_, at) => (outcomes[at] ?? null) === null);
  if (unrun.length > 0) {
    mark('V46');
    return skips('AUDIT_NOT_RUN', `subtasks ${names(unrun)} could not be run here`);
  }
  mark('V47');
  return holds(
    `subtasks ${names(tasks)} come to the same when run again; folds of lanes were not`,
    true,
  );
}

/** All of a lane takes what the lane says, and a part of it no more. */
function fuelFits(
  lane: ReexecutionTask['lane'],
  tasks: readonly ReexecutionTask[],
  outcomes: readonly (ReexecutedSubtask | null)[],
): boolean {
  const run = tasks.flatMap((task, at) =>
    task.lane.number === lane.number ? (outcomes[at] ?? []) : [],
  );
  const fuel = run.reduce((sum, { mapFuel }) => sum + mapFuel, 0n);
  return run.length === lane.subtasks ? fuel === lane.mapFuel : fuel <= lane.mapFuel;
}

function sameResult(a: SubtaskResult, b: SubtaskResult): boolean {
  if (a.ok || b.ok) return a.ok && b.ok && sameBytes(a.valueHash, b.valueHash);
  return a.class === b.class && a.item === b.item;
}

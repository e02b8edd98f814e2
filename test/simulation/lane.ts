/** Execute lanes without programs: item values are numbers, and combining is addition. */
import { foldPlan, noiseSeed } from '../../protocol/algebra/noise.ts';
import { type LaneLeaf, laneRoot } from '../../protocol/algebra/result.ts';
import { laneTranscript } from '../../protocol/algebra/transcript.ts';
import { subtaskWork } from '../../protocol/algebra/work.ts';
import { sha256, uint64 } from '../../protocol/crypto/hash.ts';
import { itemCount } from '../../protocol/job/job.ts';
import { laneSubtasks, subtaskItems } from '../../protocol/job/split.ts';
import { blobCid } from '../../protocol/merkle/blob.ts';
import type { Duty } from '../../protocol/replica/effect.ts';
import type { LaneOutcome } from '../../protocol/replica/input.ts';

/** The value of an item of a simulated job. */
export function simulatedValue(item: number): number {
  return (item * 2_654_435_761) % 1_000_003;
}

/**
 * What an honest seat reports of its lane; with `lie`, what all liars report alike. Items from
 * `failing` on trap.
 */
export function simulateLane(
  duty: Duty,
  options: { lie?: boolean; failing?: number } = {},
): LaneOutcome {
  const { job } = duty.signed;
  const items = itemCount(job);
  const failing = options.failing ?? items;
  const leaves: LaneLeaf[] = [];
  let laneSum = options.lie ? 1 : 0;
  const works = laneSubtasks(job.subtasks, duty.lanes, duty.lane).map((subtask) => {
    const { first, end } = subtaskItems(items, job.subtasks, subtask);
    const { beacon, wave, seat } = duty;
    const seed = noiseSeed({ beacon, job: duty.job, subtask, wave, seat });
    const plan = foldPlan(seed, end - first);
    const failed = end > failing;
    const stack: number[] = [];
    const folds: Uint8Array[] = [];
    for (const entry of plan) {
      if (entry >= 0) stack.push(simulatedValue(first + entry));
      else {
        stack.push(stack.pop()! + stack.pop()!);
        folds.push(sha256(uint64(stack.at(-1)!)));
      }
    }
    const results = Array.from({ length: end - first }, (_, place) =>
      first + place >= failing
        ? ({ ok: false, class: 'trap' } as const)
        : ({ ok: true, valueHash: sha256(uint64(simulatedValue(first + place))) } as const),
    );
    const trace = { subtask, first, plan, items: results, folds: failed ? null : folds };
    const work = subtaskWork(trace, duty.saltKey);
    laneSum += stack[0]!;
    leaves.push({ subtask, result: work.result });
    return work;
  });
  const failed = leaves.some(({ result }) => !result.ok);
  const transcript = laneTranscript(works);
  const value = uint64(laneSum);
  return {
    kind: 'done',
    claim: { laneRoot: laneRoot(leaves), valueCid: failed ? null : blobCid(value), mapFuel: 0n },
    transcript,
    workRoot: transcript.workRoot,
    inlineValue: failed ? null : value,
  };
}

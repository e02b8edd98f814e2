/** Execute lanes without programs: item values are numbers, and combining is addition. */
import { foldPlan, noiseSeed } from '../../protocol/algebra/noise.ts';
import { type LaneLeaf, laneRoot } from '../../protocol/algebra/result.ts';
import { laneTranscript } from '../../protocol/algebra/transcript.ts';
import { subtaskWork } from '../../protocol/algebra/work.ts';
import { sha256, uint64 } from '../../protocol/crypto/hash.ts';
import { itemCount, type Job } from '../../protocol/job/job.ts';
import { laneSubtasks, subtaskItems } from '../../protocol/job/split.ts';
import type { AbstainClass, LaneClaim } from '../../protocol/job/statement.ts';
import { blobCid } from '../../protocol/merkle/blob.ts';
import type { Duty } from '../../protocol/replica/effect.ts';
import type { LaneOutcome } from '../../protocol/replica/input.ts';

/** The value of an item of a simulated job. */
export function simulatedValue(item: number): number {
  return (item * 2_654_435_761) % 1_000_003;
}

/** Fuel that an item, a combine, a fold and the rendering of a simulated job may use. */
export const simulatedLimits = {
  fuelItem: 2n ** 23n,
  fuelCombine: 2n ** 20n,
  fuelFold: 2n ** 26n,
  fuelRender: 2n ** 24n,
} as const;

/** Fuel that an item of a simulated job uses: below its limit, and of no round number. */
export function simulatedFuel({ nonce }: Job, item: number): bigint {
  return 3_000_000n + (((BigInt(item) + nonce) * 2_654_435_761n) % 4_999_999n);
}

/** Fuel of items `first..end-1`: of all, or up to the first failing one, which counts as its limit. */
export function simulatedSum(job: Job, first: number, end: number, failing: number): bigint {
  let sum = 0n;
  for (let item = first; item < Math.min(end, failing); item++) sum += simulatedFuel(job, item);
  return end > failing ? sum + job.fuelItem : sum;
}

/** What liars bend, all alike: the value, or nothing but the fuel that it took. */
export type Lie = 'value' | 'fuel';

/** How a simulated program behaves: items from `failing` on trap, or no seat can run it. */
export type Behaviour = {
  readonly failing?: number;
  readonly abstain?: AbstainClass;
};

/** What an honest seat reports of its lane; with `lie`, what all liars report alike. */
export function simulateLane(
  duty: Duty,
  behaviour: Behaviour,
  lie: Lie | null = null,
): LaneOutcome {
  if (behaviour.abstain !== undefined) return { kind: 'local', class: behaviour.abstain };
  const { job } = duty.signed;
  const items = itemCount(job);
  const failing = behaviour.failing ?? items;
  const leaves: LaneLeaf[] = [];
  let laneSum = lie === 'value' ? 1 : 0;
  let mapFuel = lie === 'fuel' ? -1n : 0n;
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
    mapFuel += simulatedSum(job, first, end, Math.max(first, failing));
    leaves.push({ subtask, result: work.result });
    return work;
  });
  const failed = leaves.some(({ result }) => !result.ok);
  const transcript = laneTranscript(works);
  const value = uint64(laneSum);
  return {
    kind: 'done',
    claim: { laneRoot: laneRoot(leaves), valueCid: failed ? null : blobCid(value), mapFuel },
    transcript,
    workRoot: transcript.workRoot,
    inlineValue: failed ? null : value,
  };
}

/** What a lane must come to, by plain sums in index order: no noise, no transcript, no seat. */
export function modelClaim(
  job: Job,
  { failing = Number.POSITIVE_INFINITY }: Behaviour,
  lanes: number,
  lane: number,
): LaneClaim {
  const items = itemCount(job);
  const leaves: LaneLeaf[] = [];
  let laneSum = 0;
  let mapFuel = 0n;
  let failed = false;
  for (let subtask = lane; subtask < job.subtasks; subtask += lanes) {
    const first = Math.floor((subtask * items) / job.subtasks);
    const end = Math.floor(((subtask + 1) * items) / job.subtasks);
    let sum = 0;
    for (let item = first; item < end; item++) {
      sum += simulatedValue(item);
      if (item < failing) mapFuel += simulatedFuel(job, item);
    }
    const bad = end > failing;
    failed ||= bad;
    if (bad) mapFuel += job.fuelItem;
    laneSum += sum;
    leaves.push({
      subtask,
      result: bad
        ? { ok: false, class: 'trap', item: Math.max(first, failing) }
        : { ok: true, valueHash: sha256(uint64(sum)) },
    });
  }
  const valueCid = failed ? null : blobCid(uint64(laneSum));
  return { laneRoot: laneRoot(leaves), valueCid, mapFuel };
}

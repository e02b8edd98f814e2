/** Audit a receipt offline: recompute everything, then say verified, refuted or cannot tell. */
import type { FailureClass } from '../algebra/result.ts';
import { mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import type { Digest } from '../crypto/hash.ts';
import { portableSuite } from '../crypto/signature.ts';
import type { CryptoSuite } from '../crypto/suite.ts';
import type { FoldFuel } from '../execution/evaluate.ts';
import type { Job } from '../job/job.ts';
import { laneSubtasks } from '../job/split.ts';
import type { JobPlan, JobRecord } from '../ledger/record.ts';
import { blobCid } from '../merkle/blob.ts';
import { type Assurance, assuranceOf, checkPolicy } from './assurance.ts';
import {
  checkFinality,
  checkHistory,
  checkNetwork,
  checkRecord,
  type HeaderAt,
  type Network,
  type ProvedRecord,
} from './case.ts';
import { checkDraw, checkJob } from './drawing.ts';
import { ReceiptError } from './error.ts';
import {
  type AuditVerdict,
  type Check,
  checks,
  type Finding,
  fails,
  findingOf,
  holds,
  type Ruling,
  skips,
  untold,
  verdictOf,
} from './finding.ts';
import { type AuditedLane, checkLane, type LaneReport, laneReport, permutations } from './lane.ts';
import { parseReceipt, type Receipt } from './receipt.ts';
import {
  checkReexecution,
  type ReexecutedSubtask,
  type ReexecutionTask,
  type ReexecutionWish,
  reexecutionPlan,
} from './reexecution.ts';
import type { Trust } from './trust.ts';

export type AuditOptions = {
  /** Signature checks; {@link portableSuite} where nothing faster is at hand. */
  readonly suite?: CryptoSuite;
  /** Subtasks that the reader wants to run again himself. */
  readonly reexecute?: ReexecutionWish;
};

/** What is left to do in a sandbox: fold the values from left to right, then render. */
export type FoldWork = {
  readonly program: Uint8Array;
  readonly parameters: Uint8Array;
  /** Values of the lanes, in lane order. */
  readonly values: readonly Uint8Array[];
  /** Units that each combine, all of them together, and the rendering may use. */
  readonly fuel: FoldFuel & { readonly render: bigint };
};

/** Why a job has no result: the lowest failing subtask tells, or the fold of a lane. */
export type JobFailure =
  | { readonly class: FailureClass; readonly subtask: number; readonly item: number | null }
  | { readonly class: 'combine-failed'; readonly subtask: null; readonly lane: number };

/** What an audit found before anything is executed. */
export type Audit = {
  /** In the order of {@link checks}; those of `fold` and `reexecution` come with the conclusion. */
  readonly findings: readonly Finding[];
  /** What holds if nothing is executed. */
  readonly verdict: AuditVerdict;
  /** What could be read, proved or not: the findings tell. */
  readonly receipt: Receipt | null;
  readonly jobId: Digest | null;
  readonly job: Job | null;
  readonly record: JobRecord | null;
  /** These five only where every lane is in order. */
  readonly assurance: Assurance | null;
  /** Per lane, what every drawn seat did by its close. */
  readonly lanes: readonly LaneReport[] | null;
  readonly work: FoldWork | null;
  readonly failure: JobFailure | null;
  readonly reexecution: Ruling<readonly ReexecutionTask[]> | null;
};

/** What a sandbox made of {@link FoldWork}. */
export type FoldOutcome =
  | { readonly kind: 'rendered'; readonly result: Uint8Array }
  /** The program failed: the same for every auditor. */
  | {
      readonly kind: 'unrenderable';
      readonly step: 'fold' | 'render';
      readonly class: string;
      /** Units that the combine, or the rendering, that failed could use. */
      readonly limit: bigint;
    }
  /** This machine could not run it, or was not asked to. */
  | { readonly kind: 'not-run'; readonly because: string };

/** What the reader's own executions came to. */
export type AuditOutcome = {
  readonly fold: FoldOutcome;
  /** One a task of the plan, in order; null where this machine could not run it. */
  readonly reexecution?: readonly (ReexecutedSubtask | null)[];
};

/** The end of an audit. */
export type Conclusion = {
  readonly findings: readonly Finding[];
  readonly verdict: AuditVerdict;
  /** Code of the finding that decided; null when verified. */
  readonly code: string | null;
  /** The rendered bytes of a verified job; null if it failed or cannot be rendered. */
  readonly result: Uint8Array | null;
  readonly failure: JobFailure | null;
};

/** Nothing is executed: without an executor, the fold cannot be told. */
export const nothingRun: AuditOutcome = {
  fold: { kind: 'not-run', because: 'no executor was at hand' },
};

/**
 * Audits the bytes of a receipt. Total: any bytes give an audit.
 * @param trust - Null where the reader has none: then nothing can be verified.
 * @see spec/protocol/receipt.md V4 to V44
 */
export function auditReceipt(
  bytes: Uint8Array,
  trust: Trust | null,
  options: AuditOptions = {},
): Audit {
  const findings: Finding[] = [];
  const tell = <T>(check: Check, ruling: Ruling<T>, lane: number | null = null): T | null => {
    findings.push(findingOf(check, ruling, lane));
    return ruling.value;
  };
  const evidence = gatherEvidence(bytes, trust, options.suite ?? portableSuite, tell);
  const { receipt, proved, job } = evidence;
  const sound =
    evidence.lanes === null || trust === null
      ? null
      : concludeLanes(evidence.lanes, trust, options, tell);
  fillSkipped(findings);
  const known = {
    receipt,
    jobId: proved?.id ?? null,
    job,
    record: proved?.record ?? null,
    ...(sound ?? { assurance: null, lanes: null, work: null, failure: null, reexecution: null }),
  };
  const audit: Audit = { findings, verdict: 'cannot-tell', ...known };
  return { ...audit, verdict: concludeAudit(audit, nothingRun).verdict };
}

type Tell = <T>(check: Check, ruling: Ruling<T>, lane?: number | null) => T | null;

/** A receipt all of whose lanes are in order. */
type SoundReceipt = {
  readonly receipt: Receipt;
  readonly network: Network;
  readonly proved: ProvedRecord;
  readonly headerAt: HeaderAt;
  readonly job: Job;
  readonly plan: JobPlan;
  readonly lanes: readonly AuditedLane[];
};

type Evidence = {
  readonly receipt: Receipt | null;
  readonly proved: ProvedRecord | null;
  readonly job: Job | null;
  readonly lanes: SoundReceipt | null;
};

/** Goes from check to check as long as each holds. */
function gatherEvidence(
  bytes: Uint8Array,
  trust: Trust | null,
  suite: CryptoSuite,
  tell: Tell,
): Evidence {
  const receipt = tell('receipt', readReceipt(bytes));
  const nothing: Evidence = { receipt, proved: null, job: null, lanes: null };
  if (receipt === null) return nothing;
  const network = tell('network', checkNetwork(receipt, trust, suite));
  const final = network && tell('finality', checkFinality(receipt, network));
  const proved = final && tell('record', checkRecord(receipt, final));
  if (network === null || proved === null) return nothing;
  const headerAt = tell('history', checkHistory(receipt, network, proved));
  if (headerAt === null) return { ...nothing, proved };
  const job = tell('job', checkJob(receipt, network, proved, headerAt));
  const plan = job && tell('draw', checkDraw(receipt, network, proved, headerAt));
  if (plan === null) return { ...nothing, proved, job };
  const lanes = checkLanes({ receipt, network, proved, headerAt, job: job!, plan }, tell);
  const program = tell('program', checkProgram(receipt, job!));
  const sound = lanes !== null && program !== null;
  return {
    receipt,
    proved,
    job,
    lanes: sound ? { receipt, network, proved, headerAt, job: job!, plan, lanes } : null,
  };
}

function readReceipt(bytes: Uint8Array): Ruling<Receipt> {
  try {
    const receipt = parseReceipt(bytes);
    return holds(`${bytes.length} bytes, read and written again alike`, receipt);
  } catch (error) {
    if (!(error instanceof ReceiptError)) throw error;
    const { code, message } = error;
    return code === 'RECEIPT_MALFORMED' ? fails(code, message) : untold(code, message);
  }
}

/** @see spec/protocol/receipt.md V48 */
function checkLanes(
  { receipt, network, proved, headerAt, job, plan }: Omit<SoundReceipt, 'lanes'>,
  tell: Tell,
): readonly AuditedLane[] | null {
  if (receipt.lanes.length !== plan.lanes) {
    mark('V58');
    const because = `the record has ${plan.lanes} lanes, the receipt ${receipt.lanes.length}`;
    return tell('lane', fails('AUDIT_LANES', because));
  }
  if (!network.known) {
    mark('V48');
    // Somebody could have made up a network whose lanes take for ever.
    return tell('lane', skips('AUDIT_NO_TRUST', 'not looked at in a network that is not known'));
  }
  const question = { network, proved, headerAt, job, orderOf: permutations(network, headerAt) };
  const lanes = receipt.lanes.map((carried, lane) =>
    tell('lane', checkLane(lane, carried, question), lane),
  );
  const sound = lanes.filter((lane) => lane !== null);
  return sound.length === lanes.length ? sound : null;
}

/** @see spec/protocol/receipt.md V49, V50 */
function checkProgram({ program }: Receipt, job: Job): Ruling<true> {
  if (!sameBytes(blobCid(program), job.program)) {
    mark('V49');
    return fails('AUDIT_PROGRAM', "the program is not the job's");
  }
  mark('V50');
  return holds(`${program.length} bytes, the ones that the job names`, true);
}

function concludeLanes(
  sound: SoundReceipt,
  trust: Trust,
  { reexecute }: AuditOptions,
  tell: Tell,
): Pick<Audit, 'assurance' | 'lanes' | 'work' | 'failure' | 'reexecution'> {
  const { receipt, network, proved, headerAt, job, lanes } = sound;
  const assurance = assuranceOf(network, proved, job, headerAt, lanes);
  tell('policy', checkPolicy(assurance, trust.policy));
  const failure = failureOf(job, lanes);
  const values = lanes.flatMap(({ value }) => (value === null ? [] : [value]));
  const fuel = { combine: job.fuelCombine, fold: job.fuelFold, render: job.fuelRender };
  const { parameters } = job;
  const work = failure === null ? { program: receipt.program, parameters, values, fuel } : null;
  const reexecution = reexecute === undefined ? null : reexecutionPlan(job, lanes, reexecute);
  return { assurance, lanes: lanes.map(laneReport), work, failure, reexecution };
}

/** The lowest failing subtask of all lanes, else the first lane whose fold failed; or null. */
function failureOf({ subtasks }: Job, lanes: readonly AuditedLane[]): JobFailure | null {
  const failures = lanes.flatMap(({ leaves }, lane) => {
    const own = laneSubtasks(subtasks, lanes.length, lane).length;
    return leaves.flatMap(({ subtask, result }, at): JobFailure[] => {
      if (result.ok) return [];
      if (at >= own) return [{ class: 'combine-failed', subtask: null, lane }];
      return [{ class: result.class, subtask, item: result.item }];
    });
  });
  const rank = ({ subtask }: JobFailure): number => subtask ?? Number.POSITIVE_INFINITY;
  return failures.reduce<JobFailure | null>(
    (lowest, failure) => (lowest === null || rank(failure) < rank(lowest) ? failure : lowest),
    null,
  );
}

/** Checks that were not reached get a line as well. */
function fillSkipped(findings: Finding[]): void {
  const told = new Set(findings.map(({ check }) => check));
  const cause = findings.findLast(({ status }) => status !== 'ok');
  for (const check of checks)
    if (!told.has(check) && check !== 'fold' && check !== 'reexecution')
      findings.push(
        findingOf(check, skips('AUDIT_NOT_REACHED', `rests on the check "${cause?.check}"`)),
      );
}

/**
 * Ends an audit with what the reader's sandbox made of it.
 * @see spec/protocol/receipt.md V51 to V57
 */
export function concludeAudit(audit: Audit, outcome: AuditOutcome): Conclusion {
  const findings = [...audit.findings];
  if (audit.assurance !== null) findings.push(findingOf('fold', checkFold(audit, outcome.fold)));
  if (audit.reexecution !== null) {
    const { value } = audit.reexecution;
    const ruling =
      value === null ? audit.reexecution : checkReexecution(value, outcome.reexecution ?? []);
    findings.push(findingOf('reexecution', ruling));
  }
  const { verdict, code } = verdictOf(findings);
  if (verdict !== 'verified') return { findings, verdict, code, result: null, failure: null };
  const { failure, work } = audit;
  const rendered = work !== null && outcome.fold.kind === 'rendered';
  return { findings, verdict, code, result: rendered ? outcome.fold.result : null, failure };
}

function checkFold({ failure }: Audit, fold: FoldOutcome): Ruling<true> {
  if (failure !== null) {
    mark('V51');
    return holds(failureSentence(failure), true);
  }
  switch (fold.kind) {
    case 'rendered':
      mark('V52');
      return holds(`folded and rendered to ${fold.result.length} bytes`, true);
    case 'unrenderable':
      mark('V53');
      return holds(`unrenderable: ${fold.class} in the ${fold.step} of the lanes' values`, true);
    case 'not-run':
      mark('V54');
      return untold(
        'AUDIT_FOLD_NOT_RUN',
        `the lanes stand, their fold was not run: ${fold.because}`,
      );
  }
}

/** A failure as a sentence without its full stop. */
export function failureSentence(failure: JobFailure): string {
  if (failure.subtask === null)
    return `the job failed: combine-failed in the fold of lane ${failure.lane}`;
  const item = failure.item === null ? '' : `item ${failure.item} of the job, counted from 0, in `;
  return `the job failed: ${failure.class} in ${item}subtask ${failure.subtask}`;
}

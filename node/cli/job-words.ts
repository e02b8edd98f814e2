/** Put what is seen of a job into words: how far it is, what it waits for, how it ended. */
import type { Sighting } from '../client/follow.ts';
import type { SeenJob } from '../client/gateway.ts';
import type { JobView } from '../client/http.ts';
import { plainText } from '../client/plain.ts';
import { awaitedText } from '../views/awaits.ts';
import { codeEntry } from './codes.ts';
import { CliError, exitCodes } from './error.ts';
import type { ProgressView } from './progress.ts';

/** What was asked for; null where it is not known. */
export type JobTerms = {
  readonly items: number | null;
  readonly subtasks: number | null;
  /** The loss that was asked for, as text. */
  readonly loss: string | null;
};

/** What a person sees of a job that is under way. */
export function progressView(
  { job, elapsedMs }: Sighting,
  { subtasks, loss }: JobTerms,
): ProgressView {
  const lanes = (job?.lanes ?? []).map(({ accepted, votes, needed }) => ({
    accepted,
    votes,
    needed,
  }));
  const total = subtasks ?? 0;
  return {
    state: job === null || job.state === 'pending' ? 'submitted' : job.state,
    elapsedMs,
    lanes,
    subtasks: { done: Math.floor(total * shareOf(job)), total },
    bound:
      job === null || job.bound === null ? null : { soFar: job.bound, asked: loss ?? 'as the job' },
    awaited: awaitedText(job),
  };
}

/** Share of the subtasks that are done; where nobody counts executions, that of accepted lanes. */
function shareOf(job: SeenJob | null): number {
  if (job === null) return 0;
  if (job.state === 'settled') return 1;
  if (job.share !== null) return job.share;
  const accepted = job.lanes.filter((lane) => lane.accepted).length;
  return job.lanes.length === 0 ? 0 : accepted / job.lanes.length;
}

/** The error of a job that ended without a result. */
export function badEnd(id: string, state: string, code: string): CliError {
  const entry = codeEntry(code);
  // A node that nobody trusts may have said it.
  const reason = plainText(code, 64);
  return new CliError({
    code: reason,
    message: `job ${id.slice(0, 8)} is ${state}. ${entry?.meaning ?? ''} ${entry?.cause ?? ''}`,
    hint: `${entry?.remedy ?? ''}\nMore: anwansi explain ${reason}`,
    exitCode: state === 'expired' ? exitCodes.jobExpired : exitCodes.jobFailed,
  });
}

/** The line that follows a job again from any terminal. */
export function attachLine(id: string, url: string): string {
  return `anwansi job watch ${id} --api ${url}`;
}

/** A job as a node shows it, a fact a line. Nothing in it is proved. */
export function jobLines(job: JobView): readonly string[] {
  const { id, state, reason, awaits, submitter, items, subtasks, provisional } = job;
  const line = (label: string, value: string | number | null): readonly string[] =>
    value === null ? [] : [`${label.padEnd(10)}${plainText(String(value), 200)}`];
  return [
    ...line('job', id),
    ...line('state', state),
    ...line('because', reason === null ? null : `${reason.meaning} (${reason.code})`),
    ...line('waits for', awaits),
    ...line('submitter', submitter),
    ...line('items', items === null ? null : `${items} in ${subtasks ?? '?'} subtasks`),
    ...line('ordered', job.includedHeight === null ? null : `height ${job.includedHeight}`),
    ...line('ended', job.endedHeight === null ? null : `height ${job.endedHeight}`),
    ...line('bound', provisional === null ? null : `${provisional.bound} so far, provisional`),
    ...(provisional?.lanes ?? []).flatMap(({ lane, phase, wave, votes, needed, accepted }) =>
      line(
        `lane ${lane}`,
        `${accepted ? 'accepted' : phase}, ${votes} of ${needed} agree, wave ${wave}`,
      ),
    ),
    ...line('seen at', `height ${job.at}`),
  ];
}

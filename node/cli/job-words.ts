/** Put what is seen of a job into words: how far it is, what it waits for, how it ended. */
import type { Sighting } from '../client/follow.ts';
import { formatFuel } from '../client/fuel.ts';
import type { SeenJob } from '../client/gateway.ts';
import type { JobView } from '../client/http.ts';
import { plainText } from '../client/plain.ts';
import { awaitedText } from '../views/awaits.ts';
import { codeEntry } from './codes.ts';
import type { Context } from './command.ts';
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
    guess: null,
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

/** Says, when somebody interrupts, that the job goes on, and how to follow it again. */
export function leaving(url: string, { output, signal, onExit }: Context) {
  let job: string | null = null;
  onExit(() => {
    if (job === null || !signal.aborted) return;
    const attach = attachLine(job, url);
    if (output.json) output.result({ job, state: 'detached', attach }, '');
    output.warn(`detached: the job goes on, if the node has it. Follow it again: ${attach}`);
  });
  return {
    following: (id: string): void => {
      job = id;
    },
    over: (): void => {
      if (!signal.aborted) job = null;
    },
  };
}

/** How much of a job has a claim that leads, in words; null before there is anything to guess. */
export function guessText({ provisional }: Pick<JobView, 'provisional'>): string | null {
  if (provisional === null) return null;
  const { lanes, lanesAll, items, itemsAll } = provisional.coverage;
  return `${lanes} of ${lanesAll} lanes, ${items} of ${itemsAll} items`;
}

type Provisional = NonNullable<JobView['provisional']>;

function line(label: string, value: string | number | null, lengthMax = 200): readonly string[] {
  return value === null ? [] : [`${label.padEnd(10)}${plainText(String(value), lengthMax)}`];
}

/** Only ever provisional: what a job came to is told by its result and its receipt alone. */
function provisionalLines(job: JobView, provisional: Provisional, url: string): readonly string[] {
  const { bound, lanes } = provisional;
  const value = lanes.find(({ leading }) => leading?.claim === 'value')?.leading?.cid ?? null;
  return [
    ...line('guess', `${guessText(job)}; provisional, each block may change it`),
    ...line('bound', `${bound} so far, provisional`),
    ...lanes.flatMap((lane) =>
      line(
        `lane ${lane.lane}`,
        `${lane.accepted ? 'accepted' : lane.phase}, ${lane.votes} of ${lane.needed} agree, ` +
          `wave ${lane.wave}; ${leadingText(lane)}`,
      ),
    ),
    ...line('value', value === null ? null : getLine(value, url), 400),
  ];
}

function leadingText({ leading }: Provisional['lanes'][number]): string {
  if (leading === null) return 'no claim leads yet';
  return leading.claim === 'failed' ? 'leads: an item failed' : `leads: ${leading.cid}`;
}

/** The line that gets the bytes of a lane's value: the program's own state, not yet rendered. */
function getLine(cid: string, url: string): string {
  return `anwansi data get ${cid} --out lane.value --api ${url}`;
}

/** What all items used, or else what each may. */
function fuelText({ fuelItem, mapFuel }: JobView): string | null {
  if (mapFuel !== null) return `${formatFuel(BigInt(mapFuel))} units in one execution of all items`;
  return fuelItem === null ? null : `at most ${formatFuel(BigInt(fuelItem))} units an item`;
}

/**
 * A job as a node shows it, a fact a line. Nothing in it is proved.
 * @param url - Where that node is.
 */
export function jobLines(job: JobView, url: string): readonly string[] {
  const { id, state, reason, awaits, submitter, items, subtasks, provisional } = job;
  return [
    ...line('job', id),
    ...line('state', state),
    ...line('because', reason === null ? null : `${reason.meaning} (${reason.code})`),
    ...line('waits for', awaits),
    ...line('submitter', submitter),
    ...line('items', items === null ? null : `${items} in ${subtasks ?? '?'} subtasks`),
    ...line('fuel', fuelText(job)),
    ...line('ordered', job.includedHeight === null ? null : `height ${job.includedHeight}`),
    ...line('ended', job.endedHeight === null ? null : `height ${job.endedHeight}`),
    ...(provisional === null ? [] : provisionalLines(job, provisional, url)),
    ...line('seen at', `height ${job.at}`),
  ];
}

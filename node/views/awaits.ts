/** Say what a running job awaits, from which seats, until when. */
import type { LanePhase, ProvisionalJob } from '../../protocol/replica/view.ts';
import type { JobView } from '../api/contract.ts';
import { seatsText } from './quorum.ts';

/** One lane, as far as its waiting goes. A job's lanes stand in their order, all of them. */
export type WaitingLane = {
  readonly phase: LanePhase;
  readonly awaited: readonly number[];
  readonly untilMs: number | null;
};

/** Lanes that wait for the same thing until the same time. */
type Wait = {
  readonly phase: LanePhase;
  readonly lanes: readonly number[];
  readonly seats: readonly number[];
  readonly untilMs: number | null;
};

const phaseWords: Readonly<Record<Exclude<LanePhase, 'closed'>, string>> = {
  committing: 'commits',
  revealing: 'reveals',
  opening: 'openings',
  drawing: 'the next draw',
};

/** Waits of one sentence; those of a job with more are counted. */
const waitsNamedMax = 4;

function waitsOf(lanes: readonly WaitingLane[]): readonly Wait[] {
  const waits = new Map<string, Wait>();
  for (const [lane, { phase, awaited, untilMs }] of lanes.entries()) {
    if (phase === 'closed') continue;
    const key = `${phase}/${untilMs}`;
    const known = waits.get(key) ?? { phase, lanes: [], seats: [], untilMs };
    const seats = [...new Set([...known.seats, ...awaited])].sort((a, b) => a - b);
    waits.set(key, { phase, untilMs, seats, lanes: [...known.lanes, lane] });
  }
  return [...waits.values()];
}

/** What a job awaits, short enough for a line of a terminal; null when nothing is. */
export function awaitedText(
  job: { readonly state: JobView['state']; readonly lanes: readonly WaitingLane[] } | null,
): string | null {
  if (job === null || job.state === 'pending' || job.state === 'cancelled')
    return 'a block that orders the job';
  if (job.state === 'ordered') return 'the beacon of the next block';
  const waits = waitsOf(job.lanes).map(({ phase, seats, untilMs }) => {
    if (phase === 'closed' || phase === 'drawing') return phaseWords.drawing;
    if (seats.length === 0) return `the end of the ${phaseWords[phase]}`;
    const until =
      untilMs === null ? '' : `, until ${new Date(untilMs).toISOString().slice(11, 19)}`;
    return `${phaseWords[phase]} of ${seatsText(seats)}${until}`;
  });
  return waits.length === 0 ? null : waits.join('; ');
}

/**
 * The same as one sentence, with lanes and whole times.
 * @param chainMs - Time of the final block: a deadline that it has passed is said to be.
 */
export function awaitsSentence(job: ProvisionalJob, chainMs: number): string | null {
  const waits = waitsOf(job.lanes);
  if (waits.length === 0) return null;
  const named = waits.slice(0, waitsNamedMax).map((wait) => waitText(wait, job, chainMs));
  const rest = waits.length - waitsNamedMax;
  const text = rest > 0 ? `${named.join('; ')}; and ${rest} more` : named.join('; ');
  return `Awaits ${text}.`;
}

function waitText(
  { phase, lanes, seats, untilMs }: Wait,
  job: ProvisionalJob,
  chainMs: number,
): string {
  const where = `in ${lanes.length === 1 ? 'lane' : 'lanes'} ${lanesText(lanes)}`;
  if (phase === 'closed' || phase === 'drawing')
    return `the draw of more seats ${where}, by the beacon of the next block`;
  const what =
    seats.length === 0
      ? `the end of the ${phaseWords[phase]}`
      : `${phaseWords[phase]} of ${seatsText(seats)}`;
  return `${what} ${where}${untilText(untilMs, job, chainMs)}`;
}

function lanesText(lanes: readonly number[]): string {
  const named = lanes.slice(0, waitsNamedMax).join(', ');
  return lanes.length > waitsNamedMax ? `${named} and ${lanes.length - waitsNamedMax} more` : named;
}

/** A phase ends at its time, and not before f + 1 leaders have had a block in it. */
function untilText(untilMs: number | null, { record }: ProvisionalJob, chainMs: number): string {
  if (untilMs === null) return '';
  const until = new Date(untilMs).toISOString();
  if (untilMs > chainMs) return `, until ${until} chain time`;
  const leaders = Math.floor(((record.plan?.seats ?? 1) - 1) / 3) + 1;
  return `, until ${until} chain time, which is over: it ends once ${leaders} leaders have had a block since it began`;
}

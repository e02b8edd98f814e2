/** Look at each program that a seat meets: a check beside its lanes, a verdict that is kept. */
import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { mark } from '../../protocol/assert.ts';
import { hex } from '../../protocol/brand.ts';
import { recent } from '../../protocol/crypto/recent.ts';
import { type Cid, formatCid } from '../../protocol/merkle/cid.ts';
import type { Duty } from '../../protocol/replica/effect.ts';
import type { Store } from '../ports.ts';
import { type Case, openCases } from './cases.ts';
import { jobKey, keptWords, type LawJob, type LawWord, programKey } from './kept.ts';
import { grantMax, grantOf, rationed } from './ration.ts';
import { type LawReport, refutesProgram } from './report.ts';
import { checkAtSeat, type SeatCheckParts } from './seat-check.ts';
import { verdictText } from './words.ts';

/** A lane that runs a program of which nothing may be known yet. */
export type Meeting = {
  /** Fires once the program is refuted here; its reason is of no use to anybody. */
  readonly lawless: AbortSignal;
  /** The lane has used so much more fuel: a check may use a part of it. */
  readonly spent: (fuel: bigint) => void;
  /** The lane has ended: the check may have the machine. */
  readonly leave: () => void;
};

export type Inspections = {
  /** What is known of a job's program here; null where nothing is. */
  readonly word: (job: LawJob) => LawWord | null;
  /** A lane begins. Nothing of a check runs before it ends, or a while has passed. */
  readonly meet: (duty: Duty) => Meeting;
  /** Breaks off what runs; resolves when nothing does. */
  readonly stop: () => Promise<void>;
};

/** What watchers hear: a verdict in words, and the name of its report if there is one. */
export type LawEvent = {
  readonly kind: 'law';
  readonly program: string;
  readonly verdict: LawWord['verdict'] | 'not-checked';
  readonly report: string | null;
  readonly text: string;
};

export type InspectionParts = SeatCheckParts & {
  readonly store: Store;
  readonly tell: (event: LawEvent) => void;
  /** Milliseconds for which a lane has the machine to itself; {@link besideMs} unless given. */
  readonly besideMs?: number;
  /** How checks keep away from each other; by the clock of the machine unless given. */
  readonly pace?: Pace;
};

/** Milliseconds since any time, and waiting for some: rejects when `signal` fires. */
export type Pace = {
  readonly now: () => number;
  readonly wait: (ms: number, signal: AbortSignal) => Promise<unknown>;
};

/** Milliseconds after which a check begins beside a lane that goes on. */
export const besideMs = 1_000;
/** Of the time of one core, checks take one part of so many, however many programs are met. */
export const timeParts = 8;
/** What came to no verdict is tried again with a grant so many times as large, and no smaller. */
const moreTimes = 4n;
/** Programs that came to no verdict and are remembered until the next start. */
const fruitlessCountMax = 4_096;

const clockPace: Pace = {
  now: () => performance.now(),
  wait: (ms, signal) => pause(ms, undefined, { ref: false, signal }),
};

/** Opens what is known; the store is read once. */
export async function openInspections(parts: InspectionParts): Promise<Inspections> {
  const { pace = clockPace } = parts;
  const words = await keptWords(parts.store, parts.blobs);
  await rm(parts.scratch, { recursive: true, force: true });
  /** Grants with which programs came to no verdict. */
  const fruitless = recent<bigint>(fruitlessCountMax);
  const stop = new AbortController();
  const { signal } = stop;

  const tell = (
    program: Uint8Array,
    verdict: LawEvent['verdict'],
    report: string | null,
    text: string,
  ): void => parts.tell({ kind: 'law', program: formatCid(program as Cid), verdict, report, text });
  const isWorth = ({ name, duty, laneFuel }: Case): boolean => {
    const word = words.get(duty.signed.job);
    if (word !== null && word.verdict !== 'untested') return false;
    const before = fruitless.get(name) ?? word?.grant ?? 0n;
    return before < grantMax && grantOf(laneFuel) >= moreTimes * before;
  };
  const inspect = async (one: Case): Promise<void> => {
    const { duty, name } = one;
    const { job } = duty.signed;
    const grant = grantOf(one.laneFuel);
    const ration = rationed(parts.executor, grant, pace.now);
    try {
      const check = await checkAtSeat(duty, parts, ration, signal);
      if (signal.aborted) return;
      fruitless.set(name, ration.isUp() ? grant : grantMax);
      // Two runs that differ blame this machine as much as the program.
      if (check === null || check.blob === null || check.report.example?.law === 'replay')
        throw new Error(check?.notTried.at(-1) ?? 'it is not admitted');
      fruitless.set(name, grant);
      const word = await words.keep(job, check.report, check.blob, grant);
      if (word.verdict === 'refuted') refuse(one, check.report);
      const text = verdictText(check.report) + scopeText(check.report);
      tell(job.program, word.verdict, formatCid(word.report as Cid), text);
    } catch (reason) {
      if (signal.aborted) return;
      if (fruitless.get(name) === undefined) fruitless.set(name, grantMax);
      const text = reason instanceof Error ? reason.message : String(reason);
      tell(job.program, 'not-checked', null, text);
    }
    mark('T17');
    const restMs = (timeParts - 1) * (await ration.busyMs());
    await pace.wait(restMs, signal).catch(() => undefined);
  };
  const cases = openCases({ inspect, isWorth, signal });
  return {
    word: words.get,
    meet: (duty) => {
      const { job } = duty.signed;
      const lawless = new AbortController();
      const word = words.get(job);
      if (word?.verdict === 'refuted') lawless.abort();
      const isKnown = word !== null && word.verdict !== 'untested';
      const one = isKnown ? null : cases.of(hex(programKey(job)), duty);
      if (one === null) return { lawless: lawless.signal, spent: () => {}, leave: () => {} };
      mark('T8');
      const meeting = { job, lawless };
      one.meetings.add(meeting);
      const timer = setTimeout(() => cases.begin(one), parts.besideMs ?? besideMs);
      timer.unref();
      return {
        lawless: lawless.signal,
        spent: (fuel) => {
          one.laneFuel += fuel;
        },
        leave: () => {
          clearTimeout(timer);
          one.meetings.delete(meeting);
          cases.begin(one);
        },
      };
    },
    stop: async () => {
      stop.abort();
      await cases.ended();
      await rm(parts.scratch, { recursive: true, force: true });
    },
  };
}

/** Breaks off the lanes for which a refutation holds. */
function refuse({ duty, meetings }: Case, report: LawReport): void {
  mark('T10');
  const own = hex(jobKey(duty.signed.job));
  for (const { job, lawless } of meetings)
    if (refutesProgram(report) || hex(jobKey(job)) === own) lawless.abort();
}

function scopeText(report: LawReport): string {
  const isNarrow = report.verdict === 'refuted' && !refutesProgram(report);
  return isNarrow
    ? '; it fails in some orders only, on items of this job: no other is refused'
    : '';
}

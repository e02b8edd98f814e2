/** Look at each program that a seat meets: a check beside its lanes, a verdict that is kept. */
import { rm } from 'node:fs/promises';
import { mark } from '../../protocol/assert.ts';
import { hex } from '../../protocol/brand.ts';
import { recent } from '../../protocol/crypto/recent.ts';
import { type Cid, formatCid } from '../../protocol/merkle/cid.ts';
import type { Duty } from '../../protocol/replica/effect.ts';
import { nativeSha256 } from '../crypto.ts';
import type { Store } from '../ports.ts';
import { keptWords, type LawWord } from './kept.ts';
import { checkAtSeat, type SeatCheckParts } from './seat-check.ts';
import { verdictText } from './words.ts';

/** A lane that runs a program of which nothing may be known yet. */
export type Meeting = {
  /** Fires once the program is refuted here; its reason is of no use to anybody. */
  readonly lawless: AbortSignal;
  /** The lane has ended: the check may have the machine. */
  readonly leave: () => void;
};

export type Inspections = {
  /** What is known of a program here; null where nothing is. */
  readonly word: (program: Uint8Array) => LawWord | null;
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
};

/** Milliseconds after which a check begins beside a lane that goes on. */
export const besideMs = 1_000;
/** Programs that wait to be looked at: more are looked at when they are met again. */
const waitingCountMax = 64;
/** Checks that came to nothing here, after which a program is let be until the next start. */
const fruitlessMax = 3;
/** One program that is met for the first time. */
type Case = { readonly duty: Duty; readonly meetings: Set<AbortController>; due: boolean };

/** Opens what is known; the store is read once. */
export async function openInspections(parts: InspectionParts): Promise<Inspections> {
  const words = await keptWords(parts.store, parts.blobs);
  await rm(parts.scratch, { recursive: true, force: true });
  const fruitless = recent<number>(1_024);
  const stop = new AbortController();
  const { signal } = stop;

  const isKnown = ({ signed }: Duty): boolean => {
    const { program, parameters } = signed.job;
    const word = words.get(program);
    return word !== null && !words.isOpen(word, nativeSha256(parameters));
  };
  const tell = (
    program: Uint8Array,
    verdict: LawEvent['verdict'],
    report: string | null,
    text: string,
  ): void => parts.tell({ kind: 'law', program: formatCid(program as Cid), verdict, report, text });
  const inspect = async ({ duty, meetings }: Case): Promise<void> => {
    if (isKnown(duty)) return;
    const { program, parameters } = duty.signed.job;
    const name = hex(program);
    try {
      const check = await checkAtSeat(duty, parts, signal);
      if (signal.aborted) return;
      // Two runs that differ blame this machine as much as the program.
      if (check === null || check.blob === null || check.report.example?.law === 'replay')
        throw new Error(check?.notTried.at(-1) ?? 'it is not admitted');
      const word = await words.keep(program, nativeSha256(parameters), check.report, check.blob);
      if (word.verdict === 'refuted') {
        mark('T10');
        for (const meeting of meetings) meeting.abort();
      }
      tell(program, word.verdict, formatCid(word.report as Cid), verdictText(check.report));
    } catch (reason) {
      if (signal.aborted) return;
      fruitless.set(name, (fruitless.get(name) ?? 0) + 1);
      tell(program, 'not-checked', null, reason instanceof Error ? reason.message : String(reason));
    }
  };
  const cases = oneAtATime(inspect, signal);
  return {
    word: words.get,
    meet: (duty) => {
      const { program } = duty.signed.job;
      const lawless = new AbortController();
      const left = { lawless: lawless.signal, leave: () => undefined };
      if (words.get(program)?.verdict === 'refuted') lawless.abort();
      if (isKnown(duty) || (fruitless.get(hex(program)) ?? 0) >= fruitlessMax) return left;
      const one = cases.of(hex(program), duty);
      if (one === null) return left;
      mark('T8');
      one.meetings.add(lawless);
      const timer = setTimeout(() => cases.begin(one), parts.besideMs ?? besideMs);
      timer.unref();
      const leave = (): void => {
        clearTimeout(timer);
        one.meetings.delete(lawless);
        cases.begin(one);
      };
      return { lawless: lawless.signal, leave };
    },
    stop: async () => {
      stop.abort();
      await cases.ended();
      await rm(parts.scratch, { recursive: true, force: true });
    },
  };
}

/** Works on cases one after another, once they are due. */
function oneAtATime(work: (one: Case) => Promise<void>, signal: AbortSignal) {
  const cases = new Map<string, Case>();
  let running: Promise<void> | null = null;
  const workAll = async (): Promise<void> => {
    for (;;) {
      const next = [...cases].find(([, one]) => one.due);
      if (next === undefined || signal.aborted) return;
      const [name, one] = next;
      await work(one).finally(() => cases.delete(name));
    }
  };
  const begin = (one: Case): void => {
    if (signal.aborted) return;
    one.due = true;
    running ??= workAll().finally(() => {
      running = null;
      // Also one that fell due while the last one ended.
      for (const other of cases.values()) if (other.due) begin(other);
    });
  };
  return {
    /** The case of a name, a new one if there is none; null when too many wait. */
    of: (name: string, duty: Duty): Case | null => {
      const known = cases.get(name);
      if (known !== undefined) return known;
      if (signal.aborted || cases.size >= waitingCountMax) return null;
      const one: Case = { duty, meetings: new Set(), due: false };
      cases.set(name, one);
      return one;
    },
    begin,
    ended: async (): Promise<void> => {
      await running;
    },
  };
}

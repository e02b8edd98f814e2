/** Run the lanes that our seat was drawn for, beside the driver, until each has its outcome. */
import { hex } from '../protocol/brand.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Duty } from '../protocol/replica/effect.ts';
import type { LaneOutcome } from '../protocol/replica/input.ts';
import { type LaneParts, runLane } from './lane.ts';
import type { Inspections, Meeting } from './laws/inspection.ts';
import { rotation } from './rotation.ts';

/** Lanes of one node that run at once: each may hold the trees of a million items in memory. */
export const laneCountMax = 8;
/** Lanes that may wait for one of these places. */
export const waitingLaneCountMax = 4_096;

/** A lane that has not begun, and why. */
export type WaitingLane = {
  readonly key: string;
  readonly job: string;
  readonly lane: number;
  readonly reason: string;
};

/** The lanes under way. */
export type Duties = {
  readonly execute: (duty: Duty) => void;
  /** Breaks a lane off, or lets it wait no longer: nobody waits for it any more. */
  readonly forget: (key: string) => void;
  /** Lanes that wait for a place. */
  readonly waiting: () => readonly WaitingLane[];
  /** Breaks all lanes off; resolves when none is running. */
  readonly stop: () => Promise<void>;
};

export type DutiesParts = {
  readonly lane: (duty: Duty) => LaneParts;
  readonly finished: (key: string, outcome: LaneOutcome) => void;
  /** Told of what nobody foresaw, such as a disk that is full. */
  readonly failed: (reason: unknown) => void;
  /** Looks at programs beside their lanes; none is looked at unless given. */
  readonly inspections?: Inspections | null;
  /** {@link laneCountMax} and {@link waitingLaneCountMax} unless given. */
  readonly countMax?: number;
  readonly waitingCountMax?: number;
};

/** The own check found values for which the order matters. */
const lawless: LaneOutcome = { kind: 'local', class: 'lawless' };

/** What a lane uses is what a look at its program is measured by. */
function counted(parts: LaneParts, met: Meeting | null): LaneParts {
  if (met === null) return parts;
  return {
    ...parts,
    progress: (key, items, fuel) => {
      met.spent(fuel);
      parts.progress(key, items, fuel);
    },
  };
}

type Running = { readonly stop: AbortController; readonly done: Promise<void> };

/**
 * Starts without any lane. As many run at once as may; the others wait, and of these the job that
 * was served longest ago is served next: many lanes of one job do not hold up another's.
 */
export function startDuties({ lane, finished, failed, ...rest }: DutiesParts): Duties {
  const { inspections = null, ...limits } = rest;
  const { countMax = laneCountMax, waitingCountMax = waitingLaneCountMax } = limits;
  const running = new Map<string, Running>();
  /** Those that were broken off and have not come to their end: they hold a place until then. */
  const leaving = new Set<Promise<void>>();
  const waiting = new Map<string, Duty>();
  const order = rotation<Duty>();
  let stopped = false;

  const run = async (duty: Duty, signal: AbortSignal): Promise<void> => {
    const met = inspections?.meet(duty) ?? null;
    const refuted = met?.lawless ?? new AbortController().signal;
    let outcome: LaneOutcome;
    try {
      const either = AbortSignal.any([signal, refuted]);
      outcome = refuted.aborted ? lawless : await runLane(duty, counted(lane(duty), met), either);
    } catch (error) {
      // The seat says that it cannot, so that its lane does not wait for it in vain.
      outcome = { kind: 'local', class: 'killed' };
      if (!signal.aborted && !refuted.aborted) failed(error);
    } finally {
      met?.leave();
    }
    if (signal.aborted) return;
    // Nothing of the lane was said yet: what is known now counts, also of one that is done.
    if (refuted.aborted) outcome = lawless;
    running.delete(duty.key);
    finished(duty.key, outcome);
  };
  const begin = (duty: Duty): void => {
    waiting.delete(duty.key);
    const stop = new AbortController();
    const done = run(duty, stop.signal).finally(() => {
      leaving.delete(done);
      fill();
    });
    running.set(duty.key, { stop, done });
  };
  const fill = (): void => {
    while (!stopped && running.size + leaving.size < countMax) {
      const duty = order.next({ begin: true, turn: () => true });
      if (duty === null) return;
      begin(duty);
    }
  };
  const forget = (key: string): void => {
    const duty = waiting.get(key);
    if (duty !== undefined) order.drop(hex(duty.job), duty);
    waiting.delete(key);
    const under = running.get(key);
    if (under === undefined) return;
    running.delete(key);
    leaving.add(under.done);
    under.stop.abort();
  };
  return {
    execute: (duty) => {
      if (stopped || waiting.has(duty.key) || running.has(duty.key)) return;
      if (waiting.size >= waitingCountMax) {
        failed(new LaneError({ code: 'LANES_FULL', lane: duty.lane, countMax: waitingCountMax }));
        finished(duty.key, { kind: 'local', class: 'killed' });
        return;
      }
      waiting.set(duty.key, duty);
      order.add(hex(duty.job), duty);
      fill();
    },
    forget,
    waiting: () =>
      [...waiting.values()].map(({ key, job, lane: number }, before) => ({
        ...{ key, job: hex(job), lane: number },
        reason:
          `waits for one of ${countMax} places: ${running.size} lanes run` +
          (leaving.size > 0 ? `, ${leaving.size} are being broken off` : '') +
          `, ${before} came before it; jobs take turns`,
      })),
    stop: async () => {
      stopped = true;
      for (const key of [...waiting.keys(), ...running.keys()]) forget(key);
      await Promise.all(leaving);
    },
  };
}

export type LaneErrorDetail = {
  readonly code: 'LANES_FULL';
  readonly lane: number;
  readonly countMax: number;
};

/** A lane that this node does not run. */
export class LaneError extends ProtocolError<LaneErrorDetail> {
  constructor(detail: LaneErrorDetail) {
    super(
      detail,
      `lane ${detail.lane} is not run here: ${detail.countMax} lanes wait already; the seat says ` +
        'that it cannot, and others are drawn',
    );
  }
}

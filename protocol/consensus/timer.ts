/** Say when the current view runs out, and when everything is to be said again. */
import { parentOf } from './chain.ts';
import { faultyMax } from './seats.ts';
import { type EngineRules, type EngineState, ownVotes } from './state.ts';

/**
 * Milliseconds that the current view may take. Constant for the first 2f + 1 views after the last
 * final one, enough for an honest leader; then doubled view by view, up to the cap.
 */
export function viewTimeout({ view, root }: EngineState, rules: EngineRules): number {
  const { seats, viewTimeoutMs, viewTimeoutMaxMs } = rules;
  const doublings = view - root.view - (2 * faultyMax(seats) + 1);
  let timeout = viewTimeoutMs;
  for (let i = 0; i < doublings && timeout < viewTimeoutMaxMs; i++) timeout *= 2;
  return timeout < viewTimeoutMaxMs ? timeout : viewTimeoutMaxMs;
}

/**
 * When the current view's time starts to run: from entry while there is work; without work from
 * when its leader is expected to propose, which is a heartbeat after the parent's time. A parent
 * from the future earns at most two heartbeats.
 */
export function timerStart(state: EngineState, { heartbeatMs }: EngineRules): number {
  const { enteredAt, busySince } = state;
  if (busySince !== null && busySince <= enteredAt) return enteredAt;
  const due = (parentOf(state)?.time ?? 0) + heartbeatMs;
  const idle = Math.min(Math.max(enteredAt, due), enteredAt + 2 * heartbeatMs);
  return busySince === null ? idle : Math.min(busySince, idle);
}

/** When the current view is to be skipped, or null if we have said about it what we may. */
export function skipDueAt(state: EngineState, rules: EngineRules): number | null {
  const { skip, final } = ownVotes(state, state.view);
  if (rules.self === null || skip !== null || final !== null) return null;
  return timerStart(state, rules) + viewTimeout(state, rules);
}

/** The next moment at which time alone makes the engine do something. */
export function nextWake(state: EngineState, rules: EngineRules): number {
  const due = skipDueAt(state, rules);
  return due === null ? state.repeatAt : Math.min(due, state.repeatAt);
}

/**
 * `state` as if it had been entered no later than now: a clock that was set back would otherwise
 * make us wait for as long as it was set back. Returns the same state on a clock that runs on.
 */
export function rebased(state: EngineState, now: number, rules: EngineRules): EngineState {
  const { enteredAt, busySince } = state;
  const repeatAt = Math.min(state.repeatAt, now + rules.standstillMs);
  if (enteredAt <= now && repeatAt === state.repeatAt && (busySince ?? now) <= now) return state;
  return {
    ...state,
    enteredAt: Math.min(enteredAt, now),
    busySince: busySince === null ? null : Math.min(busySince, now),
    repeatAt,
  };
}

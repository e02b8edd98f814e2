/** Say whether a quorum is heard, who is missing, and who leads next. */
import { leaderOf, quorum } from '../../protocol/consensus/seats.ts';
import { stallMs } from '../client/follow.ts';
import type { AnwansiNode } from '../face.ts';

export { stallMs };

/** What a node has heard of the seats lately, the own seat included. */
export type Hearing = {
  readonly heard: readonly number[];
  readonly missing: readonly number[];
  /** Seats that a quorum takes. */
  readonly needed: number;
  /**
   * Nothing can be ordered: no final block of the last 20 s is known, and in these 20 s fewer
   * seats than a quorum were heard.
   */
  readonly stalled: boolean;
};

/** @param now - This machine's clock, milliseconds since 1970. */
export function hearingOf(node: AnwansiNode, now: number): Hearing {
  const seats = node.rules.genesis.seats.length;
  const all = Array.from({ length: seats }, (_, seat) => seat);
  const lately = node.seatsHeardSince(now - stallMs);
  const heard = all.filter((seat) => lately.has(seat));
  const needed = quorum(seats);
  const { timeMs } = node.state().final.header;
  // A node that has just started has not had the time to hear anybody.
  const since = Math.max(timeMs, node.startedAt);
  return {
    heard,
    missing: all.filter((seat) => !lately.has(seat)),
    needed,
    stalled: heard.length < needed && now - since > stallMs,
  };
}

/** One sentence on a network without a quorum. */
export function noQuorumText({ heard, missing, needed }: Hearing): string {
  return `a quorum: ${heard.length} seats were heard in the last ${stallMs / 1_000} s, ${needed} are needed, missing ${seatsText(missing)}; it goes on by itself once enough are back`;
}

/** The seat that leads the view at hand, and the view. */
export function nextLeader(node: AnwansiNode): { readonly seat: number; readonly view: number } {
  const { network, leaderSeed, genesis } = node.rules;
  const { engine, final } = node.state();
  const { epoch } = final.header;
  const view = Math.max(engine.view, 1);
  const seats = genesis.seats.length;
  return { seat: leaderOf({ network, leaderSeed, epoch, view, seats }), view };
}

/** Seats named in a text; the rest of a long list is counted. */
const seatsNamedMax = 24;

/** `seat 3`, `seats 1, 3`, `seats 0, 1, … and 40 more`. */
export function seatsText(seats: readonly number[]): string {
  const named = seats.slice(0, seatsNamedMax).join(', ');
  const rest = seats.length - seatsNamedMax;
  const list = rest > 0 ? `${named} and ${rest} more` : named;
  return `${seats.length === 1 ? 'seat' : 'seats'} ${list}`;
}

/** Count the votes of one view and report each threshold once. */
import { sameBytes } from '../brand.ts';
import { exclude } from './evidence.ts';
import {
  type Certificate,
  type Subject,
  sameSubject,
  type Vote,
  type VoteKind,
} from './message.ts';
import { quorum } from './seats.ts';

/** Votes of one kind that are kept of a seat in a view: two prove a fault, more prove no more. */
export const votesKeptMax = 2;

type Ballots = ReadonlyMap<number, readonly Vote[]>;

/** What is known of one view: votes by kind and seat, at most one certificate a kind. */
export type Tally = {
  readonly votes: Readonly<Record<VoteKind, Ballots>>;
  readonly certificates: Readonly<Record<VoteKind, Certificate | null>>;
  /** Seats whose two votes have been told. */
  readonly accused: ReadonlySet<number>;
};

const none: Ballots = new Map();

export const emptyTally: Tally = {
  votes: { notar: none, skip: none, final: none },
  certificates: { notar: null, skip: null, final: null },
  accused: new Set(),
};

/** Whether this very vote, with this signature, has been counted: then it has been verified. */
export function counted({ votes }: Tally, vote: Vote): boolean {
  const kept = votes[vote.kind].get(vote.seat) ?? [];
  return kept.some(
    (known) => sameSubject(known, vote) && sameBytes(known.signature, vote.signature),
  );
}

/** Whether a vote would teach something: its seat has not said it, nor said too much already. */
export function room({ votes }: Tally, vote: Vote): boolean {
  const kept = votes[vote.kind].get(vote.seat) ?? [];
  return kept.length < votesKeptMax && !kept.some((known) => sameSubject(known, vote));
}

/** An earlier vote of the same seat that excludes this one, if the seat is not accused already. */
export function contradiction({ votes, accused }: Tally, vote: Vote): Vote | null {
  if (accused.has(vote.seat)) return null;
  for (const ballots of Object.values(votes))
    for (const known of ballots.get(vote.seat) ?? []) if (exclude(known, vote)) return known;
  return null;
}

/** Adds a verified vote for which there is {@link room}. */
export function count(tally: Tally, vote: Vote): Tally {
  const ballots = new Map(tally.votes[vote.kind]);
  ballots.set(vote.seat, [...(ballots.get(vote.seat) ?? []), vote]);
  return { ...tally, votes: { ...tally.votes, [vote.kind]: ballots } };
}

/** Notes that a seat's contradiction has been told. */
export function accuse(tally: Tally, seat: number): Tally {
  return { ...tally, accused: new Set(tally.accused).add(seat) };
}

/**
 * The certificate that counted votes make for a subject, of the lowest seats that said it.
 * Null below the quorum, and once the view has a certificate of that kind.
 */
export function certify(
  { votes, certificates }: Tally,
  subject: Subject,
  seatCount: number,
): Certificate | null {
  if (certificates[subject.kind] !== null) return null;
  const agreeing: Vote[] = [];
  for (const kept of votes[subject.kind].values()) {
    const vote = kept.find((known) => sameSubject(known, subject));
    if (vote !== undefined) agreeing.push(vote);
  }
  const size = quorum(seatCount);
  if (agreeing.length < size) return null;
  const { kind, epoch, view, block } = subject;
  const chosen = agreeing.sort((a, b) => a.seat - b.seat).slice(0, size);
  const seats = chosen.map(({ seat }) => seat);
  return { kind, epoch, view, block, seats, signatures: chosen.map(({ signature }) => signature) };
}

/** Keeps a certificate. The first of its kind stays. */
export function keep(tally: Tally, certificate: Certificate): Tally {
  const { kind } = certificate;
  if (tally.certificates[kind] !== null) return tally;
  return { ...tally, certificates: { ...tally.certificates, [kind]: certificate } };
}

/** Drops all but the certificates: what stays of the last final view. */
export function settled({ certificates }: Tally): Tally {
  return { ...emptyTally, certificates };
}

/** Prove two signatures that exclude each other. */
import { sameBytes } from '../brand.ts';
import { type CheckRules, type Vote, voteMessage, wellFormed } from './message.ts';

/**
 * Whether no honest seat signs both votes.
 *
 * Two Notar votes for two blocks of a view, two Final votes for two, Final beside Skip. A Notar
 * vote for one block and a Final vote for another do not exclude each other: a seat may see the
 * other block notarized.
 */
export function exclude(a: Vote, b: Vote): boolean {
  if (a.seat !== b.seat || a.epoch !== b.epoch || a.view !== b.view) return false;
  if (a.kind === b.kind) return !sameBytes(a.block, b.block);
  return a.kind !== 'notar' && b.kind !== 'notar';
}

/** The two votes of one seat, in the one order in which they are told. */
export type Equivocation = { readonly first: Vote; readonly second: Vote };

export type EquivocationError =
  | 'EQUIVOCATION_SEAT'
  | 'EQUIVOCATION_COMPATIBLE'
  | 'EQUIVOCATION_SIGNATURE';

/** Says why two votes prove nothing against their seat, or null: then its holder signed both. */
export function checkEquivocation(
  { first, second }: Equivocation,
  { network, epoch, seats, verify }: CheckRules,
): EquivocationError | null {
  const votes = [first, second];
  if (!votes.every(({ seat }) => Number.isSafeInteger(seat) && seat >= 0 && seat < seats))
    return 'EQUIVOCATION_SEAT';
  if (!votes.every((vote) => vote.epoch === epoch && wellFormed(vote)) || !exclude(first, second))
    return 'EQUIVOCATION_COMPATIBLE';
  const signed = votes.every((vote) =>
    verify(vote.seat, voteMessage(network, vote, vote.seat), vote.signature),
  );
  return signed ? null : 'EQUIVOCATION_SIGNATURE';
}

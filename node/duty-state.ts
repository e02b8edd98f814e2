/** Name how far a draw of a seat can get: in its book, and in what a node says over HTTP. */

/** The furthest that a duty got. New words are added at the end: rows are kept for ever. */
export const dutyStates = [
  'drawn',
  'committed',
  'revealed',
  'opened',
  'counted',
  'dissenting',
  'abstained',
  'silent',
  'equivocated',
  'late',
] as const;
export type DutyState = (typeof dutyStates)[number];

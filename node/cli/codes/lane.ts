/** Explain the codes of lanes that a seat was drawn for. */
import { entries } from './entry.ts';

export const laneCodes = entries(1, [
  [
    'LANES_FULL',
    'A lane that the seat was drawn for is not run.',
    'A few lanes run at once, and thousands wait for their turn already.',
    'Nothing is lost: the seat says that it cannot, and others are drawn. Use a faster machine.',
  ],
]);

/** Explain the codes of drawing seats. */
import { entries } from './entry.ts';

export const samplingCodes = [
  ...entries(2, [
    [
      'SAMPLING_ADVERSARY_TOO_LARGE',
      'More adversarial seats are assumed than this many seats can bear.',
      'Consensus among n seats bears floor((n-1)/3) bad ones; the share is rounded up.',
      'Choose a smaller share with --adversary, or `max`.',
    ],
  ]),
];

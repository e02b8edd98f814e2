/** Say why seats cannot be drawn the way a submitter asks. */
import { ProtocolError } from '../errors.ts';

export type SamplingErrorDetail = Readonly<{
  code: 'SAMPLING_ADVERSARY_TOO_LARGE';
  seats: number;
  /** The share asked for is one of `denominator`. */
  denominator: number;
  adversarial: number;
  adversarialMax: number;
}>;

/** A wish that this many seats cannot fulfil. Always the submitter's to change. */
export class SamplingError extends ProtocolError<SamplingErrorDetail> {
  constructor(detail: SamplingErrorDetail) {
    super(detail, describe(detail));
  }
}

function describe(detail: SamplingErrorDetail): string {
  const { seats, denominator, adversarial, adversarialMax } = detail;
  return (
    `1/${denominator} of ${seats} seats is ${adversarial} adversarial seats, ` +
    `but consensus among ${seats} bears at most ${adversarialMax}: ` +
    `choose a smaller share, or "max" for ${adversarialMax}`
  );
}

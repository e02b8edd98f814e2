/** Name what every exit code means, and the error that carries one. */
import { ProtocolError } from '../../protocol/errors.ts';

/** Exit codes. Stable: scripts rely on them. */
export const exitCodes = {
  done: 0,
  unexpected: 1,
  usage: 2,
  notFound: 3,
  refuted: 4,
  inconclusive: 5,
  network: 6,
  keys: 7,
  jobFailed: 8,
  jobExpired: 9,
  interrupted: 130,
  terminated: 143,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What each exit code means, as help and documentation show it. */
export const exitCodeMeanings: readonly (readonly [ExitCode, string])[] = [
  [0, 'done, verified'],
  [1, 'unexpected error: a bug'],
  [2, 'usage or configuration'],
  [3, 'not found'],
  [4, 'refuted: a receipt, proof, law or checksum is false'],
  [5, 'cannot tell: evidence missing or below your policy'],
  [6, 'network or timeout: try again'],
  [7, 'keys: locked, missing or refused'],
  [8, 'the job failed, or would fail: its program is at fault'],
  [9, 'the job expired before it was final: submit it again'],
  [130, 'interrupted'],
  [143, 'terminated'],
];

export type CliErrorDetail = {
  readonly code: string;
  /** What the reader can do now, in a sentence or two. */
  readonly hint: string;
  readonly exitCode: ExitCode;
};

/** An outcome that a command foresees: shown without a stack. */
export class CliError extends ProtocolError<CliErrorDetail> {
  constructor(
    { message, ...detail }: CliErrorDetail & { readonly message: string },
    options?: ErrorOptions,
  ) {
    super(detail, message, options);
  }
}

/** The error of a command line that is not one of ours. */
export function usageError(message: string, hint: string): CliError {
  return new CliError({ code: 'USAGE', message, hint, exitCode: exitCodes.usage });
}

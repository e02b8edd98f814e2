/** Shape one row of the catalogue of codes. */
import type { ExitCode } from '../error.ts';

/** What a stable code means, why it comes about, and what to do. Each a sentence or two. */
export type CodeEntry = {
  readonly code: string;
  readonly meaning: string;
  readonly cause: string;
  readonly remedy: string;
  /** Exit code of a command that ends with it; null where nodes judge peers and none does. */
  readonly exitCode: ExitCode | null;
};

type Row = readonly [code: string, meaning: string, cause: string, remedy: string];

/** Rows that end a command with one exit code, or none. */
export function entries(exitCode: ExitCode | null, rows: readonly Row[]): readonly CodeEntry[] {
  return rows.map(([code, meaning, cause, remedy]) => ({ code, meaning, cause, remedy, exitCode }));
}

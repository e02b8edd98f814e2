/** Collect all stable codes: what each means, why it comes about, what to do. */
import { chainCodes } from './codes/chain.ts';
import { commandCodes } from './codes/command.ts';
import { diskCodes } from './codes/disk.ts';
import type { CodeEntry } from './codes/entry.ts';
import { jobCodes } from './codes/job.ts';
import { networkCodes } from './codes/network.ts';
import { programCodes } from './codes/program.ts';
import { receiptCodes } from './codes/receipt.ts';
import { samplingCodes } from './codes/sampling.ts';
import { wireCodes } from './codes/wire.ts';

/** The catalogue, by code. A code is never used again for another meaning. */
export const codeCatalogue: readonly CodeEntry[] = [
  ...chainCodes,
  ...commandCodes,
  ...diskCodes,
  ...jobCodes,
  ...networkCodes,
  ...programCodes,
  ...receiptCodes,
  ...samplingCodes,
  ...wireCodes,
].sort((a, b) => (a.code < b.code ? -1 : 1));

const byCode = new Map(codeCatalogue.map((entry) => [entry.code, entry]));

/** The catalogue's entry of a code, if it has one. */
export function codeEntry(code: string): CodeEntry | undefined {
  return byCode.get(code);
}

/** Collect all stable codes: what each means, why it comes about, what to do. */
import { apiCodes } from './codes/api.ts';
import { chainCodes } from './codes/chain.ts';
import { clientCodes } from './codes/client.ts';
import { commandCodes } from './codes/command.ts';
import { diskCodes } from './codes/disk.ts';
import type { CodeEntry } from './codes/entry.ts';
import { fuelCodes } from './codes/fuel.ts';
import { jobCodes } from './codes/job.ts';
import { laneCodes } from './codes/lane.ts';
import { networkCodes } from './codes/network.ts';
import { operatorCodes } from './codes/operator.ts';
import { programCodes } from './codes/program.ts';
import { receiptCodes } from './codes/receipt.ts';
import { samplingCodes } from './codes/sampling.ts';
import { stateProofCodes } from './codes/state-proof.ts';
import { viewCodes } from './codes/views.ts';
import { wireCodes } from './codes/wire.ts';

/** The catalogue, by code. A code is never used again for another meaning. */
export const codeCatalogue: readonly CodeEntry[] = [
  ...apiCodes,
  ...chainCodes,
  ...clientCodes,
  ...commandCodes,
  ...diskCodes,
  ...fuelCodes,
  ...jobCodes,
  ...laneCodes,
  ...networkCodes,
  ...operatorCodes,
  ...programCodes,
  ...receiptCodes,
  ...samplingCodes,
  ...stateProofCodes,
  ...viewCodes,
  ...wireCodes,
].sort((a, b) => (a.code < b.code ? -1 : 1));

const byCode = new Map(codeCatalogue.map((entry) => [entry.code, entry]));

/** The catalogue's entry of a code, if it has one. */
export function codeEntry(code: string): CodeEntry | undefined {
  return byCode.get(code);
}

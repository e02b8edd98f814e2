/** Make receipts and results: a few at once, each once, and the latest are remembered. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hex } from '../../protocol/brand.ts';
import { checkpointOf, type Policy } from '../../protocol/receipt/trust.ts';
import { codeEntry } from '../cli/codes.ts';
import { settleReceipt } from '../client/settle.ts';
import { nativeSuite } from '../crypto.ts';
import { jobView } from '../views/job.ts';
import { inTime } from './bounds.ts';
import type { JobView } from './contract.ts';
import { ApiError, RulingError } from './error.ts';
import { hasEnded } from './events.ts';
import type { ApiParts } from './parts.ts';

/** Costly answers that are made at once, and milliseconds that one may take. */
const makingCountMax = 2;
export const makingMsMax = 110_000;
/** Answers that are remembered, and bytes of all of them. */
const rememberedCountMax = 8;
const rememberedBytesMax = 64 * 1024 * 1024;

/** The weakest policy: whoever asks for a result judges the job by a policy of his own. */
const anyPolicy: Policy = { tiers: ['exact'], loss: '1', adversary: '1/20' };

export type Results = {
  /** @throws ApiError, RulingError, ReceiptError, and a network's error for missing values */
  readonly receipt: (id: Uint8Array) => Promise<Uint8Array>;
  /** The rendered bytes of a settled job, audited. @throws as `receipt` does */
  readonly result: (id: Uint8Array) => Promise<Uint8Array>;
};

export function openResults(parts: ApiParts): Results {
  const { node, log } = parts;
  const make = rememberingMaker();
  const receipt = (id: Uint8Array): Promise<Uint8Array> =>
    make(`receipt ${hex(id)}`, 'receipts or results', async () => {
      const bytes = await node.receipt(id);
      log({ kind: 'receipt', job: hex(id), bytes: bytes.length });
      return bytes;
    });
  return {
    receipt: async (id) => {
      const view = await endedJob(parts, id);
      if (view.state !== 'settled' && view.state !== 'failed') throw withoutResult(view);
      return receipt(id);
    },
    result: async (id) => {
      const view = await endedJob(parts, id);
      if (view.state !== 'settled') throw withoutResult(view);
      return make(`result ${hex(id)}`, 'receipts or results', async (signal) =>
        settle(parts, await node.receipt(id), signal),
      );
    },
  };
}

/** The view of a job that has ended. @throws ApiError API_JOB_UNKNOWN, API_JOB_NOT_ENDED */
async function endedJob({ node }: ApiParts, id: Uint8Array): Promise<JobView> {
  const view = await jobView(node, id);
  if (view === null) throw new ApiError({ code: 'API_JOB_UNKNOWN', job: hex(id) });
  const { state, awaits } = view;
  if (!hasEnded(view)) throw new ApiError({ code: 'API_JOB_NOT_ENDED', state, awaits });
  return view;
}

/** The job has ended without what was asked for: the protocol's own code says why. */
function withoutResult({ state, reason }: JobView): RulingError {
  const code = reason?.code ?? 'RECEIPT_JOB_UNFINISHED';
  const why = reason === null ? '' : ` ${reason.meaning}`;
  return new RulingError({ code, status: 409 }, `the job is ${state}.${why}`);
}

/** Audits, folds and renders, in a folder of its own that is gone afterwards. */
async function settle(
  { node, executor, scratch }: ApiParts,
  receipt: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const folder = await mkdtemp(join(scratch, 'result-'));
  try {
    const trust = checkpointOf(node.rules.genesis, anyPolicy);
    const settled = await settleReceipt(receipt, trust, {
      executor,
      scratch: folder,
      suite: nativeSuite,
      signal,
    });
    const { result, code, verdict } = settled.conclusion;
    if (result !== null) return result;
    const reason = code ?? 'RESULT_UNRENDERABLE';
    // Only what this machine could not run may go better another time.
    const status = reason === 'AUDIT_FOLD_NOT_RUN' ? 503 : verdict === 'refuted' ? 500 : 409;
    throw new RulingError({ code: reason, status }, codeEntry(reason)?.meaning ?? reason);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Making = (signal: AbortSignal) => Promise<Uint8Array>;
type Maker = (name: string, what: string, making: Making) => Promise<Uint8Array>;

/** Makes each thing once, however many ask; refuses when enough is being made. */
function rememberingMaker(): Maker {
  const remembered = new Map<string, Uint8Array>();
  const making = new Map<string, Promise<Uint8Array>>();
  let heldBytes = 0;
  const remember = (name: string, bytes: Uint8Array): void => {
    if (bytes.length > rememberedBytesMax) return;
    remembered.set(name, bytes);
    heldBytes += bytes.length;
    for (const [stalest, { length }] of remembered) {
      if (remembered.size <= rememberedCountMax && heldBytes <= rememberedBytesMax) break;
      remembered.delete(stalest);
      heldBytes -= length;
    }
  };
  return (name, what, work) => {
    const bytes = remembered.get(name);
    if (bytes !== undefined) return Promise.resolve(bytes);
    let made = making.get(name);
    if (made === undefined) {
      if (making.size >= makingCountMax)
        throw new ApiError({
          code: 'API_BUSY',
          what: `${makingCountMax} ${what}`,
          retrySeconds: 2,
        });
      made = work(AbortSignal.timeout(makingMsMax))
        .then((result) => {
          remember(name, result);
          return result;
        })
        .finally(() => making.delete(name));
      making.set(name, made);
    }
    // Whoever asks again finds it made.
    return inTime(made, makingMsMax, what);
  };
}

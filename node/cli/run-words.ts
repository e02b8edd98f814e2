/** Tell what came of a run: the result, its assurance, and where its receipt is. */
import { resolve } from 'node:path';
import { hex } from '../../protocol/brand.ts';
import { formatRatio } from '../../protocol/ratio.ts';
import { assuranceSentence } from '../../protocol/receipt/assurance.ts';
import { limitsOf } from '../client/fuel.ts';
import type { Context } from './command.ts';
import { CliError, exitCodes } from './error.ts';
import type { NamedJob } from './foreseen-words.ts';
import {
  billOf,
  billText,
  escrowOf,
  failedJob,
  measuredDocument,
  unrenderableJob,
} from './fuel-words.ts';
import { resultDocument } from './result-words.ts';
import type { FinishedJob } from './run-job.ts';
import { writeTarget } from './target.ts';

type Files = {
  readonly networkMs: number;
  /** What to say to --trust. */
  readonly trust: string;
  readonly receiptFile: string;
  readonly outFile: string | null;
  /** As the command line named it. */
  readonly named: NamedJob;
};

/** Prints a finished job; gives the exit code. @throws CliError where there is no result */
export async function tellRun(
  job: FinishedJob,
  { networkMs, trust, receiptFile, outFile, named }: Files,
  { output }: Context,
): Promise<number> {
  const { conclusion, audit, prepared } = job;
  const { job: terms } = prepared.signed;
  for (const finding of conclusion.findings.filter(({ check }) => check === 'lane'))
    output.note(`lane ${finding.lane}: ${finding.because}`);
  if (conclusion.verdict !== 'verified') {
    const deciding = conclusion.findings.find(({ code }) => code === conclusion.code);
    throw new CliError({
      code: conclusion.code ?? 'RECEIPT_UNVERIFIED',
      message: `the receipt of the job does not verify: ${deciding?.because ?? conclusion.verdict}`,
      hint: `Kept in ${receiptFile}. See: anwansi verify ${receiptFile} --trust ${trust}`,
      exitCode: conclusion.verdict === 'refuted' ? exitCodes.refuted : exitCodes.inconclusive,
    });
  }
  if (audit.assurance !== null) output.note(assuranceSentence(audit.assurance));
  const bill = billOf(audit, job.genesis);
  if (bill !== null) output.note(billText(bill));
  output.note(
    `receipt ${receiptFile}; check it offline: anwansi verify ${receiptFile} --trust ${trust}`,
  );
  const data = (result: Uint8Array | null) =>
    document(job, networkMs, receiptFile, outFile, result);
  if (conclusion.failure !== null) {
    if (output.json) output.result(data(null), '');
    throw failedJob(conclusion.failure, terms, prepared.measured, named);
  }
  const result = conclusion.result;
  if (result === null) {
    if (output.json) output.result(data(null), '');
    throw unrenderableJob(job.fold, terms);
  }
  if (outFile !== null) await writeTarget(outFile, result);
  output.result(data(result), outFile === null ? result : `result ${resolve(outFile)}`);
  return exitCodes.done;
}

function document(
  job: FinishedJob,
  networkMs: number,
  receiptFile: string,
  outFile: string | null,
  result: Uint8Array | null,
) {
  const { record, audit, prepared, conclusion, executedItems, timings } = job;
  const { assurance } = audit;
  const plan = record.plan!;
  const { job: terms } = prepared.signed;
  return {
    job: hex(prepared.id),
    state: record.state,
    result: result === null ? null : resultDocument(result, outFile),
    loss:
      assurance === null
        ? null
        : {
            target: formatRatio(assurance.loss),
            adversary: terms.adversary,
            bound: assurance.bound === null ? null : formatRatio(assurance.bound),
            condition: assurance.condition,
            atMax: assurance.boundAtFaulty === null ? null : formatRatio(assurance.boundAtFaulty),
            skipped: assurance.skippedViews,
            seats: assurance.seats,
            perLane: assurance.perLane,
            validators: assurance.validators,
          },
    work: {
      items: record.items,
      subtasks: record.subtasks,
      lanes: plan.lanes,
      executions: executedItems,
      seats: (audit.lanes ?? []).flatMap(({ lane, seats }) =>
        seats.map((seat) => ({ lane, ...seat })),
      ),
    },
    fuel: {
      limits: limitsOf(terms),
      measured: measuredDocument(prepared.measured),
      ...(billOf(audit, job.genesis) ?? { mapFuel: null, paid: null }),
      fee: terms.fee,
      escrow: escrowOf(terms, job.genesis),
    },
    failure: conclusion.failure,
    receipt: { file: receiptFile, bytes: job.receipt.length },
    heights: {
      included: record.includedHeight,
      drawn: record.includedHeight + 1,
      settled: record.ended,
    },
    timings: { ...timings, networkMs },
  };
}

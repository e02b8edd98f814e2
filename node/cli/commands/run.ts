/** Run a program as a job on a network of validators, and keep its receipt. */
import { resolve } from 'node:path';
import { hex } from '../../../protocol/brand.ts';
import {
  type AdversaryWord,
  adversaryDenominators,
  adversaryWords,
} from '../../../protocol/job/job.ts';
import { formatRatio } from '../../../protocol/ratio.ts';
import { assuranceSentence } from '../../../protocol/receipt/assurance.ts';
import { failureSentence } from '../../../protocol/receipt/audit.ts';
import { defaultAdversary } from '../../../protocol/sampling/plan.ts';
import { loadProgram } from '../../client/program.ts';
import type { Embedded } from '../../embedded.ts';
import { faultNames } from '../../faults.ts';
import { type Command, type Context, defineCommand } from '../command.ts';
import { CliError, exitCodes, usageError } from '../error.ts';
import type { FinishedJob, NetworkWish } from '../run-job.ts';
import { checkTarget, writeTarget } from '../target.ts';
import { parseAdversary, parseLoss } from '../wish.ts';

const options = {
  input: { kind: 'path', placeholder: 'FILE', describe: 'Input, cut into items by the program.' },
  params: { kind: 'text', placeholder: 'JSON', describe: 'Parameters, passed as they are.' },
  subtasks: {
    kind: 'integer',
    placeholder: 'M',
    describe: 'Subtasks; as many as items, at most 256, unless given.',
    min: 1,
    max: 65_536,
  },
  loss: {
    kind: 'text',
    placeholder: 'P',
    describe: 'Probability of a wrong result that you accept, 1e-1 to 1e-15.',
    default: '1e-9',
  },
  adversary: {
    kind: 'text',
    placeholder: 'SHARE',
    describe: 'Share of seats assumed to lie together: 0.05, 0.1, 0.2, max.',
  },
  nodes: {
    kind: 'integer',
    placeholder: 'N',
    describe: 'Validators of the embedded network.',
    min: 4,
    max: 31,
    default: 7,
  },
  faulty: {
    kind: 'integer',
    placeholder: 'K',
    describe: 'Validators that misbehave on purpose.',
    min: 0,
    max: 31,
    default: 0,
  },
  fault: {
    kind: 'text',
    placeholder: 'KIND',
    describe: 'How they misbehave.',
    choices: faultNames,
  },
  seed: { kind: 'text', placeholder: 'S', describe: 'Makes the network the same each time.' },
  api: {
    kind: 'text',
    placeholder: 'URL',
    describe: 'Where the network is.',
    choices: ['embedded'],
  },
  out: {
    kind: 'path',
    placeholder: 'FILE',
    describe: 'Where the result goes, instead of stdout.',
  },
  receipt: { kind: 'path', placeholder: 'FILE', describe: 'Where the receipt goes.' },
} as const;

/** How a command gets the network that was asked for. */
type Start = (wish: NetworkWish, context: Context) => Promise<Embedded>;

/** The command, on networks that `start` gives. */
export function runOn(start: Start): Command {
  return defineCommand({
    name: 'run',
    summary: 'Run a program as a job on a network of validators, and keep its receipt.',
    examples: [
      [
        `anwansi run primes --params '{"from":0,"to":1000000}'`,
        'Count primes on seven validators.',
      ],
      ['anwansi run wordcount --input README.md --out words.json', 'Count words of a file.'],
      ['anwansi run my.wasm --input data.csv --loss 1e-6', 'Your own program, another loss.'],
      [
        `anwansi run primes --params '{"from":0,"to":1000000}' --faulty 2 --fault wrong-result`,
        'Watch two liars be outvoted and named.',
      ],
    ],
    arguments: {
      program: { kind: 'text', describe: 'A name under programs/, or a .wasm file.' },
    },
    options,
    run: async (context, values) => {
      // Loaded when it is needed: help and explanations come at once.
      const { checkWish, runJob, shortId } = await import('../run-job.ts');
      const { resolvePath } = context;
      const faulty = checkFaults(values);
      const program = await loadProgram(values.program, resolvePath);
      const wish = {
        program,
        parameters: values.params ?? '',
        inputPath: values.input ?? null,
        subtasks: values.subtasks ?? null,
        lossExponent: parseLoss(values.loss),
        adversary: adversaryWord(values.adversary, values.nodes, context),
        fee: 1n,
      };
      await checkWish(wish);
      // A job costs something: its files are looked at before it runs.
      for (const file of [values.receipt ?? resolvePath('any.receipt'), values.out])
        if (file !== undefined) await checkTarget(file);
      const started = Date.now();
      const network = await start(
        { seats: values.nodes, ...faulty, seed: values.seed ?? null },
        context,
      );
      const networkMs = Date.now() - started;
      const job = await runJob(wish, network, context);
      const receiptFile =
        values.receipt ?? resolvePath(`${program.name}-${shortId(job.prepared.id)}.receipt`);
      await writeTarget(receiptFile, job.receipt);
      return tell(job, { networkMs, receiptFile, outFile: values.out ?? null }, context);
    },
  });
}

export const run = runOn(async (wish, context) => {
  const { startNetwork } = await import('../run-job.ts');
  return startNetwork(wish, context);
});

function checkFaults(values: {
  readonly nodes: number;
  readonly faulty: number;
  readonly fault: (typeof faultNames)[number] | undefined;
}): { faulty: number; fault: (typeof faultNames)[number] | null } {
  const { nodes, faulty, fault } = values;
  if (faulty > 0 && fault === undefined)
    throw usageError('--faulty says how many, but not how', `Add --fault ${faultNames.join('|')}.`);
  if (faulty >= nodes)
    throw usageError(`--faulty ${faulty} leaves no honest validator of ${nodes}`, 'Ask for fewer.');
  if (fault === 'equivocate' && faulty > Math.floor((nodes - 1) / 3))
    throw usageError(
      `${faulty} of ${nodes} equivocating validators can break consensus itself`,
      `Ask for at most ${Math.floor((nodes - 1) / 3)}.`,
    );
  return { faulty, fault: faulty > 0 ? (fault ?? null) : null };
}

function adversaryWord(
  text: string | undefined,
  seats: number,
  { output }: Context,
): AdversaryWord {
  const denominator = text === undefined ? defaultAdversary(seats) : parseAdversary(text);
  const word = adversaryWords[adversaryDenominators.indexOf(denominator)]!;
  if (text === undefined) output.detail(`adversary ${word}, because none was given`);
  return word;
}

type Files = {
  readonly networkMs: number;
  readonly receiptFile: string;
  readonly outFile: string | null;
};

async function tell(
  job: FinishedJob,
  { networkMs, receiptFile, outFile }: Files,
  { output }: Context,
): Promise<number> {
  const { conclusion, audit, record } = job;
  for (const finding of conclusion.findings.filter(({ check }) => check === 'lane'))
    output.note(`lane ${finding.lane}: ${finding.because}`);
  if (conclusion.verdict !== 'verified') {
    const deciding = conclusion.findings.find(({ code }) => code === conclusion.code);
    throw new CliError({
      code: conclusion.code ?? 'RECEIPT_UNVERIFIED',
      message: `the receipt of the job does not verify: ${deciding?.because ?? conclusion.verdict}`,
      hint: `Kept in ${receiptFile}. See: anwansi verify ${receiptFile} --trust dev`,
      exitCode: conclusion.verdict === 'refuted' ? exitCodes.refuted : exitCodes.inconclusive,
    });
  }
  if (audit.assurance !== null) output.note(assuranceSentence(audit.assurance));
  output.note(
    `receipt ${receiptFile}; check it offline: anwansi verify ${receiptFile} --trust dev`,
  );
  const data = (result: Uint8Array | null) =>
    document(job, networkMs, receiptFile, outFile, result);
  if (conclusion.failure !== null) {
    if (output.json) output.result(data(null), '');
    throw new CliError({
      code: record.reason,
      message: failureSentence(conclusion.failure),
      hint: 'Enough validators agree on it: the program is at fault, not the network.',
      exitCode: exitCodes.jobFailed,
    });
  }
  const result = conclusion.result;
  if (result === null) {
    if (output.json) output.result(data(null), '');
    throw new CliError({
      code: 'RESULT_UNRENDERABLE',
      message:
        'the job is settled, but its program cannot fold or render the result: ' +
        (conclusion.findings.find(({ check }) => check === 'fold')?.because ??
          'no reason is known'),
      hint: 'It is the same for every auditor: mend the program, or let its result be smaller.',
      exitCode: exitCodes.jobFailed,
    });
  }
  if (outFile !== null) await writeTarget(outFile, result);
  output.result(data(result), outFile === null ? result : `result ${resolve(outFile)}`);
  return exitCodes.done;
}

const inlineTextMax = 64 * 1024;

function document(
  job: FinishedJob,
  networkMs: number,
  receiptFile: string,
  outFile: string | null,
  result: Uint8Array | null,
) {
  const { record, audit, prepared, executedItems, timings } = job;
  const { assurance } = audit;
  const plan = record.plan!;
  return {
    job: hex(prepared.id),
    state: record.state,
    result:
      result === null
        ? null
        : { bytes: result.length, file: outFile, ...(outFile === null ? inline(result) : {}) },
    loss:
      assurance === null
        ? null
        : {
            target: formatRatio(assurance.loss),
            adversary: prepared.signed.job.adversary,
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
    receipt: { file: receiptFile, bytes: job.receipt.length },
    heights: {
      included: record.includedHeight,
      drawn: record.includedHeight + 1,
      settled: record.ended,
    },
    timings: { ...timings, networkMs },
  };
}

function inline(result: Uint8Array): { readonly text?: string; readonly base64?: string } {
  if (result.length > inlineTextMax) return {};
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(result) };
  } catch {
    return { base64: Buffer.from(result).toString('base64') };
  }
}

/** Show the whole walk on the embedded network: two jobs, their receipts verified offline. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { usualFee } from '../../client/fuel.ts';
import type { Wish } from '../../client/prepare.ts';
import { loadProgram } from '../../client/program.ts';
import { bundledProgram } from '../../client/program-file.ts';
import type { Embedded } from '../../embedded.ts';
import { type Context, defineCommand } from '../command.ts';
import { CliError, exitCodes } from '../error.ts';
import type { FinishedJob } from '../run-job.ts';
import { verifyFile } from './verify.ts';

const specFolder = fileURLToPath(new URL('../../../spec/', import.meta.url));
/** Primes below twenty million: a number that is in the books. */
const primesBelow = 20_000_000;
const primesKnown = '1270607';

export const demo = defineCommand({
  name: 'demo',
  summary: 'Count primes, then the words of our own specification, and verify both receipts.',
  examples: [['anwansi demo', 'Seven validators on loopback, half a minute.']],
  run: async (context) => {
    const { startNetwork } = await import('../run-job.ts');
    const { output, onExit } = context;
    const folder = await mkdtemp(join(tmpdir(), 'anwansi-demo-'));
    onExit(() => rm(folder, { recursive: true, force: true }));
    const text = join(folder, 'spec.md');
    const words = await writeSpecification(text);
    const wish = { seats: 7, faulty: 0, fault: null, seed: null, looking: false };
    const network = await startNetwork(wish, context);
    const common = { subtasks: null, lossExponent: 9, adversary: '1/5', fee: usualFee } as const;
    output.note(`\nprimes below ${primesBelow}`);
    const primes = await runAndVerify(
      {
        ...common,
        program: await loadProgram(bundledProgram('primes'), context.resolvePath),
        parameters: `{"from":0,"to":${primesBelow}}`,
        inputPath: null,
      },
      join(folder, 'primes.receipt'),
      network,
      context,
    );
    expect('the count of primes', primes.text, primesKnown);
    output.note('\nwords of the specification');
    const counted = await runAndVerify(
      {
        ...common,
        program: await loadProgram(bundledProgram('wordcount'), context.resolvePath),
        parameters: '',
        inputPath: text,
      },
      join(folder, 'words.receipt'),
      network,
      context,
    );
    const found = JSON.parse(counted.text) as Record<string, number>;
    const total = Object.values(found).reduce((sum, count) => sum + count, 0);
    expect('the count of words', String(total), String(words));
    const shown = [
      `primes below ${primesBelow}: ${primes.text}`,
      `words of the specification: ${total}, ${Object.keys(found).length} different`,
      'both receipts verified offline',
    ];
    output.result({ primes: primes.text, words: total }, shown.join('\n'));
  },
});

async function runAndVerify(
  wish: Wish,
  receiptFile: string,
  network: Embedded,
  context: Context,
): Promise<{ readonly job: FinishedJob; readonly text: string }> {
  const { runJob } = await import('../run-job.ts');
  const { passLaws } = await import('../law-gate.ts');
  const named = { program: wish.program.name, input: wish.inputPath ?? undefined };
  await passLaws(wish, network, { ...named, params: wish.parameters }, context);
  const job = await runJob(wish, network, context);
  await writeFile(receiptFile, job.receipt);
  const { conclusion } = await verifyFile(receiptFile, 'dev', context);
  const { result } = conclusion;
  if (conclusion.verdict !== 'verified' || result === null)
    throw new CliError({
      code: conclusion.code ?? 'RECEIPT_UNVERIFIED',
      message: `the receipt does not verify: ${conclusion.verdict}`,
      hint: 'This is a bug: report it with the lines above.',
      exitCode: exitCodes.refuted,
    });
  return { job, text: new TextDecoder().decode(result) };
}

function expect(what: string, found: string, known: string): void {
  if (found === known) return;
  throw new CliError({
    code: 'DEMO_MISMATCH',
    message: `${what} is ${found}, expected ${known}`,
    hint: 'This is a bug: report it with the lines above.',
    exitCode: exitCodes.refuted,
  });
}

/** Puts the pages of spec/ into one file and counts their words by itself. */
async function writeSpecification(file: string): Promise<number> {
  const names = (await readdir(specFolder, { recursive: true })).filter((n) => n.endsWith('.md'));
  const pages = await Promise.all(names.sort().map((name) => readFile(join(specFolder, name))));
  const text = Buffer.concat(pages);
  await writeFile(file, text);
  return text.toString('latin1').match(/[A-Za-z0-9\x80-\xff]+/g)?.length ?? 0;
}

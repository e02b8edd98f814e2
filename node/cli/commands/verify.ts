/** Verify a receipt or a state proof offline: by the file, a trust, and the reader's machine. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hex } from '../../../protocol/brand.ts';
import { assuranceSentence } from '../../../protocol/receipt/assurance.ts';
import {
  type Audit,
  type AuditOutcome,
  auditReceipt,
  type Conclusion,
  concludeAudit,
} from '../../../protocol/receipt/audit.ts';
import type { Finding } from '../../../protocol/receipt/finding.ts';
import { proofKindOf } from '../../../protocol/receipt/kind.ts';
import { auditStateProof, type StateFinding } from '../../../protocol/receipt/state-audit.ts';
import { devTrust, parseTrust, type Trust } from '../../../protocol/receipt/trust.ts';
import { reexecute } from '../../client/reexecute.ts';
import { foldWork } from '../../client/settle.ts';
import { nativeSuite } from '../../crypto.ts';
import { createExecutor } from '../../executor/pool.ts';
import { type Context, defineCommand } from '../command.ts';
import { CliError, exitCodes, usageError } from '../error.ts';
import { provedResult, resultLines } from '../result-words.ts';
import { stateDocument, stateVerdictLines } from '../state-verdict.ts';
import { checkTarget, writeTarget } from '../target.ts';

export const verify = defineCommand({
  name: 'verify',
  summary:
    'Verify a receipt or a state proof offline, by a trust file of your own. Opens no socket.',
  examples: [
    ['anwansi verify primes-1a2b3c4d.receipt --trust dev', 'A receipt of a development network.'],
    [
      'anwansi verify job.receipt --trust trust.json',
      'Against a checkpoint and a policy of yours.',
    ],
    [
      'anwansi verify words.receipt --trust dev --reexecute 3 --input book.txt',
      'Run three subtasks again, picked by chance of your own.',
    ],
    [
      'anwansi verify words.receipt --trust dev --out words.txt',
      'The result that it proves, in a file.',
    ],
    ['anwansi verify account.proof --trust trust.json', 'What the state held under a key.'],
  ],
  arguments: {
    file: { kind: 'path', describe: 'What `run --receipt` or `state get --proof` wrote.' },
  },
  options: {
    trust: {
      kind: 'text',
      placeholder: 'FILE|dev',
      describe: 'Whom you believe, and your policy.',
    },
    reexecute: {
      kind: 'integer',
      placeholder: 'K',
      describe: 'Subtasks to run again on this machine.',
      min: 1,
      max: 65_536,
    },
    input: { kind: 'path', placeholder: 'FILE', describe: 'The input, for --reexecute.' },
    out: { kind: 'path', placeholder: 'FILE', describe: 'Where a verified result goes.' },
  },
  run: async (context, { file, trust, reexecute: count, input, out = null }) => {
    const { output } = context;
    if (out !== null) await checkTarget(out);
    const bytes = await readProof(file);
    const again = { count: count ?? 0, inputPath: input ?? null };
    if (proofKindOf(bytes) === 'state-proof') {
      if (again.count > 0 || again.inputPath !== null)
        throw usageError(
          `${file} is a state proof: there is nothing to run again`,
          'Leave out --reexecute and --input; they are for receipts.',
        );
      if (out !== null)
        throw usageError(`${file} is a state proof: it has no result`, 'Leave out --out.');
      const audit = auditStateProof(bytes, await readTrust(trust ?? null, context), {
        suite: nativeSuite,
      });
      const lines = [...audit.findings.map(findingLine), ...stateVerdictLines(audit)];
      output.result(stateDocument(audit), lines.join('\n'));
      return exitCodeOf(audit);
    }
    const { audit, conclusion } = await verifyReceipt(file, bytes, trust ?? null, context, again);
    const { result } = conclusion;
    if (out !== null && result !== null) await writeTarget(out, result);
    if (out !== null && result === null) output.warn(`${out} was not written: there is no result`);
    const lines = conclusion.findings.map((finding) => findingLine(finding));
    if (result !== null) lines.push(...resultLines(result, out));
    if (audit.assurance !== null) lines.push(`      ${assuranceSentence(audit.assurance)}`);
    lines.push(verdictLine(conclusion, audit));
    output.result(document(audit, conclusion, out), lines.join('\n'));
    return exitCodeOf(conclusion);
  },
});

/** What a reader wants run again: how many subtasks, and where their input is. */
export type Again = { readonly count: number; readonly inputPath: string | null };

type Audited = { readonly audit: Audit; readonly conclusion: Conclusion };

/** Audits a receipt file, runs what is left to run, and concludes. */
export async function verifyFile(
  file: string,
  trustName: string | null,
  context: Context,
): Promise<Audited> {
  const nothing = { count: 0, inputPath: null };
  return verifyReceipt(file, await readProof(file), trustName, context, nothing);
}

async function verifyReceipt(
  file: string,
  bytes: Uint8Array,
  trustName: string | null,
  context: Context,
  again: Again,
): Promise<Audited> {
  const trust = await readTrust(trustName, context);
  if (proofKindOf(bytes) !== 'receipt')
    throw new CliError({
      code: 'RECEIPT_NOT_A_RECEIPT',
      message: `${file} is neither a receipt nor a state proof`,
      hint,
      exitCode: exitCodes.usage,
    });
  const seed = randomBytes(32);
  const scratch = await mkdtemp(join(tmpdir(), 'anwansi-verify-'));
  context.onExit(() => rm(scratch, { recursive: true, force: true }));
  const { cids, sources } = await reexecute.input(again, bytes, scratch);
  const audit = auditReceipt(bytes, trust, {
    suite: nativeSuite,
    ...(again.count > 0 ? { reexecute: { count: again.count, seed, cids } } : {}),
  });
  if (audit.work === null && audit.reexecution === null)
    return { audit, conclusion: concludeAudit(audit, noWork) };
  tellCount(audit, again, context);
  const executor = await createExecutor({ readable: [scratch], children: 1 });
  context.onExit(() => executor.close());
  const { signal } = context;
  const fold = await foldWork(audit, { executor, scratch, signal });
  const reexecution = await reexecute.run(audit, sources, { executor, scratch, signal });
  return { audit, conclusion: concludeAudit(audit, { fold, reexecution }) };
}

/** That a job has fewer subtasks than were asked for. */
function tellCount({ job, reexecution }: Audit, { count }: Again, { output }: Context): void {
  const subtasks = job?.subtasks ?? count;
  if (count <= subtasks || (reexecution?.value ?? null) === null) return;
  const all = subtasks === 1 ? 'one subtask: it' : `${subtasks} subtasks: each of them`;
  output.warn(`the job has ${all} is run again, though --reexecute asks for ${count}`);
}

const noWork: AuditOutcome = {
  fold: { kind: 'not-run', because: 'there is nothing to fold' },
};

const proofFileBytesMax = 512 * 1024 * 1024;
const hint = 'Name a file that `anwansi run --receipt` or `anwansi state get --proof` wrote.';

async function readProof(file: string): Promise<Uint8Array> {
  const missing = (message: string): CliError =>
    new CliError({ code: 'RECEIPT_NOT_FOUND', message, hint, exitCode: exitCodes.notFound });
  const found = await stat(file).catch(() => null);
  if (found === null) throw missing(`there is no file ${file}`);
  if (!found.isFile()) throw missing(`${file} is not a file`);
  if (found.size > proofFileBytesMax)
    throw new CliError({
      code: 'RECEIPT_NOT_A_RECEIPT',
      message: `${file} has ${found.size} bytes, more than any receipt or state proof`,
      hint,
      exitCode: exitCodes.usage,
    });
  return new Uint8Array(await readFile(file));
}

export async function readTrust(name: string | null, context: Context): Promise<Trust | null> {
  if (name === null) return null;
  if (name === 'dev') {
    context.output.note('dev keys are public: this proves the arithmetic, not who did it');
    return devTrust;
  }
  const file = context.resolvePath(name);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CliError(
      {
        code: 'TRUST_NOT_FOUND',
        message: `there is no trust file ${file}`,
        hint: 'Name a trust file, or `dev` for a development network.',
        exitCode: exitCodes.notFound,
      },
      { cause },
    );
  });
  return parseTrust(text);
}

const marks = { ok: 'ok  ', failed: 'FAIL', skipped: 'skip', unknown: '?   ' } as const;

function findingLine({ status, code, because, ...looked }: Finding | StateFinding): string {
  const name = 'lane' in looked && looked.lane !== null ? `lane ${looked.lane}` : looked.check;
  return `${marks[status]}  ${name}: ${because}${code === null ? '' : ` (${code})`}`;
}

/** The word VERIFIED stands nowhere but in the last line of a verified audit. */
function verdictLine({ verdict, code, failure }: Conclusion, { jobId }: Audit): string {
  const about = jobId === null ? '' : ` job ${hex(jobId)}`;
  switch (verdict) {
    case 'verified':
      return failure === null ? `VERIFIED${about}` : `VERIFIED: failed${about}`;
    case 'refuted':
      return `REFUTED${about}: ${code}`;
    case 'cannot-tell':
      return `CANNOT TELL${about}: ${code}`;
  }
}

function exitCodeOf({ verdict }: Pick<Conclusion, 'verdict'>): number {
  return {
    verified: exitCodes.done,
    refuted: exitCodes.refuted,
    'cannot-tell': exitCodes.inconclusive,
  }[verdict];
}

function document(
  audit: Audit,
  { verdict, code, findings, failure, result }: Conclusion,
  out: string | null,
) {
  return {
    kind: 'receipt',
    verdict,
    code,
    job: audit.jobId === null ? null : hex(audit.jobId),
    findings,
    failure,
    assurance: audit.assurance === null ? null : assuranceSentence(audit.assurance),
    result: result === null ? null : provedResult(result, out),
  };
}

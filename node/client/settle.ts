/** Finish a job on the client's side: its receipt, audited, and its result. */

import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CryptoSuite } from '../../protocol/crypto/suite.ts';
import {
  type Audit,
  auditReceipt,
  type Conclusion,
  concludeAudit,
  type FoldOutcome,
} from '../../protocol/receipt/audit.ts';
import type { Trust } from '../../protocol/receipt/trust.ts';
import type { CallOutcome, Executor } from '../ports.ts';

export type SettledReceipt = {
  readonly audit: Audit;
  /** What this machine's sandbox made of the lanes' values. */
  readonly fold: FoldOutcome;
  readonly conclusion: Conclusion;
};

/** Audits receipt bytes and runs what is left to run. `scratch` must be readable by the executor. */
export async function settleReceipt(
  bytes: Uint8Array,
  trust: Trust | null,
  parts: {
    readonly executor: Executor;
    readonly scratch: string;
    readonly suite: CryptoSuite;
    readonly signal: AbortSignal;
  },
): Promise<SettledReceipt> {
  const audit = auditReceipt(bytes, trust, { suite: parts.suite });
  const fold = await foldWork(audit, parts);
  return { audit, fold, conclusion: concludeAudit(audit, { fold }) };
}

/** Folds and renders what an audit asks for. */
export async function foldWork(
  { work }: Audit,
  {
    executor,
    scratch,
    signal,
  }: { readonly executor: Executor; readonly scratch: string; readonly signal: AbortSignal },
): Promise<FoldOutcome> {
  if (work === null) return { kind: 'not-run', because: 'there is nothing to fold' };
  const programPath = join(scratch, `${randomUUID()}.wasm`);
  await writeFile(programPath, work.program);
  try {
    return await foldAndRender(work, programPath, executor, signal);
  } finally {
    await rm(programPath, { force: true });
  }
}

async function foldAndRender(
  work: NonNullable<Audit['work']>,
  programPath: string,
  executor: Executor,
  signal: AbortSignal,
): Promise<FoldOutcome> {
  const { parameters, values, fuel } = work;
  const { combine, fold } = fuel;
  const folded = await executor.fold(programPath, values, { combine, fold }, signal);
  if (folded.kind === 'local') return { kind: 'not-run', because: folded.reason };
  if (folded.kind === 'failed') return unrenderable('fold', folded);
  const shown = await executor.render(programPath, parameters, folded.value, fuel.render, signal);
  if (shown.kind === 'local') return { kind: 'not-run', because: shown.reason };
  if (shown.kind === 'failed') return unrenderable('render', shown);
  return { kind: 'rendered', result: shown.value };
}

function unrenderable(
  step: 'fold' | 'render',
  { class: failure, fuel }: Extract<CallOutcome, { readonly kind: 'failed' }>,
): FoldOutcome {
  return { kind: 'unrenderable', step, class: failure, limit: fuel };
}

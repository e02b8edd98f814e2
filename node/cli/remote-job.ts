/** Use a node's network for a job: by what key, believing whom, audited on this machine. */

import { hex, unhex } from '../../protocol/brand.ts';
import { tryDecode } from '../../protocol/codec/codec.ts';
import type { SeatKeys } from '../../protocol/crypto/suite.ts';
import { type Genesis, genesisCodec } from '../../protocol/ledger/genesis.ts';
import { type Audit, auditReceipt, type JobFailure } from '../../protocol/receipt/audit.ts';
import { devAccountSeed } from '../../protocol/receipt/dev.ts';
import { isDevGenesis, parseTrust, type Trust } from '../../protocol/receipt/trust.ts';
import type { Client } from '../client/http.ts';
import { remoteGateway } from '../client/remote-gateway.ts';
import { type SettledReceipt, settleReceipt } from '../client/settle.ts';
import { nativeKeys, nativeSuite } from '../crypto.ts';
import { createExecutor } from '../executor/pool.ts';
import { OperatorError } from '../operator/error.ts';
import { checkPrivate, readBounded } from '../operator/files.ts';
import type { Context } from './command.ts';
import { readTrust } from './commands/verify.ts';
import { scratchFolder } from './connect.ts';
import { CliError, exitCodes } from './error.ts';
import {
  type Bill,
  billOf,
  type FailureWords,
  failedJob,
  failureWords,
  unrenderableJob,
} from './fuel-words.ts';
import type { Ground } from './run-job.ts';

/** What the person says about accounts and belief. */
export type RemoteValues = {
  readonly keyFile: string | undefined;
  readonly trust: string | undefined;
  /** Whether the person goes before there is anything to audit. */
  readonly detach: boolean;
};

/** The network of a node as the ground of jobs. @throws by what is missing */
export async function remoteGround(
  client: Client,
  values: RemoteValues,
  context: Context,
): Promise<Ground> {
  const { signal } = context;
  const scratch = await scratchFolder(context);
  const gateway = await remoteGateway(client, { scratch, signal });
  const keys = await submitterKeys(gateway.genesis, values.keyFile, context);
  const tell = values.detach ? () => undefined : context.output.note;
  const trust = await chosenTrust(client, values.trust, context, tell);
  const executor = await createExecutor({ readable: [scratch], children: 1 });
  context.onExit(() => executor.close());
  return { gateway, executor, scratch, keys, trust };
}

/** Bytes that a key file may have: more is none of ours. */
const keyFileBytesMax = 1_024;
const seedBytes = 32;

/** Keys of the account that pays: of a file, or on a development network the public dev0. */
export async function submitterKeys(
  genesis: Genesis,
  file: string | undefined,
  { output }: Pick<Context, 'output'>,
): Promise<SeatKeys> {
  if (file !== undefined) return nativeKeys(await readSeed(file));
  if (isDevGenesis(genesis)) {
    output.detail('a development network: the public account dev0 pays');
    return nativeKeys(devAccountSeed(0));
  }
  throw new CliError({
    code: 'ACCOUNT_KEY_NEEDED',
    message: 'this network is no development network: a job needs an account that pays for it',
    hint: 'Name the key of a funded account: --key-file FILE (mode 0600), or try --api embedded.',
    exitCode: exitCodes.keys,
  });
}

async function readSeed(file: string): Promise<Uint8Array> {
  const bytes = await readBounded(file, keyFileBytesMax);
  if (bytes === null) throw new OperatorError({ code: 'KEY_MISSING', file });
  await checkPrivate(file);
  const text = bytes === 'too-long' ? '' : new TextDecoder('latin1').decode(bytes);
  const seed = unhex(text.replace(/\r?\n$/, ''));
  if (seed?.length === seedBytes) return seed;
  // Never what stands in it: it may be most of a secret.
  const reason = `it is not ${2 * seedBytes} lower-case hexadecimal digits and a line end`;
  throw new OperatorError({ code: 'KEY_MALFORMED', file, reason });
}

/** What the person trusts, or what the node says of itself; `tell` is told which of them. */
export async function chosenTrust(
  client: Client,
  name: string | undefined,
  context: Context,
  tell: (note: string) => void = context.output.note,
): Promise<Trust> {
  const { signal } = context;
  if (name !== undefined) {
    const trust = (await readTrust(name, context))!;
    if (name !== 'dev') tell(`audited by the trust file ${context.resolvePath(name)}`);
    return trust;
  }
  const trust = parseTrust(await client.trust({ signal }));
  tell(
    `audited by the trust file of the node itself, network ${hex(trust.network).slice(0, 12)}: ` +
      'to depend on nobody, give your own with --trust',
  );
  return trust;
}

/** How a person verifies again what was audited by a trust. */
export function trustWord(trust: Trust, name: string | undefined): string {
  if (name !== undefined) return name;
  return trust.kind === 'dev' || isDevGenesis(trust) ? 'dev' : 'TRUST.json';
}

/** A receipt from a node, and what this machine's audit makes of it. */
export type AuditedReceipt = SettledReceipt & {
  readonly receipt: Uint8Array;
  readonly trust: Trust;
};

/** Gets a job's receipt, audits it, folds and renders its result in this machine's sandbox. */
export async function auditRemote(
  client: Client,
  job: string,
  trustName: string | undefined,
  context: Context,
): Promise<AuditedReceipt> {
  const { signal, onExit } = context;
  const trust = await chosenTrust(client, trustName, context);
  const receipt = await client.receipt(job, { signal });
  const scratch = await scratchFolder(context);
  const executor = await createExecutor({ readable: [scratch], children: 1 });
  onExit(() => executor.close());
  const parts = { executor, scratch, suite: nativeSuite, signal };
  const settled = await settleReceipt(receipt, trust, parts);
  if (settled.audit.jobId !== null && hex(settled.audit.jobId) !== job)
    throw new CliError({
      code: 'CLIENT_RECEIPT_OTHER',
      message: `the node gave the receipt of another job, ${hex(settled.audit.jobId)}`,
      hint: 'Ask another node; this one is at fault.',
      exitCode: exitCodes.refuted,
    });
  return { receipt, trust, ...settled };
}

/**
 * Why a job failed, by a receipt that is audited as the node itself would trust it; null where it
 * did not, or the receipt does not prove it.
 */
export async function receiptFailure(
  client: Client,
  job: string,
  signal: AbortSignal,
): Promise<(FailureWords & JobFailure) | null> {
  const trust = parseTrust(await client.trust({ signal }));
  const receipt = await client.receipt(job, { signal });
  const { failure, job: terms } = auditReceipt(receipt, trust, { suite: nativeSuite });
  if (failure === null || terms === null) return null;
  return { ...failure, ...failureWords(failure, terms, null) };
}

/** What was paid by a receipt that was audited; null where its lanes could not be looked at. */
export function receiptBill({ receipt, ...audit }: Audit): Bill | null {
  const genesis = receipt === null ? null : tryDecode(genesisCodec, receipt.genesis);
  return genesis === null ? null : billOf(audit, genesis);
}

/** @throws CliError where a receipt does not verify; `file` is where it is kept, if it is */
export function checkVerified({ conclusion }: AuditedReceipt, file: string | null): void {
  const { verdict, code, findings } = conclusion;
  if (verdict === 'verified') return;
  const deciding = findings.find((finding) => finding.code === code);
  throw new CliError({
    code: code ?? 'RECEIPT_UNVERIFIED',
    message: `the receipt of the job does not verify: ${deciding?.because ?? verdict}`,
    hint:
      file === null
        ? 'See all findings: keep it with `anwansi job receipt`, then `anwansi verify` it.'
        : `Kept in ${file}. See all findings: anwansi verify ${file} --trust TRUST.json`,
    exitCode: verdict === 'refuted' ? exitCodes.refuted : exitCodes.inconclusive,
  });
}

/** The rendered result of a verified receipt. @throws CliError where there is none */
export function resultOf(audited: AuditedReceipt): Uint8Array {
  checkVerified(audited, null);
  const { audit, fold } = audited;
  const { failure, result } = audited.conclusion;
  if (failure !== null) throw failedJob(failure, audit.job!, null);
  if (result !== null) return result;
  throw unrenderableJob(fold, audit.job);
}

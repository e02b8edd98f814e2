/** Turn bits of a receipt of a real network and look whether an audit still believes it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nativeSha256, nativeSuite } from '../../node/crypto.ts';
import { utf8 } from '../../protocol/brand.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import { auditReceipt, concludeAudit } from '../../protocol/receipt/audit.ts';
import { devTrust } from '../../protocol/receipt/trust.ts';
import { harmlessProgram } from '../fixtures/programs/hostile.ts';
import { anwansi, documentOf, newPlace } from './anwansi-process.ts';

/** The receipt of a small program, as `run` wrote it. */
export async function smallReceipt(): Promise<Uint8Array> {
  const place = newPlace();
  try {
    writeFileSync(join(place.directory, 'harmless.wasm'), harmlessProgram);
    const ended = await anwansi(['run', './harmless.wasm', '--nodes', '4', '--json'], { place });
    if (ended.exitCode !== 0) throw new Error(`the job failed:\n${ended.err}`);
    return new Uint8Array(readFileSync(documentOf(ended).data.receipt.file));
  } finally {
    place.remove();
  }
}

/** The verdict of a reader whose sandbox would render whatever it is given. */
export function verdictOf(bytes: Uint8Array): string {
  installSha256(nativeSha256);
  const audit = auditReceipt(bytes, devTrust, { suite: nativeSuite });
  return concludeAudit(audit, { fold: { kind: 'rendered', result: utf8('anything') } }).verdict;
}

/**
 * Turns every `step`-th bit, in an order that soon has been everywhere, until `untilMs`.
 * @returns how many bits were turned, and those that nobody noticed.
 */
export function turnBits(
  receipt: Uint8Array,
  step: number,
  untilMs: number = Number.POSITIVE_INFINITY,
): { readonly turned: number; readonly free: readonly number[] } {
  const bytes = Uint8Array.from(receipt);
  const count = Math.floor((bytes.length * 8) / step);
  const rounds = 16;
  const free: number[] = [];
  let turned = 0;
  for (let round = 0; round < rounds; round++)
    for (let at = round; at < count; at += rounds) {
      if (Date.now() >= untilMs) return { turned, free };
      // Each time another bit of the byte, so that all eight places are tried.
      const bit = Math.min(at * step + (at % step), bytes.length * 8 - 1);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      if (verdictOf(bytes) === 'verified') free.push(bit);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      turned += 1;
    }
  return { turned, free };
}

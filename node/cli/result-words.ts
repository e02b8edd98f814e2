/** Tell which result a receipt proves: its hash, and its text where it is short. */
import { hex } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';

/** Bytes and lines of a text that is shown. */
const shownBytesMax = 2_048;
const shownLinesMax = 24;

/** Its hash as `sha256sum` gives it, then its text, each line behind a bar: none is of a verdict. */
export function resultLines(result: Uint8Array, file: string | null): readonly string[] {
  const where = file === null ? '' : `, in ${file}`;
  const shown = file === null ? (shownText(result) ?? []) : [];
  const first = `ok    result: ${result.length} bytes, SHA-256 ${hex(sha256(result))}${where}`;
  return [first, ...shown.map((line) => `      | ${line}`.trimEnd())];
}

/** The lines of a short text in which nothing steers a terminal; null for any other bytes. */
function shownText(result: Uint8Array): readonly string[] | null {
  if (result.length === 0 || result.length > shownBytesMax) return null;
  const text = Buffer.from(result).toString('utf8');
  if (text.includes('\ufffd') || /[^\P{C}\t\n]|[\u2028\u2029]/u.test(text)) return null;
  const lines = text.replace(/\n$/, '').split('\n');
  return lines.length > shownLinesMax ? null : lines;
}

/** The same in a JSON document. */
export function provedResult(result: Uint8Array, file: string | null) {
  return { sha256: hex(sha256(result)), ...resultDocument(result, file) };
}

/** Bytes of a result that a document holds itself. */
const inlineTextMax = 64 * 1024;

/** A result in a JSON document: where it is, or the bytes themselves if they are few. */
export function resultDocument(result: Uint8Array, file: string | null) {
  return { bytes: result.length, file, ...(file === null ? inline(result) : {}) };
}

function inline(result: Uint8Array): { readonly text?: string; readonly base64?: string } {
  if (result.length > inlineTextMax) return {};
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(result) };
  } catch {
    return { base64: Buffer.from(result).toString('base64') };
  }
}

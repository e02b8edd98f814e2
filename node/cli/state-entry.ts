/** Show what the state holds under a key, to people and to programs. */
import { hex } from '../../protocol/brand.ts';
import { readStateEntry, type StateReading } from '../../protocol/ledger/entry.ts';

/** Bytes of a value that are shown where nothing better can be said of it. */
const shownBytesMax = 32;

/** What is held, as the end of a sentence that begins with the key and "holds". */
export function entryWords(key: Uint8Array, value: Uint8Array | null, height: number): string {
  const entry = readStateEntry(key, value, height);
  if (entry !== null) return wordsOf(entry);
  if (value === null) return 'nothing';
  const rest = value.length > shownBytesMax ? '…' : '';
  return `${value.length} bytes: ${hex(value.subarray(0, shownBytesMax))}${rest}`;
}

function wordsOf(entry: StateReading): string {
  switch (entry.kind) {
    case 'account':
      return `${entry.tokens} tokens`;
    case 'job': {
      const { state, reason, includedHeight, endedHeight } = entry;
      const end = endedHeight === null ? '' : ` and ended at height ${endedHeight}`;
      return `a job that is ${state} (${reason}), ordered at height ${includedHeight}${end}`;
    }
    case 'lane':
      return `a lane that is ${entry.outcome}, in wave ${entry.waves - 1}`;
    case 'seat':
      return `the public key ${hex(entry.publicKey)}`;
    case 'recent':
      return `block ${hex(entry.hash)} of height ${entry.height}, view ${entry.view}`;
    case 'nonce':
      return entry.used ? 'a used nonce' : 'nothing: the nonce is unused';
    case 'jobs':
      return entry.ids.length === 1 ? '1 job' : `${entry.ids.length} jobs`;
  }
}

/** What is held, for a JSON document: bytes in hexadecimal; null where nothing can be said of it. */
export function entryDocument(
  key: Uint8Array,
  value: Uint8Array | null,
  height: number,
): Readonly<Record<string, unknown>> | null {
  const entry = readStateEntry(key, value, height);
  if (entry === null) return null;
  return Object.fromEntries(
    Object.entries(entry).map(([name, field]) => [
      name,
      Array.isArray(field) ? field.map(hex) : field instanceof Uint8Array ? hex(field) : field,
    ]),
  );
}

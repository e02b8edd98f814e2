/** Make and read the secret keys of a node. */
import { randomBytes } from 'node:crypto';
import { hex, unhex } from '../../protocol/brand.ts';
import { OperatorError } from './error.ts';
import { checkPrivate, makeFolder, readBounded, writeSecretOnce } from './files.ts';
import type { OperatorPaths } from './paths.ts';

/** Bytes from which all keys of a seat, or a peer id, come. */
export const seedBytes = 32;
/** Bytes of a key file: more is none of ours. */
const keyFileBytesMax = 1_024;

/** Files that {@link makeKeys} has made; those that were there already are left as they are. */
export type MadeKeys = { readonly made: readonly string[]; readonly kept: readonly string[] };

/** Makes the keys that are not there yet, by this machine's randomness. @throws OperatorError */
export async function makeKeys(paths: OperatorPaths): Promise<MadeKeys> {
  await makeFolder(paths.keys);
  await checkPrivate(paths.keys);
  const made: string[] = [];
  const kept: string[] = [];
  for (const file of [paths.seatKey, paths.peerKey, paths.apiToken]) {
    const isNew = await writeSecretOnce(file, `${hex(randomBytes(seedBytes))}\n`);
    (isNew ? made : kept).push(file);
  }
  return { made, kept };
}

/** Reads a key file. @throws OperatorError `KEY_MISSING`, `KEY_MODE`, `KEY_MALFORMED` */
export async function readKey(paths: OperatorPaths, file: string): Promise<Uint8Array> {
  const bytes = await readBounded(file, keyFileBytesMax);
  if (bytes === null) throw new OperatorError({ code: 'KEY_MISSING', file });
  await checkPrivate(paths.keys);
  await checkPrivate(file);
  const text = bytes === 'too-long' ? null : new TextDecoder('latin1').decode(bytes);
  const seed = text === null ? null : unhex(text.replace(/\r?\n$/, ''));
  if (seed?.length === seedBytes) return seed;
  // Never what stands in it: it may be most of a secret.
  const reason = `it is not ${2 * seedBytes} lower-case hexadecimal digits and a line end`;
  throw new OperatorError({ code: 'KEY_MALFORMED', file, reason });
}

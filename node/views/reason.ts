/** Turn a stable code into what it means and what to do. */
import { assert } from '../../protocol/assert.ts';
import type { JobView } from '../api/contract.ts';
import { codeEntry } from '../cli/codes.ts';

export type Reason = NonNullable<JobView['reason']>;

/** The catalogue's words on a code. Every code that a node says has an entry. */
export function reasonOf(code: string): Reason {
  const entry = codeEntry(code);
  assert(entry !== undefined, 'every code of ours is in the catalogue');
  const { meaning, remedy } = entry;
  return { code, meaning, remedy };
}

/** Turn a code into sentences, and find the code that somebody meant. */

import { editDistance } from '../nearest.ts';
import type { CodeEntry } from './codes/entry.ts';
import { codeCatalogue } from './codes.ts';

/** Codes that are offered in place of one that is not there. */
const suggestionCountMax = 3;

/** A code's entry as a person reads it. */
export function explainEntry({ code, meaning, cause, remedy, exitCode }: CodeEntry): string {
  return [
    code,
    `  what   ${meaning}`,
    `  why    ${cause}`,
    `  remedy ${remedy}`,
    exitCode === null ? '  exit   none: a node’s judgement of a peer' : `  exit   ${exitCode}`,
  ].join('\n');
}

/** Codes that look like what was asked for, likest first: a few, or none. */
export function nearestCodes(asked: string): readonly string[] {
  const wanted = asked.toUpperCase().replaceAll('-', '_');
  const reach = Math.max(2, Math.floor(wanted.length / 3));
  return codeCatalogue
    .map(({ code }) => ({ code, distance: code.includes(wanted) ? 1 : editDistance(wanted, code) }))
    .filter(({ distance }) => wanted !== '' && distance <= reach)
    .sort((a, b) => a.distance - b.distance || (a.code < b.code ? -1 : 1))
    .slice(0, suggestionCountMax)
    .map(({ code }) => code);
}

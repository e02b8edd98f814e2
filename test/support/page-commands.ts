/** Read the commands of a page of documentation, each with what it says that they print. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from './anwansi-process.ts';

export type PageCommand = {
  /** The lines of the page, as one would copy them. */
  readonly text: string;
  /** What the page says that they print. */
  readonly expected: string;
};

/** Blocks of commands that a block of output follows at once. */
export function pageCommands(page: string): readonly PageCommand[] {
  const text = readFileSync(join(packageRoot, 'docs', page), 'utf8');
  const found = text.matchAll(/^```sh\n([\s\S]*?)^```\n\n```json\n([\s\S]*?)\n```$/gm);
  return [...found].map(([, commands, expected]) => ({ text: commands!, expected: expected! }));
}

/**
 * Runs such a block by a real shell in a folder, but for `npm run -s anwansi --`, or `anwansi`.
 * @returns The words that `anwansi` was given, as the shell took them.
 */
export function wordsOf({ text }: Pick<PageCommand, 'text'>, directory: string): string[] {
  const told = `printf '%s\\0' "$@"`;
  const script = `npm() { shift 4; ${told}; }\nanwansi() { ${told}; }\n${text}`;
  const out = execFileSync('sh', ['-euc', script], { cwd: directory, encoding: 'utf8' });
  return out.split('\0').slice(0, -1);
}

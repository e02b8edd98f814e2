/** Explain a code of an error or of a wait. */
import { codeCatalogue, codeEntry } from '../codes.ts';
import { defineCommand } from '../command.ts';
import { CliError, exitCodes } from '../error.ts';
import { explainEntry, nearestCodes } from '../explain.ts';
import { table } from '../output.ts';

export const explain = defineCommand({
  name: 'explain',
  summary: 'Explain a code: what it means, why it comes about, what to do.',
  examples: [
    ['anwansi explain STORE_LOCKED', 'One code.'],
    ['anwansi explain out-of-fuel', 'Why an item failed, as a receipt says it.'],
    ['anwansi explain', 'All codes, a line each.'],
  ],
  arguments: {
    code: { kind: 'text', optional: true, describe: 'A code as messages show it.' },
  },
  run: async ({ output }, { code }) => {
    if (code === undefined) {
      const rows = codeCatalogue.map((entry) => [entry.code, entry.meaning]);
      output.result({ codes: codeCatalogue.map(document) }, table([['code', 'meaning'], ...rows]));
      return;
    }
    const entry = codeEntry(code.toUpperCase().replaceAll('-', '_'));
    if (entry === undefined) {
      const near = nearestCodes(code);
      throw new CliError({
        code: 'CODE_UNKNOWN',
        message: `there is no code ${code}`,
        hint:
          near.length > 0
            ? `Did you mean ${near.join(' or ')}?`
            : 'See `anwansi explain` for the list of all codes.',
        exitCode: exitCodes.notFound,
      });
    }
    output.result(document(entry), explainEntry(entry));
  },
});

function document({ code, meaning, cause, remedy, exitCode }: (typeof codeCatalogue)[number]) {
  return { code, meaning, cause, remedy, exit_code: exitCode };
}

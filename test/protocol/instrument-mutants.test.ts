// Goal: no bytes make the rewriter do other than answer, and what it makes of a mutant that the
// engine takes, the engine takes.
// Method: every prefix of both example programs, and seeded mutations of them.
import { describe, expect, test } from 'vitest';
import { validateModule } from '../../node/executor/engine.ts';
import { instrument } from '../../protocol/execution/instrument.ts';
import { exampleNames, exampleProgram, wide } from '../support/modules.ts';
import { numbers } from '../support/small-code.ts';

const programs = exampleNames.map(exampleProgram);

describe('broken programs', () => {
  test('no prefix of a program is more than a rejection', () => {
    for (const bytes of programs)
      for (let length = 0; length < bytes.length; length++) {
        const made = instrument(bytes.subarray(0, length));
        // What ends between two sections in front of the code may be a module of its own.
        if (made.kind === 'ok')
          expect(validateModule(made.bytes) || !validateModule(bytes.subarray(0, length))).toBe(
            true,
          );
        else expect(made.offset).toBeLessThanOrEqual(length);
      }
  });

  test('4 000 mutations: what the engine takes of them, it takes rewritten', () => {
    const pick = numbers(1729);
    const seen = { invalidRefused: 0, invalidTaken: 0, validRefused: 0, validTaken: 0 };
    for (const bytes of programs)
      for (let round = 0; round < 2_000; round++) {
        const mutant = bytes.slice();
        for (let change = pick(3); change >= 0; change--) {
          const at = pick(mutant.length);
          if (pick(4) === 0) mutant.copyWithin(at, pick(mutant.length), at + pick(12));
          else mutant[at] = pick(256);
        }
        const valid = validateModule(mutant);
        const made = instrument(mutant, round % 2 === 0 ? {} : { limits: wide, imports: 'any' });
        if (made.kind === 'rejected') seen[valid ? 'validRefused' : 'invalidRefused'] += 1;
        else {
          seen[valid ? 'validTaken' : 'invalidTaken'] += 1;
          if (valid) expect(validateModule(made.bytes), `round ${round}`).toBe(true);
        }
      }
    for (const kind of ['invalidRefused', 'invalidTaken', 'validTaken'] as const)
      expect(seen[kind], kind).toBeGreaterThan(10);
  });
});

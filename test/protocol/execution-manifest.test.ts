// Goal: what a program says about itself travels inside it, unchanged, and changes nothing else.
// Method: any manifest packed into a harmless program and read back.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { validateModule } from '../../node/executor/engine.ts';
import { admitProgram } from '../../protocol/execution/admit.ts';
import {
  type CutRule,
  defaultManifest,
  type Manifest,
  packProgram,
  programManifest,
} from '../../protocol/execution/manifest.ts';
import { ProgramError } from '../../protocol/execution/rejection.ts';
import { itemBytesMax } from '../../protocol/params.ts';
import { program } from '../fixtures/programs/assemble.ts';

const real = { validate: validateModule };

describe('manifest', () => {
  const cut: fc.Arbitrary<CutRule> = fc.oneof(
    fc.constant<CutRule>({ kind: 'lines' }),
    fc.constant<CutRule>({ kind: 'whole' }),
    fc.integer({ min: 1, max: itemBytesMax }).map((bytes): CutRule => ({ kind: 'fixed', bytes })),
  );
  const manifest: fc.Arbitrary<Manifest> = fc.record({
    abi: fc.constant(1 as const),
    name: fc.string({ maxLength: 64, unit: 'binary' }).filter((name) => name.length <= 64),
    version: fc.string({ maxLength: 32 }),
    cut,
  });

  test('what is packed is read back, and the program stays a program', () => {
    fc.assert(
      fc.property(manifest, (packed) => {
        const bytes = packProgram(program(), packed);
        expect(programManifest(bytes)).toEqual(packed);
        expect(admitProgram(bytes, real)).toMatchObject({ kind: 'ok', manifest: packed });
      }),
    );
    expect(programManifest(program())).toEqual(defaultManifest);
    expect(() => programManifest(new Uint8Array(3))).toThrow(ProgramError);
  });
});

// Goal: what a program says about itself travels inside it, unchanged, and changes nothing else.
// Method: any manifest packed into a harmless program and read back.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { validateModule } from '../../node/executor/engine.ts';
import { codec, tryDecode } from '../../protocol/codec/codec.ts';
import { type Shape, struct, text, uint, union } from '../../protocol/codec/schema.ts';
import { admitProgram } from '../../protocol/execution/admit.ts';
import {
  type CutRule,
  defaultManifest,
  type Manifest,
  manifestSection,
  packProgram,
  programManifest,
} from '../../protocol/execution/manifest.ts';
import { ProgramError } from '../../protocol/execution/rejection.ts';
import { itemBytesMax } from '../../protocol/params.ts';
import { custom, program } from '../fixtures/programs/assemble.ts';

const real = { validate: validateModule };

/** The same encoding by the codec that all other types have. */
const oracle = codec<Manifest>(
  'manifest',
  1_024,
  struct({
    abi: uint(1, 1) as Shape<1>,
    name: text(64),
    version: text(32),
    cut: union({
      lines: struct({}),
      fixed: struct({ bytes: uint(itemBytesMax, 1) }),
      whole: struct({}),
    }),
  }),
);

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
    for (const name of ['x'.repeat(65), '\ud800'])
      expect(() => packProgram(program(), { ...defaultManifest, name })).toThrow();
    expect(() => programManifest(new Uint8Array(3))).toThrow(ProgramError);
  });

  test('it is the encoding of the codec, for any bytes', () => {
    const section = (content: Uint8Array): Uint8Array =>
      program({}, [], { raw: [{ id: 0, content: custom(manifestSection, [...content]) }] });
    const read = (content: Uint8Array): Manifest | null => {
      try {
        return programManifest(section(content));
      } catch (error) {
        if (error instanceof ProgramError && error.code === 'PROGRAM_MANIFEST') return null;
        throw error;
      }
    };
    const seen = { read: 0, refused: 0 };
    const agree = (content: Uint8Array): void => {
      const found = read(content);
      expect(found).toEqual(tryDecode(oracle, content));
      seen[found === null ? 'refused' : 'read'] += 1;
    };
    const change = fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('set', 'insert', 'drop'));
    fc.assert(
      fc.property(manifest, fc.array(change, { maxLength: 3 }), (packed, changes) => {
        const content = [...oracle.encode(packed)];
        agree(Uint8Array.from(content));
        for (const [place, byte, how] of changes) {
          const at = place % (content.length + 1);
          if (how === 'drop') content.splice(at, 1);
          else content.splice(at, how === 'set' ? 1 : 0, byte);
        }
        agree(Uint8Array.from(content));
      }),
      { numRuns: 3_000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), agree), { numRuns: 3_000 });
    const plain = [...oracle.encode(defaultManifest)];
    for (let at = 0; at < plain.length; at++)
      for (let byte = 0; byte < 256; byte++) agree(Uint8Array.from(plain.with(at, byte)));
    expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(1_000);
  });
});

/** Carry a program's name, version and cut rule inside the program. */
import { assert, mark } from '../assert.ts';
import { concatBytes, utf8 } from '../brand.ts';
import { codec, tryDecode } from '../codec/codec.ts';
import { type Shape, type ShapeOf, struct, text, uint, union } from '../codec/schema.ts';
import { itemBytesMax } from '../params.ts';
import { type CustomSection, readModule } from './module.ts';
import { ProgramError } from './rejection.ts';

/** Name of the custom section that holds the manifest. */
export const manifestSection = 'anwansi.abi';
/** Characters of a program's name and of its version. */
export const programNameMax = 64;
export const programVersionMax = 32;
const manifestBytesMax = 1_024;

/** How an input is cut into items: at line ends, every so many bytes, or not at all. */
export const cutRuleShape = union({
  lines: struct({}),
  fixed: struct({ bytes: uint(itemBytesMax, 1) }),
  whole: struct({}),
});
export type CutRule = ShapeOf<typeof cutRuleShape>;

/** What a program says about itself. */
export type Manifest = {
  readonly abi: 1;
  readonly name: string;
  readonly version: string;
  readonly cut: CutRule;
};

/** What holds for a program that says nothing. */
export const defaultManifest: Manifest = {
  abi: 1,
  name: '',
  version: '',
  cut: { kind: 'lines' },
};

const manifestCodec = codec<Manifest>(
  'manifest',
  manifestBytesMax,
  struct({
    abi: uint(1, 1) as Shape<1>,
    name: text(programNameMax),
    version: text(programVersionMax),
    cut: cutRuleShape,
  }),
);

/**
 * The manifest in a program, or {@link defaultManifest}. Total for an admitted program.
 * @throws {@link ProgramError} for bytes that are no module, or whose manifest cannot be read.
 */
export function programManifest(bytes: Uint8Array): Manifest {
  return manifestOf(bytes, readModule(bytes).customs);
}

/** As {@link programManifest}, for a module that was read already. */
export function manifestOf(bytes: Uint8Array, customs: readonly CustomSection[]): Manifest {
  const [section, second] = customs.filter(({ name }) => name === manifestSection);
  if (section === undefined) return defaultManifest;
  const manifest = tryDecode(manifestCodec, bytes.slice(section.start, section.end));
  if (manifest === null || second !== undefined) {
    mark('X13');
    const reason =
      second === undefined
        ? `the custom section ${manifestSection} is not a manifest; write it with the packer`
        : `two custom sections ${manifestSection}; expected one`;
    throw new ProgramError('PROGRAM_MANIFEST', (second ?? section).start, reason);
  }
  return manifest;
}

/** A program with its manifest appended. The program must not have one. */
export function packProgram(bytes: Uint8Array, manifest: Manifest): Uint8Array {
  assert(
    readModule(bytes).customs.every(({ name }) => name !== manifestSection),
    'a program is packed once',
  );
  const name = utf8(manifestSection);
  const body = concatBytes(Uint8Array.of(name.length), name, manifestCodec.encode(manifest));
  return concatBytes(bytes, Uint8Array.of(0, (body.length & 0x7f) | 0x80, body.length >> 7), body);
}

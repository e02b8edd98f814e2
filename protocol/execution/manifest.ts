/** Carry a program's name, version and cut rule inside the program. */
import { assert, mark } from '../assert.ts';
import { concatBytes, sameBytes, utf8 } from '../brand.ts';
import { itemBytesMax } from '../params.ts';
import { type CustomSection, readModule } from './module.ts';
import { ProgramError } from './rejection.ts';

/** Name of the custom section that holds the manifest. */
export const manifestSection = 'anwansi.abi';
/** Characters of a program's name and of its version. */
export const programNameMax = 64;
export const programVersionMax = 32;

/** How an input is cut into items: at line ends, every so many bytes, or not at all. */
export type CutRule =
  | { readonly kind: 'lines' }
  | { readonly kind: 'fixed'; readonly bytes: number }
  | { readonly kind: 'whole' };
const cutKinds = ['lines', 'fixed', 'whole'] as const;

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

/** Majors of CBOR that a manifest is made of. */
const integer = 0;
const text = 3;
const array = 4;

function head(major: number, value: number): number[] {
  if (value < 24) return [(major << 5) | value];
  const width = value < 2 ** 8 ? 0 : value < 2 ** 16 ? 1 : 2;
  const bytes = Array.from({ length: 1 << width }, (_, at) => (value >>> (8 * at)) & 0xff);
  return [(major << 5) | (24 + width), ...bytes.reverse()];
}

/** The dag-cbor of `[1, name, version, cut]`: small enough to be written without the codec. */
function encode({ abi, name, version, cut }: Manifest): Uint8Array {
  const texts = [name, version].map(utf8).map((it) => [...head(text, it.length), ...it]);
  const fields = cut.kind === 'fixed' ? [...head(array, 1), ...head(integer, cut.bytes)] : [0x80];
  const rule = [...head(array, 2), ...head(integer, cutKinds.indexOf(cut.kind)), ...fields];
  return Uint8Array.from([...head(array, 4), ...head(integer, abi), ...texts.flat(), ...rule]);
}

/**
 * Null for bytes that do not encode a manifest. What was read is written again and compared, so
 * that reading may be lax. A sandbox reads manifests, which is why no package is needed for it.
 */
function decode(bytes: Uint8Array): Manifest | null {
  let at = 0;
  const next = (): number => {
    const short = bytes[at++]! & 31;
    if (short < 24) return short;
    let value = 0;
    for (const end = at + (1 << (short - 24)); at < end; at++)
      value = value * 256 + (bytes[at] ?? 0);
    return value;
  };
  const word = (): string => {
    const length = next();
    at += length;
    return decoder.decode(bytes.subarray(at - length, at));
  };
  next();
  next();
  const [name, version] = [word(), word()];
  next();
  const kind = cutKinds[next()];
  const cut = next() === 1 && kind === 'fixed' ? { kind, bytes: next() } : { kind };
  if (cut.kind === undefined) return null;
  const manifest = { abi: 1, name, version, cut: cut as CutRule } as const;
  return isManifest(manifest) && sameBytes(encode(manifest), bytes) ? manifest : null;
}

/** Each malformed byte becomes a character of another encoding. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function isManifest({ name, version, cut }: Manifest): boolean {
  if (name.length > programNameMax || version.length > programVersionMax) return false;
  if (cut.kind !== 'fixed') return true;
  return Number.isInteger(cut.bytes) && cut.bytes >= 1 && cut.bytes <= itemBytesMax;
}

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
  const manifest = decode(bytes.subarray(section.start, section.end));
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
  const { name: own, version } = manifest;
  assert(isManifest(manifest) && `${own}${version}`.isWellFormed(), 'a manifest is within limits');
  assert(
    readModule(bytes).customs.every(({ name }) => name !== manifestSection),
    'a program is packed once',
  );
  const name = utf8(manifestSection);
  const body = concatBytes(Uint8Array.of(name.length), name, encode(manifest));
  return concatBytes(bytes, Uint8Array.of(0, (body.length & 0x7f) | 0x80, body.length >> 7), body);
}

// Goal: what travels has one encoding, the same in every version that calls itself version 1.
// Method: 1,024 seeded values of each wire type; all encodings pinned by one hash a type in
// spec/vectors/conformance.json (UPDATE_VECTORS=1 rewrites it); one law for all types.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { nativeSha256 } from '../../node/crypto.ts';
import { concatBytes, hex, sameBytes } from '../../protocol/brand.ts';
import { tryDecode } from '../../protocol/codec/codec.ts';
import { installSha256, sha256, uint64 } from '../../protocol/crypto/hash.ts';
import { wireTypes } from '../support/wire-cases.ts';

installSha256(nativeSha256);

const caseCount = 1_024;
const root = fileURLToPath(new URL('../..', import.meta.url));
const file = join(root, 'spec/vectors/conformance.json');

/** What is pinned of a type: all cases by their hash, and the first for whoever looks for a start. */
type Pin = {
  readonly cases: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly first: string;
};

const encodings = new Map(
  wireTypes.map(({ name, codec, value }) => [
    name,
    Array.from({ length: caseCount }, (_, index) => codec.encode(value(index))),
  ]),
);

/** SHA-256 over the length (8 bytes, big-endian) and the bytes of each case, in order. */
function pin(cases: readonly Uint8Array[]): Pin {
  const framed = cases.flatMap((bytes) => [uint64(bytes.length), bytes]);
  const bytes = cases.reduce((sum, { length }) => sum + length, 0);
  const digest = hex(sha256(concatBytes(...framed)));
  return { cases: cases.length, bytes, sha256: digest, first: hex(cases[0]!) };
}

const pins = Object.fromEntries([...encodings].map(([name, cases]) => [name, pin(cases)]));
const { UPDATE_VECTORS } = process.env;
if (UPDATE_VECTORS === '1') writeFileSync(file, `${JSON.stringify(pins, null, 2)}\n`);
const pinned = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Pin>;

test('every wire type has its vectors, and no other has', () => {
  expect(Object.keys(pinned)).toEqual(wireTypes.map(({ name }) => name));
  expect(new Set(Object.values(pinned).map((one) => one.sha256)).size).toBe(wireTypes.length);
});

test('every codec that the core exports is among them', async () => {
  const names = readdirSync(join(root, 'protocol'), { recursive: true, encoding: 'utf8' });
  const found: string[] = [];
  for (const name of names.filter((one) => one.endsWith('.ts'))) {
    const module = await import(pathToFileURL(join(root, 'protocol', name)).href);
    for (const value of Object.values<{ decode?: unknown; bytesMax?: number; name?: string }>(
      module,
    ))
      if (typeof value?.decode === 'function' && typeof value.bytesMax === 'number')
        found.push(value.name!);
  }
  expect([...new Set(found)].sort()).toEqual(wireTypes.map(({ name }) => name).sort());
});

/** An array of fewer than 24 entries, in three ways that CBOR allows and we do not. */
function otherForms(bytes: Uint8Array): readonly Uint8Array[] {
  const [head = 0, ...rest] = bytes;
  const count = head - 0x80;
  return [
    Uint8Array.from([0x98, count, ...rest]), // a head that is longer than needed
    Uint8Array.from([0x9f, ...rest, 0xff]), // no definite length
    Uint8Array.from([0xc1, ...bytes]), // a tag
    Uint8Array.from([head + 1, ...rest, 0xf6]), // one field more
    Uint8Array.from([0x81, ...bytes]), // one array more
  ];
}

describe.each(wireTypes)('$name', ({ name, codec, value }) => {
  const cases = encodings.get(name)!;

  test('is encoded as it was', () => {
    expect(pins[name]).toEqual(pinned[name]);
    const different = new Set(cases.map((bytes) => hex(sha256(bytes))));
    expect(different.size).toBeGreaterThan(caseCount / 2);
  });

  test('comes back as it went, and no other bytes mean the same', () => {
    const refused = (bytes: Uint8Array): boolean => tryDecode(codec, bytes) === null;
    for (const [index, bytes] of cases.entries()) {
      const decoded = codec.decode(bytes);
      if (index % 16 === 0) expect(decoded).toEqual(value(index));
      expect(sameBytes(codec.encode(decoded), bytes)).toBe(true);
      if (index % 4 !== 0) continue;
      const cut = (index / 4) % bytes.length;
      expect(refused(bytes.subarray(0, cut)), `case ${index} cut to ${cut}`).toBe(true);
      expect(refused(concatBytes(bytes, Uint8Array.of(index & 255))), `case ${index}`).toBe(true);
      if (index % 16 === 0)
        for (const [form, other] of otherForms(bytes).entries())
          expect(refused(other), `case ${index}, form ${form}`).toBe(true);
      // A flipped bit is another value or none, never the same one.
      const at = (index * 7) % bytes.length;
      const bent = tryDecode(codec, bytes.with(at, bytes[at]! ^ (1 << (index % 8))));
      if (bent !== null) expect(sameBytes(codec.encode(bent), bytes)).toBe(false);
    }
  });

  test('is refused above its limit, unread', () => {
    expect(() => codec.decode(new Uint8Array(codec.bytesMax + 1))).toThrow('bytes where at most');
    expect(tryDecode(codec, new Uint8Array())).toBeNull();
  });
});

test('a change of one byte in one case is seen by its pin', () => {
  const [first] = wireTypes;
  const cases = [...encodings.get(first!.name)!];
  expect(pin(cases)).toEqual(pinned[first!.name]);
  cases[512] = cases[512]!.with(0, cases[512]![0]! ^ 1);
  expect(pin(cases).sha256).not.toBe(pinned[first!.name]!.sha256);
  expect(pin(cases.slice(1))).not.toEqual(pinned[first!.name]);
});

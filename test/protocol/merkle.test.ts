// Goal: roots, proofs and content ids are the bytes that others compute, line by line.
// Method: published RFC 6962 vectors; map and content-id vectors computed apart by another
// program (Python's hashlib); then, for each kind of check, a twin that must be refused.
import { describe, expect, test } from 'vitest';
import { hex, unhex, utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import * as blob from '../../protocol/merkle/blob.ts';
import * as list from '../../protocol/merkle/list.ts';
import * as map from '../../protocol/merkle/map.ts';
import { type MapProof, proveKey, verifyMapProof } from '../../protocol/merkle/proof.ts';
import { blobBlockBytes, blobBytesMax } from '../../protocol/params.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('merkle');

// From the tests of Certificate Transparency: eight leaves, the root of each prefix, and paths.
const leaves = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((text) => unhex(text)!);
const roots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const [leaf1, leaf4] = [
  '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
  'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
];
const [node23, node45, node67, node4567] = [
  '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
  '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
  'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
  '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
];
const paths: readonly (readonly [index: number, size: number, path: readonly unknown[]])[] = [
  [0, 1, []],
  [0, 8, [leaf1, node23, node4567]],
  [5, 8, [leaf4, node67, roots[4]]],
  [2, 3, [roots[2]]],
  [1, 5, [roots[1], node23, leaf4]],
];
const growths: readonly (readonly [older: number, newer: number, path: readonly unknown[]])[] = [
  [0, 8, []],
  [1, 1, []],
  [1, 8, [leaf1, node23, node4567]],
  [6, 8, [node45, node67, roots[4]]],
  [2, 5, [node23, leaf4]],
];

describe('lists, by published vectors', () => {
  test.each(roots.map((root, size) => [size, root] as const))('root of %i leaves', (size, root) => {
    const prefix = leaves.slice(0, size);
    expect(hex(list.listRoot(prefix))).toBe(root);
    expect(hex(list.listRootOfHashes(prefix.map(list.leafHash)))).toBe(root);
    expect(hex(list.frontierRoot(list.frontierOf(prefix)))).toBe(root);
  });

  test.each(paths)('leaf %i of %i', (index, size, path) => {
    const proof = list.inclusionProof(leaves.slice(0, size), index);
    expect(proof.map(hex)).toEqual(path);
    const claim = { root: unhex(roots[size]!)!, size, index, leaf: leaves[index]!, proof };
    expect(list.verifyInclusion(claim)).toBe(true);
    expect(list.verifyInclusion({ ...claim, leaf: utf8('no') })).toBe(false);
  });

  test.each(growths)('from %i leaves to %i', (oldSize, newSize, path) => {
    const proof = list.consistencyProof(leaves.slice(0, newSize), oldSize);
    expect(proof.map(hex)).toEqual(path);
    const [oldRoot, newRoot] = [unhex(roots[oldSize]!)!, unhex(roots[newSize]!)!];
    const claim = { oldRoot, oldSize, newRoot, newSize, proof };
    expect(list.verifyConsistency(claim)).toBe(true);
    expect(list.verifyConsistency({ ...claim, oldRoot: unhex(roots[3]!)! })).toBe(false);
    expect(list.verifyConsistency({ ...claim, proof: [...proof, sha256(utf8('x'))] })).toBe(false);
  });

  test('malformed claims are refused, whatever is in them', () => {
    const root = unhex(roots[8]!)!;
    const proof = list.inclusionProof(leaves, 5);
    const claim = { root, size: 8, index: 5, leaf: leaves[5]!, proof };
    expect(list.verifyInclusion(claim)).toBe(true);
    const long = Array.from({ length: 55 }, () => root);
    for (const bad of [
      ...[-1, 5.5, 8, Number.NaN, 2 ** 53].map((index) => ({ index })),
      ...[-8, 0, 5, 7.5, 8.5, Number.POSITIVE_INFINITY, 2 ** 53].map((size) => ({ size })),
      ...[[], long, proof.slice(1), [...proof, root]].map((proof) => ({ proof })),
      { proof: proof.with(1, proof[1]!.subarray(1) as never) },
      { root: root.subarray(1) },
    ])
      expect(list.verifyInclusion({ ...claim, ...bad }), JSON.stringify(bad)).toBe(false);

    const growth = { oldRoot: unhex(roots[6]!)!, oldSize: 6, newRoot: root, newSize: 8 };
    const full = { ...growth, proof: list.consistencyProof(leaves, 6) };
    expect(list.verifyConsistency(full)).toBe(true);
    for (const bad of [
      ...[-1, 0, 5.5, 9, Number.NaN, 2 ** 53].map((oldSize) => ({ oldSize })),
      ...[-8, 5, 6, 7.5, Number.NaN, 2 ** 53].map((newSize) => ({ newSize })),
      ...[[], long, full.proof.slice(1)].map((proof) => ({ proof })),
      { oldRoot: root.subarray(1) },
      { newRoot: root.subarray(1) },
    ])
      expect(list.verifyConsistency({ ...full, ...bad }), JSON.stringify(bad)).toBe(false);
  });

  test('an inner node does not pass as a leaf, nor a doubled last leaf as another list', () => {
    const four = leaves.slice(0, 4);
    const inside = new Uint8Array(64);
    inside.set(list.leafHash(four[0]!));
    inside.set(list.leafHash(four[1]!), 32);
    const proof = list.inclusionProof(four, 0).slice(1);
    const claim = { root: list.listRoot(four), size: 2, index: 0, leaf: inside, proof };
    expect(list.verifyInclusion(claim)).toBe(false);
    expect(hex(list.listRoot(leaves.slice(0, 3)))).not.toBe(
      hex(list.listRoot([...leaves.slice(0, 3), leaves[2]!])),
    );
  });
});

describe('keyed state, by vectors computed apart', () => {
  const entry = (key: string, value: string) => ({ key: utf8(key), value: utf8(value) });
  const four = [entry('alpha', '1'), entry('beta', '2'), entry('gamma', ''), entry('delta', '4')];
  const hundred = Array.from({ length: 100 }, (_, i) => ({
    key: Uint8Array.of(i),
    value: Uint8Array.of(i, i),
  }));

  test.each([
    [0, [], '00'.repeat(32)],
    [1, four.slice(0, 1), 'dcd83fd97f85c82ef0bd756643b37f5c926b4dc3d188071b4dc03d8e13344669'],
    [2, four.slice(0, 2), '0e3bc19afa507bc3c1a89813dcfb5a65304ca5a43fbe5737e9449726ba1c0441'],
    [4, four, '7372798e9b17b846c5aea2d26d2707e5f15f1026afbefa44e7bc3459039dff6c'],
    [100, hundred, 'c0eb20c0e6896a45984e214abe72c16b2d407fd5cf9bbb52263a1db272e17b37'],
  ] as const)('root of %i keys', (size, entries, root) => {
    const state = map.mapUpdate(map.emptyMap, entries);
    expect(hex(map.mapRoot(state))).toBe(root);
    expect(map.mapSize(state)).toBe(size);
  });

  test('a batch: the later change counts, sameness and deletion leave no trace', () => {
    const one = map.mapUpdate(map.emptyMap, four.slice(0, 1));
    const twice = map.mapUpdate(map.emptyMap, [entry('alpha', '0'), entry('alpha', '1')]);
    expect(hex(map.mapRoot(twice))).toBe(hex(map.mapRoot(one)));
    expect(map.mapUpdate(one, four.slice(0, 1))).toBe(one);
    expect(map.mapUpdate(one, [{ key: utf8('absent'), value: null }])).toBe(one);
    const all = map.mapUpdate(one, four);
    const gone = map.mapUpdate(
      all,
      four.slice(1).map(({ key }) => ({ key, value: null })),
    );
    expect(gone.top).toBe(one.top);
    expect(map.mapUpdate(gone, [{ key: utf8('alpha'), value: null }])).toEqual(map.emptyMap);
    expect(map.mapGet(all, utf8('gamma'))).toEqual(new Uint8Array(0));
    expect(map.mapGet(all, utf8('epsilon'))).toBeNull();
  });

  test('presence and absence are proved, and each is refused for the other', () => {
    const state = map.mapUpdate(map.emptyMap, hundred);
    const root = map.mapRoot(state);
    for (const { key, value } of hundred) {
      const proof = proveKey(state, key);
      expect(verifyMapProof(root, key, value, proof)).toBe(true);
      expect(verifyMapProof(root, key, utf8('no'), proof)).toBe(false);
      expect(verifyMapProof(root, key, null, proof)).toBe(false);
    }
    const ends = new Set<string>();
    for (let i = 100; i < 256; i++) {
      const key = Uint8Array.of(i);
      const proof = proveKey(state, key);
      ends.add(proof.other === null ? 'at nothing' : 'at another leaf');
      expect(verifyMapProof(root, key, null, proof)).toBe(true);
      expect(verifyMapProof(root, key, Uint8Array.of(i, i), proof)).toBe(false);
      // The neighbour that stands in the way is no neighbour of a present key.
      const present = { ...proveKey(state, hundred[7]!.key), other: proof.other };
      expect(verifyMapProof(root, hundred[7]!.key, null, present)).toBe(false);
    }
    expect(ends.size).toBe(2);
    expect(verifyMapProof(map.mapRoot(map.emptyMap), utf8('x'), null, none)).toBe(true);
    expect(verifyMapProof(root, utf8('x'), null, none)).toBe(false);
  });

  const none: MapProof = { bitmap: new Uint8Array(0), siblings: [], other: null };

  test('malformed proofs are refused', () => {
    const state = map.mapUpdate(map.emptyMap, hundred);
    const { key, value } = hundred[3]!;
    const proof = proveKey(state, key);
    const { bitmap, siblings } = proof;
    for (const bad of [
      { bitmap: Uint8Array.of(...bitmap, 0) },
      { bitmap: new Uint8Array(33).fill(1) },
      { bitmap: new Uint8Array(0) },
      { siblings: siblings.slice(1) },
      { siblings: [...siblings, siblings[0]!] },
      { siblings: siblings.with(0, new Uint8Array(32)) },
      { siblings: siblings.with(0, siblings[0]!.subarray(1)) },
      { other: { path: map.mapPath(key), valueHash: sha256(value) } },
    ])
      expect(verifyMapProof(map.mapRoot(state), key, value, { ...proof, ...bad })).toBe(false);
  });

  test('an inner node does not pass as a leaf that stands in the way', () => {
    const { top } = map.mapUpdate(map.emptyMap, hundred);
    if (top?.kind !== 'inner') throw new Error('a hundred keys have an inner node');
    const root = map.nodeHash(top);
    const other = { path: map.nodeHash(top.left), valueHash: map.nodeHash(top.right) };
    // Without the second, tagged hash of a leaf this would prove every key absent.
    expect(hex(map.mapInnerHash(other.path, other.valueHash))).toBe(hex(root));
    expect(verifyMapProof(root, hundred[0]!.key, null, { ...none, other })).toBe(false);
  });
});

describe('content ids, by vectors computed apart', () => {
  const longer = new Uint8Array(blobBlockBytes + 1);
  const entries = [new Uint8Array(0), Uint8Array.of(1), utf8('three')];

  test.each([
    ['nothing', '', 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'],
    ['a word', 'anwansi', 'bafkreiag2pfuzkhjplwxzv4zsep3aoz4fxoayv5pdullagqwpk3gzl2ej4'],
  ])('of %s', (_, content, id) => {
    const cid = blob.blobCid(utf8(content));
    expect(blob.formatCid(cid)).toBe(id);
    expect(blob.parseCid(id)).toEqual(cid);
    expect(blob.manifestOf(utf8(content))).toBeNull();
    expect(blob.verifyBlock(cid, utf8(content))).toBe(true);
    expect(blob.verifyBlock(cid, utf8(`${content}!`))).toBe(false);
  });

  test('of a blob longer than a block, by its manifest', () => {
    const cid = blob.blobCid(longer);
    expect(blob.formatCid(cid)).toBe('bafyreieaocc5rmy5sm5hyvgdrclp4a4u7pcatwvk525wmsjri5krfcgw6e');
    const manifest = blob.manifestOf(longer)!;
    const bytes = blob.manifestCodec.encode(manifest);
    expect(blob.readManifest(cid, bytes)).toEqual(manifest);
    expect(blob.verifyBlock(cid, bytes)).toBe(true);
    expect(blob.verifyBlock(cid, longer)).toBe(false);
    const [first, second] = manifest.blocks;
    expect(blob.verifyBlock(first!, longer.subarray(0, blobBlockBytes))).toBe(true);
    expect(blob.verifyBlock(second!, longer.subarray(blobBlockBytes))).toBe(true);
    expect(blob.verifyBlock(second!, longer.subarray(0, blobBlockBytes))).toBe(false);
    // A block longer than a block is none, even when its hash is right.
    expect(blob.verifyBlock(blob.rawCid(sha256(longer)), longer)).toBe(false);
  });

  test('a manifest that does not make up its size is refused, on both ways', () => {
    const { version, size, blocks } = blob.manifestOf(longer)!;
    const [first, second] = [blocks[0]!, blocks[1]!];
    for (const bad of [
      { version, size, blocks: [first, second, second] },
      { version, size: size + blobBlockBytes, blocks },
      { version, size: blobBlockBytes, blocks },
      { version, size: blobBlockBytes, blocks: [first] },
      { version: 2, size, blocks },
      { version, size, blocks: [first, blob.listCid(sha256(second))] },
      { version, size, blocks: [first, second.subarray(1)] },
    ])
      expect(() => blob.manifestCodec.encode(bad)).toThrowError(
        expect.objectContaining({ code: expect.stringMatching(/^CODEC_(SHAPE|RANGE)$/) }),
      );
    // The same from outside: the size, written as 0x00040001, made one block too long.
    const bytes = blob.manifestCodec.encode({ version, size, blocks });
    bytes[4] = bytes[4]! + 4;
    expect(() => blob.manifestCodec.decode(bytes)).toThrowError(
      expect.objectContaining({ code: 'CODEC_SHAPE' }),
    );
  });

  test('a blob too long to be named is refused by name', () => {
    let draft = blob.emptyBlob;
    const anyHash = sha256(utf8('block'));
    for (let i = 0; i < blobBytesMax / blobBlockBytes; i++)
      draft = blob.pushBlock(draft, anyHash, blobBlockBytes);
    const { manifest, size } = blob.finishBlob(draft);
    expect(size).toBe(blobBytesMax);
    expect(manifest!.length).toBeLessThanOrEqual(blob.manifestBytesMax);
    expect(() => blob.pushBlock(draft, anyHash, 1)).toThrowError(
      expect.objectContaining({ code: 'BLOB_TOO_LONG' }),
    );
  });

  test('of a list, by its root', () => {
    const { cid, bytes } = blob.listBlob(entries);
    expect(blob.formatCid(cid)).toBe('baf4beibvh6bzk6n55zdz5bgnjtgxuajmxb5s5z3ckeyqus5d4i4ntzi5he');
    expect(hex(bytes)).toBe('83404101457468726565');
    expect(hex(blob.cidDigest(cid))).toBe(hex(list.listRoot(entries)));
    expect(blob.verifyListBlob(cid, bytes)).toEqual(entries);
    expect(blob.verifyBlock(cid, bytes)).toBe(true);
    const other = blob.listBlob(entries.slice(1)).bytes;
    const loose = unhex('834041015805' + hex(utf8('three')))!; // a length in two bytes, for one
    for (const bad of [other, loose, new Uint8Array(0), bytes.subarray(1)])
      expect(blob.verifyListBlob(cid, bad)).toBeNull();
    expect(blob.verifyListBlob(blob.rawCid(sha256(bytes)), bytes)).toBeNull();
    expect(blob.verifyListBlob(blob.listCid(sha256(bytes)), bytes)).toBeNull();
    expect(blob.readManifest(cid, bytes)).toBeNull();
  });

  test('what is not an id of ours is none', () => {
    const cid = blob.rawCid(sha256(utf8('x')));
    expect(blob.isCid(cid)).toBe(true);
    for (const [at, byte] of [
      [0, 0],
      [1, 0x70],
      [2, 0x13],
      [3, 0x1f],
    ] as const) {
      expect(blob.isCid(cid.with(at, byte))).toBe(false);
      expect(blob.verifyBlock(cid.with(at, byte), utf8('x'))).toBe(false);
    }
    expect(blob.isCid(cid.subarray(1))).toBe(false);
    const text = blob.formatCid(cid);
    const last = text.slice(0, -1) + String.fromCharCode(text.charCodeAt(58) + 1);
    const bad = ['', 'b', text.slice(1), `${text}a`, text.toUpperCase(), `z${text.slice(1)}`, last];
    for (const other of [...bad, text.replace(/.$/, '1'), text.replace('bafk', 'bagk')])
      expect(blob.parseCid(other), other).toBeNull();
  });
});

// Goal: seats agree on results whatever their noise, and a transcript opens to what was done only.
// Method: lanes of a program that adds, with and without failing items; every bit of an opening
// flipped; transcripts whose hashes fit, but that no seat can have made.
import { hash as nodeHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { combineEntry, foldPlan, noiseSeed } from '../../protocol/algebra/noise.ts';
import {
  type ItemResult,
  itemFailureClasses,
  type LaneLeaf,
  laneFoldFailure,
  laneLeafCodec,
  laneRoot,
  subtaskLeaf,
} from '../../protocol/algebra/result.ts';
import { itemSalt, saltInput } from '../../protocol/algebra/salt.ts';
import {
  laneTranscript,
  type Opening,
  openItem,
  openingShape,
  type SubtaskSize,
  verifyOpening,
} from '../../protocol/algebra/transcript.ts';
import {
  itemLeaf,
  itemOutcomes,
  leafOfWork,
  type SubtaskTrace,
  subtaskWork,
  workLeaf,
} from '../../protocol/algebra/work.ts';
import { codec, tryDecode } from '../../protocol/codec/codec.ts';
import { hash, installSha256, sha256, uint64 } from '../../protocol/crypto/hash.ts';
import { inclusionProof, listRoot, verifyInclusion } from '../../protocol/merkle/list.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('algebra');

installSha256((bytes) => new Uint8Array(nodeHash('sha256', bytes, 'buffer')));

const digest = (name: string | number): Uint8Array => hash('dev', name);
const job = digest('job');
const saltKey = digest('salt key');

const seedOf = (seat: number, subtask = 0): Uint8Array =>
  noiseSeed({ beacon: digest('beacon'), job, subtask, wave: 0, seat });

/** Runs a plan as an executor does; `held` is the most values it had to hold. */
function run<T>(plan: readonly number[], map: (place: number) => T, combine: (a: T, b: T) => T) {
  const stack: T[] = [];
  let held = 0;
  for (const entry of plan) {
    if (entry === combineEntry) {
      const b = stack.pop()!;
      stack.push(combine(stack.pop()!, b));
    } else stack.push(map(entry));
    held = Math.max(held, stack.length);
  }
  expect(stack).toHaveLength(1);
  return { value: stack[0]!, held };
}

/** Values are numbers; the program adds them. */
const valueHash = (value: number): Uint8Array => sha256(uint64(value));

type Fault = { readonly item: number; readonly class: (typeof itemFailureClasses)[number] };

/** What an executor reports: lowest failing items decide, a failed combine ends the fold. */
function trace(seat: number, size: SubtaskSize, faults: readonly Fault[] = [], combines = true) {
  const { subtask, first, end } = size;
  const plan = foldPlan(seedOf(seat, subtask), end - first);
  const fault = (item: number) => faults.find((each) => each.item === item);
  const lowest = Math.min(end, ...faults.map(({ item }) => item));
  const items = Array.from({ length: end - first }, (_, place): ItemResult | null => {
    const failed = fault(first + place);
    if (first + place > lowest) return null;
    if (failed !== undefined) return { ok: false, class: failed.class };
    return { ok: true, valueHash: valueHash(first + place) };
  });
  const folds: Uint8Array[] = [];
  run(
    plan,
    (place) => first + place,
    (a, b) => {
      folds.push(valueHash(a + b));
      return a + b;
    },
  );
  const folded = combines && lowest === end;
  return { subtask, first, plan, items, folds: folded ? folds : null } satisfies SubtaskTrace;
}

const sizes: readonly SubtaskSize[] = [
  { subtask: 1, first: 4, end: 9 },
  { subtask: 4, first: 16, end: 17 },
  { subtask: 7, first: 28, end: 36 },
];
/** Subtask 1 is well, subtask 4 cannot fail to combine, subtask 7 fails at item 31. */
const faulty: readonly Fault[] = [
  { item: 33, class: 'trap' },
  { item: 31, class: 'bad-value' },
];
const lane = (seat: number, faults: readonly Fault[] = []) =>
  laneTranscript(
    sizes.map((size) => {
      const mine = faults.filter(({ item }) => item >= size.first && item < size.end);
      return subtaskWork(trace(seat, size, mine), saltKey);
    }),
  );
const resultsOf = ({ works }: ReturnType<typeof lane>): LaneLeaf[] =>
  works.map(({ subtask, result }) => ({ subtask, result }));

describe('results', () => {
  test('are the same for all seats, while their work is not', () => {
    for (const faults of [[], faulty]) {
      const lanes = Array.from({ length: 6 }, (_, seat) => lane(seat, faults));
      expect(new Set(lanes.map((each) => laneRoot(resultsOf(each)).join())).size).toBe(1);
      expect(new Set(lanes.map((each) => each.workRoot.join())).size).toBe(6);
    }
    expect(resultsOf(lane(0, faulty))).toEqual([
      { subtask: 1, result: { ok: true, valueHash: valueHash(4 + 5 + 6 + 7 + 8) } },
      { subtask: 4, result: { ok: true, valueHash: valueHash(16) } },
      { subtask: 7, result: { ok: false, class: 'bad-value', item: 31 } },
    ]);
  });

  test('tell a failed combine without saying which', () => {
    const works = [0, 1, 2].map((seat) => subtaskWork(trace(seat, sizes[0]!, [], false), saltKey));
    for (const work of works) {
      expect(work.result).toEqual({ ok: false, class: 'combine-failed', item: null });
      expect(work.rootB).toBeNull();
      expect(work.committed).toBe(5);
    }
    const [leaf, outer] = [{ subtask: 1, result: works[0]!.result }, laneFoldFailure(3)];
    expect(outer).toEqual({ subtask: 3, result: leaf.result });
    expect(laneRoot([leaf, outer])).not.toEqual(laneRoot([leaf]));
  });

  test('have one encoding each', () => {
    const leaves: LaneLeaf[] = [
      { subtask: 0, result: { ok: true, valueHash: digest('v') } },
      ...itemFailureClasses.map(
        (name, item): LaneLeaf => ({
          subtask: 65_535,
          result: { ok: false, class: name, item },
        }),
      ),
      laneFoldFailure(9),
    ];
    const bytes = leaves.map(subtaskLeaf);
    expect(new Set(bytes.map((each) => each.join())).size).toBe(leaves.length);
    for (const [index, leaf] of leaves.entries())
      expect(laneLeafCodec.decode(bytes[index]!)).toEqual(leaf);
    expect(bytes[2]).toEqual(Uint8Array.of(0x82, 0x19, 0xff, 0xff, 0x82, 1, 0x82, 1, 1));
    const second: LaneLeaf = { subtask: 0, result: { ok: false, class: 'bad-value', item: 9 } };
    expect(subtaskLeaf(second)).toEqual(Uint8Array.of(0x82, 0, 0x82, 1, 0x82, 1, 9));
    expect(subtaskLeaf(laneFoldFailure(9))).toEqual(Uint8Array.of(0x82, 9, 0x82, 2, 0x80));
    expect(tryDecode(laneLeafCodec, Uint8Array.of(0x82, 9, 0x82, 2, 0x81, 0))).toBeNull();
    expect(laneRoot(leaves)).toEqual(listRoot(bytes));
  });
});

describe('a transcript', () => {
  test('is made of the hashes of the specification', () => {
    const salt = hash('salt', saltKey, 1, 4);
    expect(itemSalt(saltKey, 1, 4)).toEqual(salt);
    expect(saltInput(digest('draw'), job, 2)).toEqual(
      hash('noise-context', digest('draw'), job, 2),
    );
    const [size] = sizes;
    const told = trace(0, size!);
    const work = subtaskWork(told, saltKey);
    const leaves = [4, 5, 6, 7, 8].map((item) =>
      hash('tree-a', itemSalt(saltKey, 1, item), item, 0, valueHash(item)),
    );
    expect(leaves[0]).toEqual(hash('tree-a', salt, 4, 0, valueHash(4)));
    expect(work.rootA).toEqual(listRoot(leaves));
    let at = 0;
    const rootB = run<Uint8Array>(
      told.plan,
      (place) => hash('tree-b-leaf', 4 + place, valueHash(4 + place)),
      (left, right) => hash('tree-b-node', left, right, told.folds![at++]!),
    ).value;
    expect(work.rootB).toEqual(rootB);
    const leaf = hash('work', 1, 5, work.rootA, rootB, valueHash(30));
    expect(leafOfWork(work)).toEqual(leaf);
    const all = lane(0);
    expect(all.workRoot).toEqual(listRoot(all.works.map(leafOfWork)));
    const failed = lane(0, faulty).works[2]!;
    expect(failed.committed).toBe(4);
    const cut = [28, 29, 30].map((item) =>
      hash('tree-a', itemSalt(saltKey, 7, item), item, 0, valueHash(item)),
    );
    const last = hash('tree-a', hash('salt', saltKey, 7, 31), 31, 2, new Uint8Array());
    expect(failed.rootA).toEqual(listRoot([...cut, last]));
    expect(leafOfWork(failed)).toEqual(
      hash('work', 7, 4, failed.rootA, new Uint8Array(), new Uint8Array()),
    );
  });

  test('stops at reports that an executor cannot have made', () => {
    const told = trace(0, sizes[0]!);
    const work = (change: Partial<SubtaskTrace>) => () =>
      subtaskWork({ ...told, ...change }, saltKey);
    expect(work({})).not.toThrow();
    expect(work({ items: [] })).toThrow('items');
    expect(work({ items: told.items.with(2, null) })).toThrow('mapped');
    expect(work({ folds: told.folds!.slice(1) })).toThrow('value');
    expect(work({ plan: [0, 1, -1, -1, 2, 3, 4, -1, -1] })).toThrow('two values');
    expect(work({ plan: [9, ...told.plan.slice(1)] })).toThrow('plan');
    expect(() => laneTranscript([...lane(0).works].reverse())).toThrow('rise');
  });
});

const picks = sizes.flatMap(({ subtask, first, end }) =>
  Array.from({ length: end - first }, (_, place) => ({ subtask, item: first + place })),
);
const openingCodec = codec('opening', 8_192, openingShape);

describe('an opening', () => {
  test('of every item verifies, and for no other item', () => {
    const all = lane(2);
    for (const pick of picks) {
      const opening = openItem(all, pick.subtask, pick.item);
      expect(opening.item).toBe(pick.item);
      for (const other of picks)
        expect(verifyOpening(all.workRoot, saltKey, sizes, other, opening)).toBe(other === pick);
    }
  });

  test('of an item above the lowest failing one is that of the failing one', () => {
    const all = lane(2, faulty);
    for (const pick of picks.filter(({ subtask }) => subtask === 7)) {
      const opening = openItem(all, pick.subtask, pick.item);
      expect(opening.item).toBe(Math.min(pick.item, 31));
      expect(opening.outcome).toBe(pick.item < 31 ? 'ok' : 'bad-value');
      expect(verifyOpening(all.workRoot, saltKey, sizes, pick, opening)).toBe(true);
      // A skipped item: a failing one above it is no excuse, nor is a good one below.
      for (const lower of picks.filter(({ subtask, item }) => subtask === 7 && item < pick.item)) {
        const excuse = openItem(all, lower.subtask, lower.item);
        const same = excuse.item === opening.item;
        expect(verifyOpening(all.workRoot, saltKey, sizes, lower, opening)).toBe(same);
        expect(verifyOpening(all.workRoot, saltKey, sizes, pick, excuse)).toBe(same);
      }
    }
    const combines = laneTranscript([subtaskWork(trace(0, sizes[0]!, [], false), saltKey)]);
    const opening = openItem(combines, 1, 6);
    expect(opening.rootB).toBeNull();
    const [only] = [sizes.slice(0, 1)];
    expect(verifyOpening(combines.workRoot, saltKey, only, { subtask: 1, item: 6 }, opening)).toBe(
      true,
    );
    expect(() => openItem(combines, 1, 9)).toThrow('its subtask');
    expect(() => openItem(combines, 2, 6)).toThrow('lane');
  });

  test('is refused when any bit of it is flipped', () => {
    for (const [faults, pick] of [
      [[], { subtask: 1, item: 7 }],
      [[], { subtask: 4, item: 16 }],
      [faulty, { subtask: 7, item: 30 }],
      [faulty, { subtask: 7, item: 35 }],
    ] as const) {
      const all = lane(1, faults);
      const bytes = openingCodec.encode(openItem(all, pick.subtask, pick.item));
      let decoded = 0;
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Uint8Array.from(bytes); // slice() of a Buffer would not copy
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        const opening = tryDecode(openingCodec, flipped);
        if (opening === null) continue;
        decoded += 1;
        expect(verifyOpening(all.workRoot, saltKey, sizes, pick, opening)).toBe(false);
      }
      expect(decoded).toBeGreaterThan(1_000);
    }
  });

  test('is refused under another root, salt key, lane or size', () => {
    const all = lane(1);
    const pick = { subtask: 7, item: 30 };
    const opening = openItem(all, 7, 30);
    const verify = (root: Uint8Array, key: Uint8Array, of: readonly SubtaskSize[]): boolean =>
      verifyOpening(root, key, of, pick, opening);
    expect(verify(all.workRoot, saltKey, sizes)).toBe(true);
    expect(verify(lane(2).workRoot, saltKey, sizes)).toBe(false);
    expect(verify(all.workRoot, digest('other'), sizes)).toBe(false);
    // (A list root does not fix its size: the third of three could pass as the second of two.)
    expect(verify(all.workRoot, saltKey, sizes.slice(2))).toBe(false);
    expect(verify(all.workRoot, saltKey, [])).toBe(false);
    expect(verify(all.workRoot, saltKey, sizes.with(2, { ...sizes[2]!, end: 37 }))).toBe(false);
    expect(verify(all.workRoot, saltKey, sizes.with(2, { ...sizes[2]!, first: 27 }))).toBe(false);
  });

  test('is refused, not stumbled over, whatever its fields are', () => {
    const all = lane(1, faulty);
    const good = [openItem(all, 1, 6), openItem(all, 7, 30), openItem(all, 7, 34)];
    const oddBytes = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(digest('x')));
    const oddCount = fc.constantFrom(0, 1, 4, 5, 6, 7, 8, 30, 31, 34, -1, 0.5, Number.NaN, 2 ** 53);
    const change: fc.Arbitrary<Partial<Opening>> = fc.record(
      {
        subtask: oddCount,
        item: oddCount,
        outcome: fc.constantFrom(...itemOutcomes, 'strange' as 'ok'),
        valueHash: fc.option(oddBytes),
        committed: oddCount,
        rootA: oddBytes,
        itemPath: fc.array(oddBytes, { maxLength: 5 }),
        rootB: fc.option(oddBytes),
        subtaskValueHash: fc.option(oddBytes),
        workPath: fc.array(oddBytes, { maxLength: 5 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...good),
        change,
        fc.constantFrom(...picks),
        (base, odd, pick) => {
          const opening = { ...base, ...odd };
          const verdict = verifyOpening(all.workRoot, saltKey, sizes, pick, opening);
          if (verdict) expect(opening).toEqual(openItem(all, pick.subtask, pick.item));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  // Transcripts that no honest seat makes, but whose hashes all fit: only coherence refuses them.
  test.each<[string, Partial<Opening>, boolean]>([
    ['as it should be', {}, true],
    ['no value, none failed below the end', { rootB: null, subtaskValueHash: null }, true],
    ['a value without its tree', { rootB: null }, false],
    ['a tree without its value', { subtaskValueHash: null }, false],
    ['a failure in a subtask with a value', { outcome: 'trap', valueHash: null }, false],
    ['a failure with a value', { outcome: 'trap', rootB: null, subtaskValueHash: null }, false],
    ['a value that is missing', { valueHash: null }, false],
    ['a value hash of no bytes', { valueHash: new Uint8Array(0) }, false],
    ['a root of no bytes', { rootB: new Uint8Array(0) }, false],
    ['a tree that ends early with a value', { committed: 4 }, false],
    ['a tree that ends early', { committed: 4, rootB: null, subtaskValueHash: null }, true],
    ['an end that did not fail', { committed: 3, rootB: null, subtaskValueHash: null }, false],
    [
      'a failure that ends the tree',
      { committed: 3, outcome: 'trap', valueHash: null, rootB: null, subtaskValueHash: null },
      true,
    ],
    [
      'a failure before the end',
      { committed: 4, outcome: 'trap', valueHash: null, rootB: null, subtaskValueHash: null },
      false,
    ],
    [
      'a failure that ends the tree of a subtask with a value',
      { committed: 3, outcome: 'trap', valueHash: null },
      false,
    ],
    ['more leaves than items', { committed: 6 }, false],
    [
      'more leaves than items, no value',
      { committed: 6, rootB: null, subtaskValueHash: null },
      false,
    ],
  ])('of a made-up transcript: %s', (_, change, expected) => {
    const size = { subtask: 1, first: 4, end: 9 };
    const base = openItem(lane(0), 1, 6);
    const made = { ...base, ...change };
    const leaves = Array.from({ length: made.committed }, (_, place) =>
      place === 2 ? itemLeaf(saltKey, made) : digest(place),
    );
    const rootA = listRoot(leaves);
    const itemPath = inclusionProof(leaves, 2);
    const leaf = workLeaf({ ...made, rootA, valueHash: made.subtaskValueHash });
    const opening = { ...made, rootA, itemPath, workPath: [] };
    const root = listRoot([leaf]);
    expect(verifyInclusion({ root, size: 1, index: 0, leaf, proof: [] })).toBe(true);
    const pick = { subtask: 1, item: 6 };
    expect(verifyOpening(root, saltKey, [size], pick, opening)).toBe(expected);
  });
});

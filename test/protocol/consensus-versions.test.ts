// Goal: what makes the engine's memory cheap changes nothing of what it says: versions of a map are
// maps, and where it looks for a parent from is where a search through all views would end.
// Method: properties over random histories, against a plain map and a plain search.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex } from '../../protocol/brand.ts';
import { bearing, follows, parentOf, supportOf } from '../../protocol/consensus/chain.ts';
import { step } from '../../protocol/consensus/engine.ts';
import { certificateId } from '../../protocol/consensus/message.ts';
import {
  certificateOf,
  type EngineInput,
  type EngineState,
} from '../../protocol/consensus/state.ts';
import { Versions } from '../../protocol/consensus/versions.ts';
import {
  blockOf,
  finalOf,
  genesis,
  notarOf,
  only,
  rulesOf,
  seatOf,
  skipOf,
} from '../simulation/engine/seat.ts';

describe('versions of a map', () => {
  test('are each the plain map that they would be, in whatever order they are read', () => {
    const move = fc.record({
      from: fc.nat(40),
      key: fc.nat(5),
      value: fc.nat(99),
      read: fc.nat(40),
    });
    fc.assert(
      fc.property(fc.array(move, { maxLength: 40 }), (moves) => {
        const plain: ReadonlyMap<number, number>[] = [new Map()];
        const versions = [new Versions<number, number>()];
        for (const { from, key, value, read } of moves) {
          const before = from % versions.length;
          versions.push(versions[before]!.with(key, value));
          plain.push(new Map(plain[before]!).set(key, value));
          const at = read % versions.length;
          expect(new Map(versions[at]!.entries())).toEqual(plain[at]);
        }
        for (const [at, version] of versions.entries()) {
          expect(version.size).toBe(plain[at]!.size);
          expect([...version.keys()].sort()).toEqual([...plain[at]!.keys()].sort());
          for (let key = 0; key <= 5; key++) {
            expect(version.get(key)).toBe(plain[at]!.get(key));
            expect(version.has(key)).toBe(plain[at]!.has(key));
          }
        }
      }),
    );
  });

  test('a long line of them is read at both ends', () => {
    const versions = [new Versions<number, number>()];
    for (let key = 0; key < 20_000; key++) versions.push(versions.at(-1)!.with(key % 7, key));
    expect(versions[0]!.size).toBe(0);
    expect(versions.at(-1)!.get(6)).toBe(19_998);
    expect(versions[8]!.get(0)).toBe(7);
  });
});

/** The search that needs no memory: through all views, from the current one down. */
function searched(state: EngineState): string | null {
  for (let view = state.view - 1; view >= state.root.view; view--) {
    const notar = certificateOf(state, 'notar', view);
    const id = view === state.root.view ? state.root.id : notar && hex(notar.block);
    if (id !== null && state.blocks.get(id)?.validated) return id;
    if (certificateOf(state, 'skip', view) === null) return null;
  }
  return null;
}

function skippedBetween(state: EngineState, low: number, high: number): boolean {
  for (let view = low + 1; view < high; view++)
    if (certificateOf(state, 'skip', view) === null) return false;
  return true;
}

describe('the search for a parent', () => {
  const views = 6;
  const chain = [blockOf(1)];
  for (let view = 2; view <= views; view++)
    chain.push(blockOf(view, chain[(view * 5) % (view - 1)]));
  const kinds = ['skip', 'skip', 'skip', 'notar', 'announced', 'validated', 'final'];
  const input = fc.record({
    kind: fc.constantFrom(...kinds),
    place: fc.nat(views - 1),
  });
  type Move = { readonly kind: string; readonly place: number };
  const inputOf = ({ kind, place }: Move): EngineInput => {
    const block = chain[place]!;
    const now = 0;
    if (kind === 'announced') return { kind, now, block };
    if (kind === 'validated') return { kind, now, id: block.id };
    const certificate =
      kind === 'skip' ? skipOf(block.view) : kind === 'notar' ? notarOf(block) : finalOf(block);
    return { kind: 'certificate', now, certificate };
  };
  /** How often the memory and the plain search agreed about a parent beyond skipped views. */
  const compare = (spoil: (state: EngineState) => EngineState): number => {
    let beyond = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(0, 2, null),
        fc.array(input, { maxLength: 60, minLength: 10 }),
        (self, moves) => {
          let state = seatOf(rulesOf(self)).state();
          for (const move of moves) {
            state = spoil(step(state, inputOf(move), rulesOf(self)).state);
            const parent = parentOf(state);
            expect(parent?.id ?? null).toBe(searched(state));
            if (parent !== null && parent.view < state.view - 1) beyond += 1;
            for (const block of chain) {
              const { parentView, view } = block;
              const isSupported =
                parentView === state.root.view
                  ? block.parent === state.root.id
                  : hex(certificateOf(state, 'notar', parentView)?.block ?? new Uint8Array()) ===
                    block.parent;
              const expected =
                parentView >= state.root.view &&
                isSupported &&
                skippedBetween(state, parentView, view);
              expect(follows(state, block)).toBe(expected);
            }
          }
        },
      ),
      { numRuns: 300, seed: 7 },
    );
    return beyond;
  };

  test('ends where a search through all views would', () => {
    expect(compare((state) => state)).toBeGreaterThan(100);
  });

  test('would not, if a view that got a block were still thought barren', () => {
    expect(() => compare((state) => ({ ...state, barren: state.root.view + 1 }))).toThrow();
    expect(bearing(seatOf(rulesOf(null)).state(), 0).barren).toBe(1);
  });

  test('gives a leader the Skips next to its view, and no more than a proposal names', () => {
    const seat = seatOf(rulesOf(0));
    for (let view = 1; view < 2_000; view++) seat.certify(skipOf(view));
    const told = only(seat.certify(skipOf(2_000)), 'lead');
    expect(told).toEqual([]);
    const [lead] = only(
      [2_001, 2_002, 2_003].flatMap((view) => seat.certify(skipOf(view))),
      'lead',
    );
    expect(lead).toMatchObject({ view: 2_004, parent: { id: genesis.id } });
    expect(lead!.skips.map(({ view }) => view)).toEqual(
      Array.from({ length: 1_024 }, (_, place) => 980 + place),
    );
    expect(supportOf(seat.state(), genesis).skips).toEqual(lead!.skips);
    expect(certificateId(lead!.skips[0]!)).toEqual(certificateId(skipOf(980)));
  });
});

// Goal: a long outage costs a replica as much as it was long, and not its square: at a start with
// many open views, and when it catches up one certificate or one block at a time.
// Method: count the steps in maps of histories of one length and of four times it, in one run; a
// replica that copied its views at every input shows what a square looks like.
import { describe, expect, test } from 'vitest';
import { hex } from '../../protocol/brand.ts';
import type { Certificate, Vote } from '../../protocol/consensus/message.ts';
import type { Kept } from '../../protocol/replica/boot.ts';
import { laboratory, lone, type Made } from '../simulation/lone.ts';
import { mapSteps } from '../support/map-steps.ts';

const lab = laboratory(4);
const { genesis, block, certificate, vote } = lab;
const short = 64;
const long = 4 * short;
/** Four times as long: 4 is linear, 16 a square. */
const linear = 5;
/** The clock of whoever was away: no block is from the future. */
const startMs = lab.network.startMs + 3_600_000;

const chain: Made[] = [];
for (let view = 1; view <= long; view++) chain.push(block(chain.at(-1)?.chain ?? genesis, view));
const skips = Array.from({ length: long }, (_, place) => certificate('skip', place + 1));
const notars = chain.map(({ view, hash }) => certificate('notar', view, hash));

/** How many times more steps the long history takes. */
function growth(live: (length: number) => void): number {
  live(8); // What is remembered for ever is remembered before.
  const less = mapSteps(() => live(short));
  return mapSteps(() => live(long)) / less;
}

const answered = (one: ReturnType<typeof lone>, { hash, sealed }: Made): void => {
  if (one.state().wanted.has(`block/${hex(hash)}`))
    one.answer(`block/${hex(hash)}`, { kind: 'block', block: sealed });
};

describe.each([
  ['a seat', 0],
  ['an observer', null],
] as const)('%s', (_, seat) => {
  const kept = (length: number, certificates: readonly Certificate[]): Partial<Kept> => {
    const isSkip = certificates[0]!.kind === 'skip';
    const votes: Vote[] = [];
    for (let view = 1; view <= length && seat !== null; view++)
      if (isSkip) votes.push(vote(seat, 'skip', view));
      else
        for (const kind of ['notar', 'final'] as const)
          votes.push(vote(seat, kind, view, chain[view - 1]!.hash));
    const blocks = isSkip ? [] : chain.slice(0, length).map(({ sealed }) => sealed);
    return { votes, certificates: certificates.slice(0, length), blocks };
  };

  test('starts with open views that were skipped', () => {
    const live = (length: number): void => {
      const one = lone(lab, { seat, startMs, kept: kept(length, skips) });
      expect(one.state().engine.view).toBe(length + 1);
    };
    expect(growth(live)).toBeLessThan(linear);
  });

  test('starts with open views whose blocks are not final', () => {
    const live = (length: number): void => {
      const one = lone(lab, { seat, startMs, kept: kept(length, notars) });
      expect(one.state().tree.get(hex(chain[length - 1]!.hash))?.validated).toBe(true);
    };
    expect(growth(live)).toBeLessThan(linear);
  });

  test('hears one certificate after the other', () => {
    const live = (certificates: readonly Certificate[]) => (length: number) => {
      const one = lone(lab, { seat, startMs });
      for (const each of certificates.slice(0, length)) one.certified(each);
      expect(one.state().engine.view).toBe(length + 1);
    };
    expect(growth(live(notars))).toBeLessThan(linear);
    // A leader is given the Skips below its view, up to a number that is above these lengths.
    if (seat === null) expect(growth(live(skips))).toBeLessThan(linear);
  });

  test('gets ancestors one by one, from the last down', () => {
    const live = (length: number): void => {
      const one = lone(lab, { seat, startMs });
      const blocks = chain.slice(0, length);
      const last = blocks.at(-1)!;
      one.certified(certificate('final', last.view, last.hash));
      let most = 0;
      for (const each of [...blocks].reverse()) {
        answered(one, each);
        most = Math.max(most, one.state().orphans.size);
      }
      expect([most, one.state().finalRef.height]).toEqual([length - 1, length]);
    };
    expect(growth(live)).toBeLessThan(linear);
  });

  /** All are placed; a seat that leads the next view may have proposed on top of them. */
  const expectAll = (one: ReturnType<typeof lone>, length: number): void => {
    const { tree } = one.state();
    expect(chain.slice(0, length).filter(({ hash }) => !tree.has(hex(hash)))).toEqual([]);
    expect(tree.size - length).toBeLessThan(2);
  };

  test('gets ancestors one by one while the chain grows at its end', () => {
    const live = (length: number): void => {
      const one = lone(lab, { seat, startMs });
      const half = length / 2;
      for (let place = 0; place < half; place++) {
        const top = chain[half + place]!;
        one.certified(notars[half + place]!);
        one.hear('proposals', top.proposal);
        answered(one, chain[half - 1 - place]!);
      }
      expect(one.state().orphans.size).toBe(0);
      expectAll(one, length);
    };
    expect(growth(live)).toBeLessThan(linear);
  });

  test('gets blocks from the first up, whose descendants are there, in pieces', () => {
    const live = (length: number): void => {
      const one = lone(lab, { seat, startMs });
      for (const each of notars.slice(0, length)) one.certified(each);
      const bringAll = (blocks: readonly Made[]): void => {
        for (const each of blocks) answered(one, each);
      };
      // Every third block is missing, so that many short pieces wait for one block each.
      bringAll(chain.slice(0, length).filter((_, place) => place % 3 !== 0));
      expect(one.state().orphans.size).toBeGreaterThan(length / 2);
      bringAll(chain.slice(0, length).filter((_, place) => place % 3 === 0));
      expect(one.state().orphans.size).toBe(0);
      expectAll(one, length);
    };
    expect(growth(live)).toBeLessThan(linear);
  });
});

test('the measure tells a square from a line', () => {
  const walk = (length: number): void => {
    let views: ReadonlyMap<number, number> = new Map();
    for (let view = 0; view < length; view++) views = new Map(views).set(view, view);
  };
  expect(growth(walk)).toBeGreaterThan(10);
  const line = (length: number): void => {
    const views = new Map<number, number>();
    for (let view = 0; view < length; view++) views.set(view, view);
  };
  expect(growth(line)).toBeCloseTo(4, 1);
});

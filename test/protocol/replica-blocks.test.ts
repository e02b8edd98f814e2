// Goal: a replica gets every block that it needs, from whoever has it, and keeps no junk.
// Method: one replica in a laboratory that holds all keys; the test plays all peers.
import { describe, expect, test } from 'vitest';
import { hex } from '../../protocol/brand.ts';
import { certificateId } from '../../protocol/consensus/message.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import type { Effect } from '../../protocol/replica/effect.ts';
import { pushedBlockCodec, type SealedBlock } from '../../protocol/replica/wire.ts';
import {
  type Laboratory,
  laboratory,
  linesBut,
  lone,
  type Made,
  only,
} from '../simulation/lone.ts';
import { simulatedJob } from '../simulation/network.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('replica', linesBut(12, 31));

const lab = laboratory(4);
const { genesis, leader, certificate } = lab;
/** Every block orders a job, so that it has a body that must be asked for. */
const block: Laboratory['block'] = (parent, view, choice = {}) => {
  const signed = simulatedJob(lab.network, genesis.header, { nonce: BigInt(view) });
  return lab.block(parent, view, { items: [{ kind: 'job', signed }], ...choice });
};
const slackMs = lab.network.rules.genesis.parameters.clockSlackMs;

const asked = (effects: readonly Effect[]): string[] =>
  only(effects, 'request').map(({ request }) =>
    request.kind === 'block' ? `block ${hex(request.hash)}` : request.kind,
  );
const notarized = (effects: readonly Effect[]): string[] =>
  only(effects, 'log-vote').flatMap(({ vote }) => (vote.kind === 'notar' ? [hex(vote.block)] : []));
const key = ({ hash: id }: Made): string => `block/${hex(id)}`;

/** Blocks of views 1, 2, …, each on the one before. */
function chainOf(count: number): Made[] {
  const blocks: Made[] = [];
  for (let view = 1; view <= count; view++)
    blocks.push(block(blocks.at(-1)?.chain ?? genesis, view));
  return blocks;
}
const stretchOf = (blocks: readonly Made[]) =>
  ({
    kind: 'final',
    blocks: blocks.map(({ sealed }) => sealed),
    certificate: certificate('final', blocks.at(-1)!.view, blocks.at(-1)!.hash),
  }) as const;

describe('a proposal', () => {
  test('is asked for at once, applied, and voted for; a second body teaches nothing', () => {
    const [first] = chainOf(1) as [Made];
    const one = lone(lab, { seat: leader(2) });
    const heard = one.hear('proposals', first.proposal);
    expect(asked(heard)).toEqual([`block ${hex(first.hash)}`]);
    expect(only(heard, 'request')[0]!.prefer).toBe('peer');
    const effects = one.answer(key(first), { kind: 'block', block: first.sealed });
    expect(notarized(effects)).toEqual([hex(first.hash)]);
    expect(one.state().wanted.size).toBe(0);
    expect(notarized(one.hear('proposals', first.proposal))).toEqual([]);
  });

  test('brings its jobs to disk before it is voted for, and its body too', () => {
    const made = block(genesis, 1);
    expect(made.sealed.items).toHaveLength(1);
    const kinds = lone(lab, { seat: leader(2) })
      .shown(made)
      .map(({ kind }) => kind)
      .filter((kind) => /^(log|store)|publish/.test(kind));
    expect(kinds).toEqual(['store-job', 'store-block', 'log-vote', 'publish']);
  });

  test('with an empty body, or a body that is pushed, needs no question', () => {
    const empty = lab.block(genesis, 1);
    const one = lone(lab, { seat: leader(2) });
    const heard = one.hear('proposals', empty.proposal);
    expect([asked(heard), notarized(heard)]).toEqual([[], [hex(empty.hash)]]);

    const [first] = chainOf(1) as [Made];
    const pushed = pushedBlockCodec.encode({ block: first.sealed });
    const two = lone(lab, { seat: leader(2) });
    const pushedHere = two.hear('proposals', pushed);
    expect([asked(pushedHere), notarized(pushedHere)]).toEqual([[], [hex(first.hash)]]);
    expect(asked(two.hear('proposals', first.proposal))).toEqual([]);
    // A body that comes after its header answers the question that is out.
    const three = lone(lab, { seat: leader(2) });
    expect(asked(three.hear('proposals', first.proposal))).toHaveLength(1);
    expect(notarized(three.hear('proposals', pushed))).toEqual([hex(first.hash)]);
    expect(three.state().wanted.size).toBe(0);
  });

  test('with a body of other items stays asked for', () => {
    const [first] = chainOf(1) as [Made];
    const one = lone(lab, { seat: leader(2) });
    one.hear('proposals', first.proposal);
    const wrong: SealedBlock = { ...first.sealed, items: [new Uint8Array(3)] };
    expect(notarized(one.answer(key(first), { kind: 'block', block: wrong }))).toEqual([]);
    expect(one.state().tree.get(hex(first.hash))!.items).toBeNull();
    expect(asked(one.tick(300))).toHaveLength(1);
    const good = one.answer(key(first), { kind: 'block', block: first.sealed });
    expect(notarized(good)).toEqual([hex(first.hash)]);
  });

  test('with a wrong state root is refused, and so is all that grows from it', () => {
    const wrong = block(genesis, 1, { change: { stateRoot: hash('dev', 'lunacy') } });
    const one = lone(lab, { seat: leader(2) });
    const effects = one.shown(wrong);
    const [notice] = only(effects, 'notice');
    expect(notice?.notice).toMatchObject({ kind: 'block-refused', code: 'BLOCK_STATE_ROOT' });
    expect(notarized(effects)).toEqual([]);
    const parent = { ...wrong.chain, header: wrong.sealed.header, hash: wrong.hash };
    const child = block(parent, 2);
    one.certified(certificate('skip', 1));
    expect(notarized(one.shown(child))).toEqual([]);
    expect(one.state().tree.get(hex(child.hash))!.chain).toBeNull();
  });

  test('from the future is held until its time', () => {
    const timeMs = genesis.header.timeMs + 3_000;
    const early = block(genesis, 1, { timeMs });
    const one = lone(lab, { seat: leader(2) });
    const shown = one.shown(early);
    expect(notarized(shown)).toEqual([]);
    expect(only(shown, 'wake').at(-1)!.at).toBeLessThanOrEqual(timeMs - slackMs);
    expect(notarized(one.tick(3_000 - slackMs - 1))).toEqual([]);
    expect(notarized(one.tick(1))).toEqual([hex(early.hash)]);
  });

  test('of a final height or view is ignored', () => {
    const [first, second] = chainOf(2) as [Made, Made];
    const one = lone(lab, { seat: leader(2) });
    one.settle(first);
    const late = block(genesis, 2);
    one.hear('proposals', late.proposal);
    one.hear('proposals', block(second.chain, 3, { change: { view: 1 } }).proposal);
    expect(one.state().tree.size + one.state().orphans.size).toBe(0);
  });

  test('of a far view waits until its view comes near', () => {
    const far = block(genesis, 6);
    const one = lone(lab, { seat: leader(2) });
    expect(asked(one.hear('proposals', far.proposal))).toEqual([]);
    for (let view = 1; view < 4; view++)
      expect(asked(one.certified(certificate('skip', view)))).toEqual([]);
    expect(asked(one.certified(certificate('skip', 4)))).toEqual([`block ${hex(far.hash)}`]);
    one.certified(certificate('skip', 5));
    const effects = one.answer(key(far), { kind: 'block', block: far.sealed });
    expect(notarized(effects)).toEqual([hex(far.hash)]);
  });
});

describe('junk', () => {
  const twins = (view: number, count: number): Made[] =>
    Array.from({ length: count }, (_, i) =>
      block(genesis, view, { timeMs: genesis.header.timeMs + 250 + i }),
    );

  test('of one leader is bounded by views; what a quorum vouches for is not junk', () => {
    const one = lone(lab, { seat: leader(2) });
    const [a, b, third] = twins(1, 3) as [Made, Made, Made];
    for (const made of [a, b, third]) one.hear('proposals', made.proposal);
    expect(one.state().tree.size).toBe(2);
    expect(asked(one.certified(certificate('notar', 1, third.hash)))).toEqual([
      `block ${hex(third.hash)}`,
    ]);
    one.answer(key(third), { kind: 'block', block: third.sealed });
    one.certified(certificate('final', 1, third.hash));
    expect(one.state().finalRef.id).toBe(hex(third.hash));
  });

  test('a block that consensus let go by is recalled when a certificate names it', () => {
    const one = lone(lab, { seat: leader(2) });
    const [a, b, third] = twins(1, 3) as [Made, Made, Made];
    for (const made of [a, b]) one.shown(made);
    // Vouched for by its child only: here, but for consensus one of too many.
    const child = block(third.chain, 2);
    one.certified(certificate('notar', 2, child.hash));
    one.answer(key(child), { kind: 'block', block: child.sealed });
    one.answer(key(third), { kind: 'block', block: third.sealed });
    expect(one.state().tree.get(hex(third.hash))?.validated).toBe(true);
    expect(one.state().engine.blocks.has(hex(third.hash))).toBe(false);
    one.certified(certificate('notar', 1, third.hash));
    expect(one.state().engine.blocks.get(hex(third.hash))?.validated).toBe(true);
  });

  test('ten thousand headers of a faulty leader leave little behind, and stop nobody', () => {
    const one = lone(lab, { seat: leader(2) });
    const liar = leader(3);
    const honest = block(genesis, lab.viewOf(liar, 3));
    let { view } = honest;
    for (let i = 0; i < 10_000; i++) {
      if (i % 20 === 0) view = lab.viewOf(liar, view + 1);
      const parent = i % 2 === 0 ? genesis.hash : hash('dev', 'nowhere', i);
      const itemsRoot = hash('dev', 'items', i);
      const change = { view, proposer: liar, parent, height: 1 + (i % 7), itemsRoot };
      one.hear('proposals', lab.resealed(honest, change).proposal);
    }
    const { tree, orphans, wanted, unsure } = one.state();
    expect(tree.size + orphans.size).toBeLessThanOrEqual(2 * (4 * 4 + 64));
    expect(unsure.size).toBeLessThanOrEqual(4 * 4 + 64);
    expect(wanted.size).toBeLessThanOrEqual(6);
    const [first] = chainOf(1) as [Made];
    one.settle(first);
    expect(one.state().finalRef.height).toBe(1);
  });

  test('an orphan at the height of a child of the final block is not kept', () => {
    const one = lone(lab, { seat: leader(2) });
    const lost = { ...genesis, hash: hash('dev', 'nowhere') };
    one.hear('proposals', block(lost, 1).proposal);
    expect(one.state().orphans.size).toBe(0);
  });
});

describe('what is missing below', () => {
  test('headers in reverse order find their places when the first comes', () => {
    const blocks = chainOf(60);
    const one = lone(lab, { seat: leader(2) });
    for (const made of blocks.slice(1).reverse()) one.hear('proposals', made.proposal);
    expect(one.state().orphans.size).toBe(59);
    one.hear('proposals', blocks[0]!.proposal);
    expect(one.state().orphans.size).toBe(0);
    expect([...one.state().tree.keys()]).toEqual(blocks.map((made) => hex(made.hash)));
  });

  test('the certificates of a proposal are asked for where consensus lacks them', () => {
    const [first, second] = chainOf(2) as [Made, Made];
    const notar = certificate('notar', 1, first.hash);
    const rested = block(first.chain, 2, { rests: [notar] });
    const one = lone(lab, { seat: leader(3) === leader(2) ? leader(4) : leader(3) });
    one.shown(first);
    const heard = one.hear('proposals', rested.proposal);
    expect(asked(heard)).toEqual([`block ${hex(second.hash)}`, 'certificates']);
    one.answer(key(rested), { kind: 'block', block: rested.sealed });
    const wantKey = `certificates/${hex(certificateId(notar))}`;
    // A certificate that nobody asked for is left out; the question is asked again.
    const junk = certificate('skip', 1);
    one.answer(wantKey, { kind: 'certificates', certificates: [junk] });
    expect(one.state().engine.view).toBe(1);
    expect(asked(one.tick(300))).toEqual(['certificates']);
    const effects = one.answer(wantKey, { kind: 'certificates', certificates: [notar] });
    expect(notarized(effects)).toContain(hex(rested.hash));
    expect(one.state().wanted.size).toBe(0);
    // Linked by a certificate of other seats: nothing to ask.
    const two = lone(lab, { seat: leader(4) });
    two.shown(first);
    two.certified(certificate('notar', 1, first.hash, [0, 1, 2]));
    expect(asked(two.hear('proposals', rested.proposal))).toEqual([`block ${hex(second.hash)}`]);
  });

  test('a certified block and its ancestors come one by one, from anybody, for as long as it takes', () => {
    const blocks = chainOf(3);
    const [first, second, third] = blocks as [Made, Made, Made];
    const one = lone(lab, { seat: leader(2) });
    expect(asked(one.certified(certificate('notar', 3, third.hash)))).toEqual([
      `block ${hex(third.hash)}`,
    ]);
    for (let round = 0; round < 100; round++) {
      one.answer(key(third), { kind: 'block', block: null });
      expect(asked(one.tick(300))).toEqual([`block ${hex(third.hash)}`]);
    }
    const answer = (made: Made) => one.answer(key(made), { kind: 'block', block: made.sealed });
    expect(asked(answer(third))).toEqual([`block ${hex(second.hash)}`]);
    expect(asked(answer(second))).toEqual([`block ${hex(first.hash)}`]);
    answer(first);
    one.certified(certificate('final', 3, third.hash));
    expect(one.state().finalRef.height).toBe(3);
  });

  test('a question that is lost is asked again; one whose view is over is dropped', () => {
    const [first] = chainOf(1) as [Made];
    const one = lone(lab, { seat: leader(2) });
    one.hear('proposals', first.proposal);
    expect(asked(one.tick(5_000))).toEqual([]);
    expect(asked(one.tick(5_000))).toEqual([`block ${hex(first.hash)}`]);
    expect(one.state().asked.size).toBe(1);
    one.certified(certificate('skip', 1));
    expect(one.state().wanted.size).toBe(0);
    expect(one.state().asked.size).toBe(0);
    // A Notar certificate that comes late makes it worth having again.
    expect(asked(one.certified(certificate('notar', 1, first.hash)))).toHaveLength(1);
  });

  test('a body that was given up is asked for again once its block is certified', () => {
    const [first] = chainOf(1) as [Made];
    const one = lone(lab, { seat: leader(2) });
    one.hear('proposals', first.proposal);
    one.certified(certificate('skip', 1));
    expect(one.state().wanted.size).toBe(0);
    expect(asked(one.certified(certificate('final', 1, first.hash)))).toHaveLength(1);
    one.answer(key(first), { kind: 'block', block: first.sealed });
    expect(one.state().finalRef.height).toBe(1);
  });
});

describe('an answer', () => {
  test('is no other block than the one asked for, and signed by its leader', () => {
    const blocks = chainOf(2);
    const [first, second] = blocks as [Made, Made];
    const one = lone(lab, { seat: leader(2) });
    one.certified(certificate('notar', 1, first.hash));
    one.answer(key(first), { kind: 'block', block: second.sealed });
    expect(one.state().tree.size + one.state().orphans.size).toBe(0);
    one.tick(300);
    const unsigned = { ...first.sealed, signature: second.sealed.signature };
    one.answer(key(first), { kind: 'block', block: unsigned });
    expect(one.state().tree.size).toBe(0);
    one.tick(300);
    one.answer(key(first), { kind: 'certificates', certificates: [] });
    one.tick(300);
    one.answer(key(first), { kind: 'block', block: first.sealed });
    expect(one.state().tree.get(hex(first.hash))?.validated).toBe(true);
    expect(one.feed({ kind: 'answered', id: 9_999, response: null })).toHaveLength(1);
  });

  test('brings a replica that slept through many heights to the end, stretch by stretch', () => {
    const blocks = chainOf(40);
    const last = blocks.at(-1)!;
    const one = lone(lab, { seat: leader(2) });
    one.certified(certificate('final', last.view, last.hash));
    expect(one.state().engine.root.view).toBe(40);
    const effects = one.answer(key(last), { kind: 'block', block: last.sealed });
    expect(asked(effects)).toContain('final');
    const stretch = (from: number, to: number) =>
      one.answer('final', stretchOf(blocks.slice(from, to)));
    // An answer without blocks is no progress and no hurry.
    expect(asked(one.answer('final', { kind: 'final', blocks: [], certificate: null }))).toEqual(
      [],
    );
    one.tick(300);
    const finals = only(stretch(0, 16), 'finalize');
    expect(finals.map(({ chain }) => chain.header.height)).toEqual([16]);
    expect(one.state().wanted.get('final')?.request).toEqual({ kind: 'final', from: 17 });
    stretch(16, 32);
    // The rest may overlap what is final by now.
    stretch(30, 40);
    expect(one.state().finalRef.height).toBe(40);
    expect(one.state().certified).toBeNull();
    expect(one.state().stretch).toBeNull();
    expect(one.state().orphans.size).toBe(0);
    one.tick();
    expect(one.state().wanted.size).toBe(0);
  });

  test('with a stretch that does not prove itself is none', () => {
    const blocks = chainOf(8);
    const last = blocks.at(-1)!;
    const good = stretchOf(blocks);
    const { sealed } = blocks[3]!;
    const swap = (block: SealedBlock) => ({
      ...good,
      blocks: good.blocks.map((one, place) => (place === 3 ? block : one)),
    });
    const bad = [
      { ...good, certificate: null },
      { ...good, blocks: good.blocks.slice(1) },
      { ...good, blocks: good.blocks.slice(0, -1) },
      { ...good, blocks: [] },
      { ...good, certificate: certificate('notar', last.view, last.hash) },
      { ...good, certificate: { ...good.certificate, view: 7 } },
      { ...good, certificate: certificate('final', last.view, last.hash, [1, 2]) },
      swap({ ...sealed, signature: new Uint8Array(64) }),
      swap({ ...sealed, header: { ...sealed.header, timeMs: sealed.header.timeMs + 1 } }),
    ];
    const one = lone(lab, { seat: leader(2) });
    one.certified(certificate('final', last.view, last.hash));
    one.answer(key(last), { kind: 'block', block: last.sealed });
    for (const response of bad) {
      one.answer('final', response);
      expect(one.state().finalRef.height).toBe(0);
      expect(one.state().tree.size).toBe(0);
      one.tick(300);
    }
    // Bodies that do not fit are asked for one by one; all else is taken.
    one.answer('final', swap({ ...sealed, items: [new Uint8Array(1)] }));
    expect(one.state().finalRef.height).toBe(0);
    expect(one.state().tree.size).toBe(8);
    one.answer(key(blocks[3]!), { kind: 'block', block: sealed });
    expect(one.state().finalRef.height).toBe(8);
  });
});

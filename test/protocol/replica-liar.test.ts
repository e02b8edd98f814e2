// Goal: a peer that lies to a node which catches up can waste its time, and nothing else: no wrong
// block is final or vouched for, nothing throws, and one honest peer is enough.
// Method: one replica, an honest past, a liar that tells every lie there is about stretches and
// blocks, alone and among honest answers; the same without the check of the certificate must fail.
import { describe, expect, test } from 'vitest';
import { hex } from '../../protocol/brand.ts';
import { headerHash } from '../../protocol/ledger/header.ts';
import type { Effect } from '../../protocol/replica/effect.ts';
import type { SyncResponse } from '../../protocol/replica/wire.ts';
import { type Lone, laboratory, lone, only } from '../simulation/lone.ts';
import { loadMachine } from '../simulation/mutant.ts';
import { chance } from '../simulation/random.ts';
import { blockLies, past, stretchLies, truth } from '../simulation/sync-liar.ts';
import { realMachine } from '../simulation/world.ts';

const lab = laboratory(4);
const length = 40;
const history = past(lab, length);
const retryMs = 300;

type Question = Extract<Effect, { kind: 'request' }>;
/** What a peer says; undefined when it never answers. */
type Peer = (question: Question) => SyncResponse | null | undefined;
const honest: Peer = ({ request }) => truth(history, request);
const names = Object.keys(stretchLies);

/** A peer that tells one lie about stretches, or any. */
function liar(name: string | null, seed = 1): Peer {
  const { below } = chance(seed, 'lies');
  const some = <T>(all: readonly T[]): T => all[below(all.length)]!;
  return ({ request }) => {
    if (name === 'silence') return below(2) === 0 ? undefined : null;
    if (request.kind === 'certificates') return { kind: 'certificates', certificates: [] };
    if (request.kind === 'block')
      return blockLies[some(Object.keys(blockLies))]!(history, request.hash);
    const said = truth(history, request);
    if (said.kind !== 'final' || said.certificate === null) return said;
    return stretchLies[name ?? some(names)]!(said, history, lab);
  };
}

/** Nothing wrong is final or vouched for, and what is held is bounded. */
function lawful(one: Lone, effects: readonly Effect[]): void {
  for (const { blocks } of only(effects, 'finalize'))
    for (const { header } of blocks)
      expect(history.places.get(hex(headerHash(header)))).toBe(header.height - 1);
  const { tree, orphans, wanted, asked } = one.state();
  for (const [id, { vouched }] of [...tree, ...orphans])
    if (vouched) expect(history.places.has(id), 'a vouched block is final').toBe(true);
  expect(tree.size + orphans.size).toBeLessThanOrEqual(length + 4);
  expect(wanted.size + asked.size).toBeLessThanOrEqual(2 * length + 8);
}

/** Catches up; the questions that it took, or null if that many were not enough. */
function caughtUp(peer: Peer, questionsMax: number, machine = realMachine): number | null {
  const one = lone(lab, { seat: null, machine });
  let questions = 0;
  let asked: Question[] = [];
  const look = (effects: readonly Effect[]): void => {
    lawful(one, effects);
    asked.push(...only(effects, 'request'));
  };
  look(one.hear('proposals', history.fork.proposal));
  look(one.certified(history.finals.at(-1)!));
  while (one.state().final.header.height < length) {
    const open = asked;
    asked = [];
    for (const question of open) {
      if (++questions > questionsMax) return null;
      const response = peer(question);
      if (response !== undefined) look(one.feed({ kind: 'answered', id: question.id, response }));
    }
    // A question that never came back counts as lost after some retries.
    if (asked.length === 0) look(one.tick(retryMs));
  }
  expect(hex(one.state().final.hash)).toBe(hex(history.made.at(-1)!.hash));
  return questions;
}

describe('a liar', () => {
  test.each([...names, 'silence'])('%s: alone it stops nobody from being right', (name) => {
    caughtUp(liar(name), 120);
  });

  test.each([...names, 'silence'])('%s: with an honest peer the chain is reached', (name) => {
    const lies = liar(name);
    let turn = 0;
    const peers: Peer = (question) => (turn++ % 2 === 0 ? lies(question) : honest(question));
    expect(caughtUp(peers, 6 * length)).not.toBeNull();
  });

  test('all lies together, one answer of four honest', () => {
    for (let seed = 0; seed < 20; seed++) {
      const lies = liar(null, seed);
      const { below } = chance(seed, 'peers');
      const peers: Peer = (question) => (below(4) === 0 ? honest(question) : lies(question));
      expect(caughtUp(peers, 20 * length), `seed ${seed}`).not.toBeNull();
    }
  });

  test('without the check of its certificate a stretch of the liar is vouched for', async () => {
    const machine = await loadMachine([
      {
        file: 'replica/answer.ts',
        text: 'if (checkCertificate(certificate, rules.engine) !== null) return nothing;',
        by: '',
      },
    ]);
    expect(() => caughtUp(liar('a fork that the liar alone signed'), 120, machine)).toThrow();
  });
});

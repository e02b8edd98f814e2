// Goal: a replica says what it has to say until it is heard, serves what it has, follows any clock,
// and starts again from its disk as the one it was.
// Method: one replica in a laboratory that holds all keys; properties over random inputs.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex } from '../../protocol/brand.ts';
import { certificateId } from '../../protocol/consensus/message.ts';
import { quorum } from '../../protocol/consensus/seats.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { type SignedJob, signedJobCodec } from '../../protocol/job/job.ts';
import { statementMessage } from '../../protocol/job/statement.ts';
import { gossipBytesMax } from '../../protocol/params.ts';
import type { Effect } from '../../protocol/replica/effect.ts';
import { publishBallot } from '../../protocol/replica/follow.ts';
import type { Topic } from '../../protocol/replica/input.ts';
import { readGossip } from '../../protocol/replica/judge.ts';
import { serveFromMemory } from '../../protocol/replica/serve.ts';
import { ballotCodec } from '../../protocol/replica/wire.ts';
import { laboratory, linesBut, lone, type Made, only } from '../simulation/lone.ts';
import { simulatedJob } from '../simulation/network.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('replica', linesBut(55, 68));

const lab = laboratory(4);
const { network, genesis, leader, block, certificate } = lab;
const { viewTimeoutMs, heartbeatMs } = network.rules.genesis.parameters;

const job = (nonce: bigint): SignedJob => simulatedJob(network, genesis.header, { nonce });
const ballots = (effects: readonly Effect[]): string[] =>
  only(effects, 'publish').flatMap(({ topic, bytes }) => {
    if (topic !== 'votes') return [];
    const ballot = ballotCodec.decode(bytes);
    const { kind, view } = ballot.kind === 'vote' ? ballot.vote : ballot.certificate;
    return [`${ballot.kind} ${kind} ${view}`];
  });
const announced = (effects: readonly Effect[]): number[] =>
  only(effects, 'publish').flatMap(({ topic, bytes }) => {
    const message = topic === 'proposals' ? readGossip(topic, bytes) : null;
    if (message?.topic !== 'proposals' || message.items !== null) return [];
    return [message.proposal.header.view];
  });
/** A block with a body that must be asked for. */
const full = (view: number): Made =>
  block(genesis, view, { items: [{ kind: 'job', signed: job(1n) }] });

describe('saying it again', () => {
  test('in a view that goes on: votes, the way into it, and the own proposal', () => {
    const seat = leader(2);
    const one = lone(lab, { seat });
    one.settle(block(genesis, 1));
    const quarter = Math.floor(viewTimeoutMs / 4);
    expect(ballots(one.tick(quarter))).toEqual([]);
    one.feed({ kind: 'submitted', signed: job(1n) });
    const made = one.tick(500 - quarter);
    expect(announced(made)).toEqual([2]);
    expect(ballots(made)).toEqual(['vote notar 2']);
    // The view had lasted 500 ms when we spoke: we speak again after as long.
    expect(ballots(one.tick(499))).toEqual([]);
    const again = one.tick(1);
    expect(announced(again)).toEqual([2]);
    expect(ballots(again)).toEqual(['certificate final 1', 'vote notar 2']);
    expect(ballots(one.tick(499))).toEqual([]);
  });

  test('not while everything is final', () => {
    const one = lone(lab, { seat: leader(3) });
    one.settle(block(genesis, 1));
    expect(ballots(one.tick(heartbeatMs - 1))).toEqual([]);
  });

  test('everything, at a standstill', () => {
    const one = lone(lab, { seat: leader(3) });
    const first = block(genesis, 1);
    one.shown(first);
    one.certified(certificate('notar', 1, first.hash));
    const effects = one.tick(3_000);
    expect(ballots(effects)).toEqual(
      expect.arrayContaining(['vote notar 1', 'vote final 1', 'certificate notar 1']),
    );
  });

  test('work starts the clock of a view, and its absence is told', () => {
    const one = lone(lab, { seat: leader(2) });
    one.hear('jobs', signedJobCodec.encode(job(1n)));
    expect(one.state().busy).toBe(true);
    expect(one.state().engine.busySince).toBe(network.startMs);
    one.tick(61_000);
    let at = genesis;
    for (let view = 1; view <= 16; view++) {
      const made = block(at, view, { timeMs: at.header.timeMs + 4_000 });
      one.settle(made);
      at = made.chain;
    }
    expect(one.state().pool.jobs.size).toBe(0);
    expect(one.state().busy).toBe(false);
    expect(one.state().engine.busySince).toBeNull();
  });
});

describe('votes and certificates', () => {
  test('that are too large for gossip are kept for those who ask', () => {
    const large = laboratory(1_500);
    const one = lone(large, { seat: null });
    const skip = large.certificate('skip', 1);
    expect(skip.seats).toHaveLength(quorum(1_500));
    one.state().effects = [];
    publishBallot(one.state(), { kind: 'certificate', certificate: skip });
    expect(one.state().effects).toEqual([]);
    const small = certificate('skip', 1);
    publishBallot(one.state(), { kind: 'certificate', certificate: small });
    const [published] = only(one.state().effects, 'publish');
    expect(published!.bytes.length).toBeLessThan(gossipBytesMax);
  });

  test('are logged when they are adopted; bodies before they are voted for', () => {
    const one = lone(lab, { seat: leader(3) });
    const first = block(genesis, 1);
    const effects = [
      ...one.shown(first),
      ...one.certified(certificate('notar', 1, first.hash)),
      ...one.certified(certificate('final', 1, first.hash)),
    ];
    const order = effects.flatMap((effect) =>
      effect.kind === 'log-vote'
        ? [`vote ${effect.vote.kind}`]
        : effect.kind === 'log-certificate'
          ? [`certificate ${effect.certificate.kind}`]
          : effect.kind === 'store-block' || effect.kind === 'finalize'
            ? [effect.kind]
            : [],
    );
    expect(order).toEqual([
      'store-block',
      'vote notar',
      'certificate notar',
      'vote final',
      'certificate final',
      'finalize',
    ]);
  });

  test('an own block on a parent that lost meanwhile is neither announced nor kept', () => {
    const seat = leader(3);
    const one = lone(lab, { seat });
    const lost = block(genesis, 1);
    one.shown(lost);
    one.certified(certificate('notar', 1, lost.hash));
    one.certified(certificate('skip', 2));
    expect(one.state().leadership).toMatchObject({ view: 3, parent: { id: hex(lost.hash) } });
    // View 2 turns out to be final, its block unseen: nothing can be built on view 1 any more.
    const other = block(genesis, 2);
    one.certified(certificate('final', 2, other.hash));
    const effects = one.tick(heartbeatMs + 250);
    expect(announced(effects)).toEqual([]);
    expect(only(effects, 'log-vote').filter(({ vote }) => vote.kind === 'notar')).toEqual([]);
    const own = only(effects, 'log-proposal').map(({ block: made }) => made.header.view);
    expect(own).toEqual([3]);
    expect([...one.state().tree.values()].filter(({ ref }) => ref.view === 3)).toEqual([]);
  });
});

describe('serving', () => {
  const first = full(1);
  const one = lone(lab, { seat: leader(2) });
  const ask = (request: Parameters<typeof serveFromMemory>[1]) =>
    serveFromMemory(one.state(), request);
  const notar = certificate('notar', 1, first.hash);

  test('gives blocks of the tree whose body is here', () => {
    expect(ask({ kind: 'block', hash: first.hash })).toBeNull();
    one.hear('proposals', first.proposal);
    expect(ask({ kind: 'block', hash: first.hash })).toBeNull();
    one.answer(`block/${hex(first.hash)}`, { kind: 'block', block: first.sealed });
    expect(ask({ kind: 'block', hash: first.hash })).toEqual({
      kind: 'block',
      block: first.sealed,
    });
  });

  test('gives certificates that were adopted, and no others', () => {
    one.certified(notar);
    const ids = [certificateId(notar), hash('dev', 'unknown')];
    expect(ask({ kind: 'certificates', ids })).toEqual({
      kind: 'certificates',
      certificates: [notar],
    });
  });

  test('has no final blocks above its own, and leaves the others to the disk', () => {
    const empty = { kind: 'final', blocks: [], certificate: null };
    expect(ask({ kind: 'final', from: 1 })).toEqual(empty);
    one.certified(certificate('final', 1, first.hash));
    expect(ask({ kind: 'final', from: 1 })).toBeNull();
    expect(ask({ kind: 'final', from: 2 })).toEqual(empty);
    expect(ask({ kind: 'block', hash: first.hash })).toBeNull();
  });

  test('gives no more certificates than fit into an answer', () => {
    const large = laboratory(1_000);
    const two = lone(large, { seat: null });
    const each = large.certificate('skip', 1);
    const ids = Array.from({ length: 100 }, (_, i) => hash('dev', 'certificate', i));
    for (const id of ids) two.state().certificates.set(hex(id), { view: 1, certificate: each });
    const response = serveFromMemory(two.state(), { kind: 'certificates', ids });
    const { length } = response?.kind === 'certificates' ? response.certificates : [];
    expect(length).toBeGreaterThan(50);
    expect(length).toBeLessThan(100);
  });
});

describe('the clock', () => {
  test('may be set back by an hour: nothing waits for it to return', () => {
    const one = lone(lab, { seat: leader(2) });
    one.feed({ kind: 'submitted', signed: job(1n) });
    one.hear('proposals', full(1).proposal);
    one.tick(5_000);
    const [wake] = only(one.tick(-3_600_000), 'wake');
    const now = network.startMs + 5_000 - 3_600_000;
    expect(wake?.at).toBeGreaterThan(now);
    expect(wake?.at).toBeLessThanOrEqual(now + 1_000);
    const effects = one.tick(1_000);
    const topics = only(effects, 'publish').map(({ topic }) => topic);
    expect(topics).toContain('jobs');
    expect(only(effects, 'request')).toHaveLength(1);
  });

  test('always has a next time, also when nothing is to do', () => {
    const one = lone(lab, { seat: null });
    for (const ms of [0, 1, 999, 60_000, 3_600_000]) {
      const wakes = only(one.tick(ms), 'wake');
      expect(wakes).toHaveLength(1);
      expect(wakes[0]!.at).toBeGreaterThan(one.state().now);
    }
  });
});

describe('a new start', () => {
  const first = block(genesis, 1);
  const second = block(first.chain, 2);
  const seat = [0, 1, 2, 3].find((n) => n !== leader(1) && n !== leader(2) && n !== leader(3))!;

  test('brings votes, certificates and bodies back: a quorum that stops at once goes on', () => {
    const one = lone(lab, { seat });
    const effects = [
      ...one.shown(first),
      ...one.certified(certificate('notar', 1, first.hash)),
      ...one.shown(second),
    ];
    const kept = {
      votes: only(effects, 'log-vote').map(({ vote }) => vote),
      certificates: only(effects, 'log-certificate').map((each) => each.certificate),
      blocks: only(effects, 'store-block').map((each) => each.block),
    };
    expect(kept.votes.map(({ kind, view }) => `${kind} ${view}`)).toEqual([
      'notar 1',
      'final 1',
      'notar 2',
    ]);
    const two = lone(lab, { seat, kept });
    expect(two.state().engine.view).toBe(2);
    expect(two.state().tree.get(hex(second.hash))?.validated).toBe(true);
    expect(two.state().engine.blocks.get(hex(second.hash))?.validated).toBe(true);
    expect(two.state().wanted.size).toBe(0);
    expect(ballots(two.booted)).toEqual(expect.arrayContaining(['vote notar 2', 'vote final 1']));
    expect(only(two.booted, 'log-vote')).toEqual([]);
    const body = serveFromMemory(two.state(), { kind: 'block', hash: first.hash });
    expect(body).toEqual({ kind: 'block', block: first.sealed });
    const on = two.certified(certificate('final', 2, second.hash));
    expect(only(on, 'finalize')[0]?.blocks).toEqual([first.sealed, second.sealed]);
  });

  test('keeps what was said about jobs that have not ended', () => {
    const said = (n: number) => {
      const statement = {
        kind: 'commit',
        seat,
        job: hash('dev', 'job', n),
        lane: 0,
        wave: 0,
        drawId: hash('dev', 'draw'),
        digest: hash('dev', 'digest'),
      } as const;
      const message = statementMessage(statement, network.rules.network);
      return { statement, signature: network.keys(seat).sign(message) };
    };
    const one = lone(lab, { seat, kept: { statements: [said(1), said(2)] } });
    expect(one.state().said.size).toBe(2);
    expect(one.state().pool.statements.size).toBe(2);
  });

  test('without the bodies asks for them again', () => {
    const one = lone(lab, { seat, kept: { certificates: [certificate('notar', 1, first.hash)] } });
    expect(only(one.booted, 'request').map(({ request }) => request)).toEqual([
      { kind: 'block', hash: first.hash },
    ]);
  });

  test('from any prefix of what was logged signs nothing that excludes it', () => {
    const one = lone(lab, { seat });
    const rival = block(genesis, 1, { timeMs: genesis.header.timeMs + 999 });
    const effects = [
      ...one.shown(first),
      ...one.certified(certificate('notar', 1, first.hash)),
      ...one.shown(second),
      ...one.tick(10_000),
    ];
    const votes = only(effects, 'log-vote').map(({ vote }) => vote);
    expect(votes.length).toBeGreaterThan(3);
    for (let length = 0; length <= votes.length; length++) {
      const before = votes.slice(0, length);
      const two = lone(lab, { seat, kept: { votes: before } });
      const after = [
        ...two.booted,
        ...two.shown(rival),
        ...two.tick(2_000),
        ...two.shown(first),
        ...two.certified(certificate('notar', 1, first.hash)),
        ...two.tick(10_000),
      ];
      const all = [...before, ...only(after, 'log-vote').map(({ vote }) => vote)];
      const names = all.map(({ kind, view }) => `${kind} ${view}`);
      expect(new Set(names).size).toBe(names.length);
      for (const { kind, view } of all)
        if (kind === 'final') expect(names).not.toContain(`skip ${view}`);
    }
  });
});

test('any input has an answer in any state, and holds little', () => {
  const made: Made[] = [block(genesis, 1), block(genesis, 2)];
  const messages: [Topic, Uint8Array][] = [
    ...made.map(({ proposal }): [Topic, Uint8Array] => ['proposals', proposal]),
    ['jobs', signedJobCodec.encode(job(1n))],
    ...[lab.vote(1, 'notar', 1, made[0]!.hash), lab.vote(2, 'skip', 1)].map(
      (vote): [Topic, Uint8Array] => ['votes', ballotCodec.encode({ kind: 'vote', vote })],
    ),
  ];
  const input = fc.oneof(
    fc.record({ kind: fc.constant('message' as const), place: fc.nat(messages.length - 1) }),
    fc.record({ kind: fc.constant('bytes' as const), bytes: fc.uint8Array({ maxLength: 64 }) }),
    fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: -9_000, max: 9_000 }) }),
    fc.record({ kind: fc.constant('answer' as const), id: fc.nat(20), place: fc.nat(3) }),
  );
  fc.assert(
    fc.property(fc.array(input, { maxLength: 60 }), (inputs) => {
      const one = lone(lab, { seat: leader(2) });
      for (const each of inputs) {
        if (each.kind === 'message') one.hear(...messages[each.place]!);
        else if (each.kind === 'bytes') {
          expect(readGossip('votes', each.bytes)).toBeNull();
          one.hear('votes', each.bytes);
        } else if (each.kind === 'time') one.tick(each.ms);
        else {
          const response = [
            { kind: 'block', block: made[0]!.sealed } as const,
            { kind: 'final', blocks: [made[1]!.sealed], certificate: null } as const,
            { kind: 'certificates', certificates: [certificate('skip', 1)] } as const,
            null,
          ][each.place]!;
          one.feed({ kind: 'answered', id: each.id, response });
        }
      }
      expect(one.state().tree.size).toBeLessThanOrEqual(30);
    }),
    { numRuns: 200 },
  );
});

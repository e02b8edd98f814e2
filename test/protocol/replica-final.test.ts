// Goal: what is certified becomes final, what waits is bounded and offered, and a leader proposes
// once, in time, on the best parent.
// Method: one replica in a laboratory that holds all keys; the test plays all peers.
import { describe, expect, test } from 'vitest';
import { hex } from '../../protocol/brand.ts';
import { certificateId } from '../../protocol/consensus/message.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { jobId, type SignedJob, signedJobCodec } from '../../protocol/job/job.ts';
import {
  type SignedStatement,
  signedStatementCodec,
  statementMessage,
} from '../../protocol/job/statement.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import type { Effect } from '../../protocol/replica/effect.ts';
import { readGossip } from '../../protocol/replica/judge.ts';
import { takeLead } from '../../protocol/replica/lead.ts';
import { pooledStatementsOfSeatMax } from '../../protocol/replica/pool.ts';
import { laboratory, linesBut, lone, type Made, only } from '../simulation/lone.ts';
import { simulatedJob, strangerJob } from '../simulation/network.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('replica', linesBut(32, 44));

const lab = laboratory(4);
const { network, genesis, leader, block, certificate } = lab;
const { stepMinMs, stepMaxMs, heartbeatMs } = network.rules.genesis.parameters;

const proposals = (effects: readonly Effect[]) =>
  only(effects, 'publish').flatMap(({ topic, bytes }) => {
    const message = topic === 'proposals' ? readGossip(topic, bytes) : null;
    return message?.topic === 'proposals' && message.items === null ? [message.proposal] : [];
  });
const job = (nonce: bigint, change: Partial<SignedJob['job']> = {}): SignedJob =>
  simulatedJob(network, genesis.header, { nonce, ...change });
const jobsHeard = (one: ReturnType<typeof lone>, signed: SignedJob): number => {
  one.hear('jobs', signedJobCodec.encode(signed));
  return one.state().pool.jobs.size;
};

describe('finality', () => {
  test('waits for the body of a certified block, and takes its ancestors along', () => {
    const first = block(genesis, 1);
    const second = block(first.chain, 2, { items: [{ kind: 'job', signed: job(1n) }] });
    const one = lone(lab, { seat: leader(3) });
    one.shown(first);
    one.hear('proposals', second.proposal);
    const early = one.certified(certificate('final', 2, second.hash));
    expect(only(early, 'finalize')).toEqual([]);
    const key = `block/${hex(second.hash)}`;
    const effects = one.answer(key, { kind: 'block', block: second.sealed });
    const [final] = only(effects, 'finalize');
    expect(final?.blocks).toEqual([first.sealed, second.sealed]);
    expect(final?.certificate).toEqual(certificate('final', 2, second.hash));
    expect(one.state().final.hash).toEqual(second.hash);
    // What consensus says twice is final once.
    expect(only(one.certified(certificate('final', 2, second.hash)), 'finalize')).toEqual([]);
  });

  test('forgets the branches that lost, and keeps those that grow from it', () => {
    const first = block(genesis, 1);
    const rival = block(genesis, 2);
    const second = block(first.chain, 3);
    const one = lone(lab, { seat: leader(4) });
    one.shown(first);
    for (const made of [rival, second]) one.hear('proposals', made.proposal);
    one.certified(certificate('notar', 1, first.hash));
    one.certified(certificate('skip', 2));
    one.shown(second);
    expect(one.state().tree.size).toBe(3);
    one.certified(certificate('final', 1, first.hash));
    expect([...one.state().tree.keys()]).toEqual([hex(second.hash)]);
    expect(one.state().unsure.size).toBe(1);
    for (const { view } of one.state().certificates.values())
      expect(view).toBeGreaterThanOrEqual(1);
  });
});

describe('the pool', () => {
  test('keeps a job that its node submits, and says it until it is ordered', () => {
    const one = lone(lab, { seat: leader(2) });
    const signed = job(1n);
    const bytes = signedJobCodec.encode(signed);
    const said = (effects: readonly Effect[]) =>
      only(effects, 'publish').filter(({ topic }) => topic === 'jobs');
    expect(said(one.feed({ kind: 'submitted', signed }))).toEqual([
      { kind: 'publish', topic: 'jobs', bytes },
    ]);
    expect(said(one.tick(500))).toHaveLength(0);
    expect(said(one.tick(500))).toHaveLength(1);
    one.settle(block(genesis, 1, { items: [{ kind: 'job', signed }] }));
    expect(one.state().pool.jobs.size).toBe(0);
    expect(one.state().pool.ofSubmitter.size).toBe(0);
    expect(said(one.tick(1_000))).toHaveLength(0);
    const again = one.feed({ kind: 'submitted', signed });
    expect(only(again, 'notice')).toEqual([
      { kind: 'notice', notice: { kind: 'job-refused', code: 'JOB_REPLAYED' } },
    ]);
    expect(said(again)).toEqual([]);
  });

  test('repeats a job that others told of first once it is submitted here', () => {
    const one = lone(lab);
    const signed = job(1n);
    expect(jobsHeard(one, signed)).toBe(1);
    one.feed({ kind: 'submitted', signed });
    expect([...one.state().pool.own]).toEqual([hex(jobId(signed.job))]);
  });

  test('forgets a job whose time is over', () => {
    const one = lone(lab, { seat: leader(2) });
    const includeByMs = genesis.header.timeMs + 300;
    expect(jobsHeard(one, job(1n, { includeByMs }))).toBe(1);
    one.settle(block(genesis, 1, { timeMs: genesis.header.timeMs + 400 }));
    expect(one.state().pool.jobs.size).toBe(0);
    const refused = one.feed({ kind: 'submitted', signed: job(2n, { includeByMs }) });
    expect(only(refused, 'notice')[0]?.notice).toMatchObject({ code: 'JOB_NOT_INCLUDED_IN_TIME' });
  });

  test('takes from strangers only what the chain could order now', () => {
    const one = lone(lab, { seat: leader(2) });
    const { timeMs } = genesis.header;
    const bad: Partial<SignedJob['job']>[] = [
      { includeByMs: timeMs },
      { includeByMs: timeMs + 61_000 },
      { anchorHash: hash('dev', 'elsewhere') },
      { anchorHeight: 1, anchorHash: hash('dev', 'later') },
      { fee: 10n ** 15n },
    ];
    for (const change of bad) expect(jobsHeard(one, job(1n, change))).toBe(0);
    // A signature costs nothing: a key without tokens has no place.
    expect(jobsHeard(one, strangerJob(network, genesis.header))).toBe(0);
    expect(one.state().busy).toBe(false);
    // Its own node waits with a job for its escrow, but not for ever.
    one.feed({ kind: 'submitted', signed: strangerJob(network, genesis.header) });
    expect(one.state().pool.jobs.size).toBe(1);
    expect(one.state().busy).toBe(true);
  });

  test('knows anchors among recent final blocks and in the tree', () => {
    const first = block(genesis, 1);
    const second = block(first.chain, 2);
    const one = lone(lab, { seat: leader(3) });
    const anchored = (made: Made, nonce: bigint): SignedJob =>
      simulatedJob(network, made.sealed.header, { nonce });
    expect(jobsHeard(one, anchored(first, 1n))).toBe(0);
    one.shown(first);
    expect(jobsHeard(one, anchored(first, 1n))).toBe(1);
    one.settle(first);
    one.settle(second);
    expect(jobsHeard(one, anchored(first, 2n))).toBe(2);
    expect(jobsHeard(one, anchored(second, 3n))).toBe(3);
  });

  test('is full for one submitter before it is full for all', () => {
    const one = lone(lab);
    for (let nonce = 1n; nonce <= 513n; nonce++) jobsHeard(one, job(nonce));
    expect(one.state().pool.jobs.size).toBe(512);
    const refused = one.feed({ kind: 'submitted', signed: job(600n) });
    expect(only(refused, 'notice')[0]?.notice).toEqual({ kind: 'job-refused', code: 'POOL_FULL' });
  });

  const commit = (seat: number, n: number, about: number): SignedStatement => {
    const statement = {
      kind: 'commit',
      seat,
      job: hash('dev', 'unknown', about),
      lane: 0,
      wave: 0,
      drawId: hash('dev', 'draw'),
      digest: hash('dev', 'digest', n),
    } as const;
    const message = statementMessage(statement, network.rules.network);
    return { statement, signature: network.keys(seat).sign(message) };
  };
  const said = (one: ReturnType<typeof lone>, signed: SignedStatement): void => {
    one.hear('statements', signedStatementCodec.encode(signed));
  };

  test('keeps two statements of a seat about one thing, and so many of a seat', () => {
    const one = lone(lab, { seat: leader(2) });
    for (let n = 0; n < 10; n++) said(one, commit(1, n, 0));
    expect(one.state().pool.statements.size).toBe(2);
    for (let n = 0; n < 3_000; n++) said(one, commit(2, n, n));
    expect(one.state().pool.ofSeat.get(2)).toBe(pooledStatementsOfSeatMax);
    // No chain knows these jobs: with the next final block they are gone.
    one.settle(block(genesis, 1));
    const { statements, ofSeat, ofSubject } = one.state().pool;
    expect([statements.size, ofSeat.size, ofSubject.size]).toEqual([0, 0, 0]);
  });

  test('ignores what the final chain has no place for', () => {
    const signed = job(1n);
    const first = block(genesis, 1, { items: [{ kind: 'job', signed }] });
    const drawn = block(first.chain, 2);
    const one = lone(lab, { seat: leader(3) });
    one.settle(first);
    one.settle(drawn);
    const id = jobId(signed.job);
    const lane = new StateCursor(drawn.chain.map).lane(id, 0)!;
    const { seat } = lane.slots[0]!;
    const at = { job: id, lane: 0, wave: 0, drawId: lane.waves[0]!.drawId, seat };
    const digest = hash('dev', 'digest');
    const sign = (statement: SignedStatement['statement']): SignedStatement => {
      const message = statementMessage(statement, network.rules.network);
      return { statement, signature: network.keys(statement.seat).sign(message) };
    };
    const { size } = one.state().pool.statements;
    said(one, sign({ kind: 'commit', ...at, digest, drawId: hash('dev', 'fork') }));
    said(one, sign({ kind: 'commit', ...at, digest, lane: 17 }));
    const idle = [0, 1, 2, 3].find((n) => lane.slots.every((slot) => slot.seat !== n));
    if (idle !== undefined) said(one, sign({ kind: 'commit', ...at, digest, seat: idle }));
    said(one, sign({ kind: 'open', ...at, openings: [] }));
    expect(one.state().pool.statements.size).toBe(size);
    said(one, sign({ kind: 'commit', ...at, digest }));
    expect(one.state().pool.statements.size).toBe(size + 1);
  });

  test('drops what a draft shows to have no place on any chain', () => {
    const signed = job(1n, { subtasks: 1 });
    const first = block(genesis, 1, { items: [{ kind: 'job', signed }] });
    const drawn = block(first.chain, 2);
    const id = jobId(signed.job);
    const lane = new StateCursor(drawn.chain.map).lane(id, 0)!;
    const sign = (statement: SignedStatement['statement']): SignedStatement => {
      const message = statementMessage(statement, network.rules.network);
      return { statement, signature: network.keys(statement.seat).sign(message) };
    };
    const at = { job: id, lane: 0, wave: 0, drawId: lane.waves[0]!.drawId };
    const digest = hash('dev', 'digest');
    const items = lane.slots.map(
      ({ seat }) =>
        ({ kind: 'statement', signed: sign({ kind: 'commit', ...at, seat, digest }) }) as const,
    );
    const committed = block(drawn.chain, 3, { items });
    expect(committed.sealed.items).toHaveLength(lane.slots.length);
    const one = lone(lab, { seat: leader(4) });
    for (const made of [first, drawn, committed]) one.settle(made);
    const claim = { laneRoot: digest, valueCid: null, mapFuel: 0n };
    const { seat } = lane.slots[0]!;
    const reveal = {
      kind: 'reveal',
      ...at,
      seat,
      claim,
      saltKey: digest,
      workRoot: digest,
    } as const;
    const bad = sign({ ...reveal, value: null });
    said(one, bad);
    const kept = () => [...one.state().pool.statements.values()].map((one) => one.signed.signature);
    expect(kept()).toContainEqual(bad.signature);
    expect(proposals(one.tick(1_000))).toHaveLength(1);
    expect(kept()).not.toContainEqual(bad.signature);
  });
});

describe('a leader', () => {
  const view = 1;
  const seat = leader(view);

  test('with work proposes a least step after the parent, else a heartbeat', () => {
    const idle = lone(lab, { seat });
    expect(proposals(idle.tick(heartbeatMs - 1))).toEqual([]);
    const [empty] = proposals(idle.tick(1));
    expect(empty?.header).toMatchObject({ view, height: 1, proposer: seat });
    expect(empty?.header.timeMs).toBe(genesis.header.timeMs + heartbeatMs);

    const busy = lone(lab, { seat });
    busy.hear('jobs', signedJobCodec.encode(job(1n)));
    expect(proposals(busy.tick(stepMinMs - 1))).toEqual([]);
    const effects = busy.tick(1);
    expect(proposals(effects)[0]?.header.timeMs).toBe(genesis.header.timeMs + stepMinMs);
    const { items } = only(effects, 'log-proposal')[0]!.block;
    expect(items).toHaveLength(1);
  });

  test('logs its block and its vote before it announces, and proposes once', () => {
    const one = lone(lab, { seat });
    const effects = one.tick(heartbeatMs);
    const order = effects.flatMap((effect) =>
      effect.kind === 'publish' ? [effect.topic] : /^log/.test(effect.kind) ? [effect.kind] : [],
    );
    expect(order.indexOf('log-proposal')).toBe(0);
    expect(order.indexOf('log-vote')).toBeLessThan(order.indexOf('votes'));
    expect(order.indexOf('log-vote')).toBeLessThan(order.indexOf('proposals'));
    expect(order.filter((word) => word === 'proposals')).toHaveLength(1);
    const later = one.tick(heartbeatMs);
    expect(only(later, 'log-proposal')).toEqual([]);
    for (const { header } of proposals(later))
      expect(header).toEqual(proposals(effects)[0]!.header);
  });

  test('pushes a small body ahead of its announcement, and leaves a large one to be asked for', () => {
    const pushes = (change: Partial<SignedJob['job']>): boolean[] => {
      const one = lone(lab, { seat });
      one.hear('jobs', signedJobCodec.encode(job(1n, change)));
      return only(one.tick(stepMinMs), 'publish').flatMap(({ topic, bytes }) => {
        const message = topic === 'proposals' ? readGossip(topic, bytes) : null;
        return message?.topic === 'proposals' ? [message.items !== null] : [];
      });
    };
    expect(pushes({})).toEqual([true, false]);
    expect(pushes({ parameters: new Uint8Array(32_000) })).toEqual([false]);
  });

  test('after an outage gives chain time that catches up in steps', () => {
    const one = lone(lab, { seat, startMs: network.startMs + 3_600_000 });
    const [made] = proposals(one.booted);
    expect(made?.header.timeMs).toBe(genesis.header.timeMs + stepMaxMs);
  });

  test('forgets a view that is over, and builds on a better parent that comes in time', () => {
    const second = lab.viewOf(seat, 2);
    const one = lone(lab, { seat });
    expect(one.state().leadership?.view).toBe(view);
    for (let skipped = view; skipped < second; skipped++)
      one.certified(certificate('skip', skipped));
    expect(one.state().leadership).toMatchObject({ view: second, parent: { view: 0 } });
    // The block of the view before turns out to be notarized as well.
    const better = block(genesis, second - 1);
    one.certified(certificate('notar', second - 1, better.hash));
    one.answer(`block/${hex(better.hash)}`, { kind: 'block', block: better.sealed });
    expect(one.state().leadership).toMatchObject({ view: second, parent: { view: second - 1 } });
    one.certified(certificate('skip', second));
    expect(one.state().leadership?.view ?? 0).not.toBe(second);
  });

  test('does not propose again when a better parent comes after its block', () => {
    const second = lab.viewOf(seat, 2);
    const one = lone(lab, { seat });
    for (let skipped = view; skipped < second; skipped++)
      one.certified(certificate('skip', skipped));
    const made = proposals(one.tick(heartbeatMs));
    expect(made[0]?.header.view).toBe(second);
    const better = block(genesis, second - 1);
    one.certified(certificate('notar', second - 1, better.hash));
    const body = { kind: 'block', block: better.sealed } as const;
    const effects = one.answer(`block/${hex(better.hash)}`, body);
    expect(one.state().engine.blocks.get(hex(better.hash))?.validated).toBe(true);
    expect(only(effects, 'log-proposal')).toEqual([]);
    expect(only(one.tick(heartbeatMs), 'log-proposal')).toEqual([]);
  });

  test('that stopped between its block and its vote stands by that block', () => {
    // Seat of view 1; its disk has the block and not the vote, so nobody has seen it.
    const before = block(genesis, view, { timeMs: genesis.header.timeMs + heartbeatMs });
    const one = lone(lab, { seat, kept: { blocks: [before.sealed] } });
    expect(one.state().proposed.get(view)).toBe(hex(before.hash));
    const effects = [...one.booted, ...one.tick(heartbeatMs), ...one.tick(1_000)];
    expect(only(effects, 'log-proposal')).toEqual([]);
    expect(only(effects, 'log-vote').map(({ vote }) => vote.block)).toEqual([before.hash]);
    expect(proposals(effects).map(({ header }) => header)).toContainEqual(before.sealed.header);
  });

  test('names no more certificates than an announcement holds', () => {
    const one = lone(lab, { seat });
    const skips = Array.from({ length: 2_000 }, (_, i) => certificate('skip', i + 1));
    const parent = one.state().finalRef;
    takeLead(one.state(), { kind: 'lead', view, parent, notar: null, skips });
    const [made] = proposals(one.tick(heartbeatMs));
    expect(made?.rests).toHaveLength(1_023);
    expect(made?.rests.at(-1)).toEqual(certificateId(skips.at(-1)!));
  });
});

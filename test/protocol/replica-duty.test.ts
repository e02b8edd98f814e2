// Goal: a drawn seat does its duty once, says it until it is ordered, and after any stop goes on
// without ever signing what excludes what it signed before.
// Method: one replica in a laboratory that holds all keys; and whole worlds for later waves.
import { describe, expect, test } from 'vitest';
import { type Hex, hex } from '../../protocol/brand.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { jobId } from '../../protocol/job/job.ts';
import {
  type SignedStatement,
  type StatementKind,
  signedStatementCodec,
  statementMessage,
} from '../../protocol/job/statement.ts';
import type { BlockItem } from '../../protocol/ledger/block.ts';
import type { ChainState } from '../../protocol/ledger/chain.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { openDrawHeights } from '../../protocol/replica/duty.ts';
import type { Effect } from '../../protocol/replica/effect.ts';
import type { LaneOutcome } from '../../protocol/replica/input.ts';
import { runCase } from '../simulation/campaign.ts';
import { simulateLane } from '../simulation/lane.ts';
import { laboratory, linesBut, lone, type Made, only } from '../simulation/lone.ts';
import { simulatedJob } from '../simulation/network.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('replica', linesBut(46, 54));

const lab = laboratory(7);
const { network, genesis, block } = lab;
const signed = simulatedJob(network, genesis.header, { subtasks: 1 });
const id = jobId(signed.job);

/** The next block, by a seat other than ours. */
function next(parent: ChainState, seat: number, items: readonly BlockItem[] = [], ms = 250): Made {
  let view = parent.header.view + 1;
  while (lab.leader(view) === seat) view += 1;
  return block(parent, view, { items, timeMs: parent.header.timeMs + ms });
}

// Which seats are drawn depends on who leads; so ours is chosen first, by looking.
const scene = (() => {
  for (let seat = 0; seat < 7; seat++) {
    const ordered = next(genesis, seat, [{ kind: 'job', signed }]);
    const drawn = next(ordered.chain, seat);
    const lane = new StateCursor(drawn.chain.map).lane(id, 0)!;
    if (lane.slots.some((slot) => slot.seat === seat)) return { seat, ordered, drawn, lane };
  }
  throw new Error('no seat is drawn in its own scene');
})();
const { seat, ordered, drawn, lane } = scene;
const at = { job: id, lane: 0, wave: 0, drawId: lane.waves[0]!.drawId };

function sign(statement: SignedStatement['statement']): SignedStatement {
  const message = statementMessage(statement, network.rules.network);
  return { statement, signature: network.keys(statement.seat).sign(message) };
}
/** Commits of all drawn seats but ours. */
const otherCommits: readonly BlockItem[] = lane.slots
  .filter((slot) => slot.seat !== seat)
  .map((slot) => ({
    kind: 'statement',
    signed: sign({ kind: 'commit', ...at, seat: slot.seat, digest: hash('dev', slot.seat) }),
  }));

const logged = (effects: readonly Effect[]): StatementKind[] =>
  only(effects, 'log-statement').map((effect) => effect.signed.statement.kind);
const said = (effects: readonly Effect[]): SignedStatement[] =>
  only(effects, 'publish').flatMap(({ topic, bytes }) =>
    topic === 'statements' ? [signedStatementCodec.decode(bytes)] : [],
  );

/** A replica that has been drawn, with its duty. */
function drawnReplica() {
  const one = lone(lab, { seat });
  one.settle(ordered);
  const effects = one.shown(drawn);
  const [execute] = only(effects, 'execute');
  if (execute === undefined) throw new Error('a drawn seat begins at once');
  return { one, duty: execute.duty };
}
const outcomeOf = (duty: Parameters<typeof simulateLane>[0]): LaneOutcome => simulateLane(duty, {});

describe('a duty', () => {
  test('begins with the valid block, is signed when that is final, and said until ordered', () => {
    const { one, duty } = drawnReplica();
    expect(duty).toMatchObject({ seat, lane: 0, wave: 0, beacon: drawn.chain.header.beacon });
    const early = one.feed({ kind: 'executed', key: duty.key, outcome: outcomeOf(duty) });
    expect(logged(early)).toEqual([]);
    const final = one.settle(drawn);
    expect(logged(final)).toEqual(['commit']);
    const place = final.findIndex(({ kind }) => kind === 'log-statement');
    const sent = final.findIndex(
      (effect) => effect.kind === 'publish' && effect.topic === 'statements',
    );
    expect(place).toBeLessThan(sent);
    expect(said(final)).toHaveLength(1);
    const [again] = said(one.tick(1_000));
    expect(again).toEqual(said(final)[0]);
    // The block that orders all commits closes the phase; once it is final, the reveal follows.
    const own: BlockItem = { kind: 'statement', signed: said(final)[0]! };
    const committed = next(drawn.chain, seat, [...otherCommits, own]);
    expect(committed.sealed.items).toHaveLength(otherCommits.length + 1);
    expect(logged(one.shown(committed))).toEqual([]);
    expect(logged(one.settle(committed))).toEqual(['reveal']);
    expect(said(one.tick(1_000)).map(({ statement }) => statement.kind)).toEqual(['reveal']);
    // A second outcome changes nothing.
    one.feed({ kind: 'executed', key: duty.key, outcome: { kind: 'local', class: 'timeout' } });
    expect(one.state().said.size).toBe(2);
  });

  test('that fails here abstains, and never commits afterwards', () => {
    const { one, duty } = drawnReplica();
    one.settle(drawn);
    const local: LaneOutcome = { kind: 'local', class: 'unavailable' };
    const effects = one.feed({ kind: 'executed', key: duty.key, outcome: local });
    expect(logged(effects)).toEqual(['abstain']);
    const kept = { ...restartOf(drawn.chain, said(effects)) };
    const two = lone(lab, { seat, kept });
    const [again] = only(two.booted, 'execute');
    expect(again?.duty.key).toBe(duty.key);
    const later = two.feed({ kind: 'executed', key: duty.key, outcome: outcomeOf(duty) });
    expect(logged(later)).toEqual([]);
    expect(said(two.tick(1_000))).toEqual(said(effects));
  });

  /** A duty that is still running when its commit phase has closed. */
  function lateReplica() {
    const { one, duty } = drawnReplica();
    one.settle(drawn);
    let chain = drawn.chain;
    const effects: Effect[] = [];
    const closed = () => new StateCursor(chain.map).lane(id, 0)?.waves[0]?.commitClose ?? null;
    for (let i = 0; i < 6 && closed() === null; i++) {
      const made = next(chain, seat, i === 0 ? otherCommits : [], 4_000);
      one.tick(4_000);
      effects.push(...one.settle(made));
      chain = made.chain;
    }
    expect(closed()).not.toBeNull();
    expect(only(effects, 'forget')).toEqual([]);
    return { one, duty };
  }

  test('whose outcome comes after the commit phase ends without a word', () => {
    const { one, duty } = lateReplica();
    const late = one.feed({ kind: 'executed', key: duty.key, outcome: outcomeOf(duty) });
    expect(logged(late)).toEqual([]);
    expect(only(late, 'forget')).toEqual([{ kind: 'forget', key: duty.key }]);
  });

  test('that cannot be run says so also after the commit phase', () => {
    const { one, duty } = lateReplica();
    const outcome = { kind: 'local', class: 'timeout' } as const;
    expect(logged(one.feed({ kind: 'executed', key: duty.key, outcome }))).toEqual(['abstain']);
  });

  test('of a branch that lost ends with it, unsigned', () => {
    const { one, duty } = drawnReplica();
    one.feed({ kind: 'executed', key: duty.key, outcome: outcomeOf(duty) });
    // The job was ordered in the block that is final; another child of it drew other seats.
    let view = drawn.view + 1;
    while (lab.leader(view) === seat) view += 1;
    const rival = block(ordered.chain, view, { timeMs: drawn.chain.header.timeMs + 1 });
    const effects = one.settle(rival);
    expect(only(effects, 'forget').map(({ key }) => key)).toContain(duty.key);
    expect(logged(effects)).toEqual([]);
    expect([...one.state().duties.keys()]).not.toContain(duty.key);
  });
});

/** What a disk holds when `final` is the last final block. */
function restartOf(final: ChainState, statements: readonly SignedStatement[]) {
  const { view } = final.header;
  return {
    final,
    finalCertificate: lab.certificate('final', view, final.hash),
    statements,
    jobs: [signed],
    beacons: new Map<number, Uint8Array>([
      [ordered.chain.header.height, ordered.chain.header.beacon],
      [drawn.chain.header.height, drawn.chain.header.beacon],
    ]),
  };
}

test('a replica whose clock is slow follows the others, and does its duty', () => {
  const one = lone(lab, { seat, startMs: network.startMs - 10_000 });
  const effects = [...one.settle(ordered), ...one.settle(drawn)];
  expect(one.state().finalRef.height).toBe(2);
  expect(only(effects, 'log-vote').filter(({ vote }) => vote.kind === 'notar')).toEqual([]);
  expect(only(effects, 'store-job')).toHaveLength(1);
  expect(one.state().engine.blocks.get(hex(drawn.hash))?.validated).toBe(true);
  const [execute] = only(effects, 'execute');
  const { key } = execute!.duty;
  const done = one.feed({ kind: 'executed', key, outcome: outcomeOf(execute!.duty) });
  expect(logged(done)).toEqual(['commit']);
});

describe('after a stop', () => {
  const committed = () => {
    const { one, duty } = drawnReplica();
    one.settle(drawn);
    const effects = one.feed({ kind: 'executed', key: duty.key, outcome: outcomeOf(duty) });
    return { duty, statements: said(effects) };
  };

  test('what was committed is said again as it was, and revealed', () => {
    const { duty, statements } = committed();
    const one = lone(lab, { seat, kept: restartOf(drawn.chain, statements) });
    expect(said(one.booted)).toEqual(statements);
    const rerun = one.feed({ kind: 'executed', key: duty.key, outcome: outcomeOf(duty) });
    expect(logged(rerun)).toEqual([]);
    const own: BlockItem = { kind: 'statement', signed: statements[0]! };
    const made = next(drawn.chain, seat, [...otherCommits, own]);
    expect(logged(one.settle(made))).toEqual(['reveal']);
  });

  test('a failure of the second run does not abstain beside the commit', () => {
    const { duty, statements } = committed();
    const one = lone(lab, { seat, kept: restartOf(drawn.chain, statements) });
    const failure: LaneOutcome = { kind: 'local', class: 'host-oom' };
    expect(logged(one.feed({ kind: 'executed', key: duty.key, outcome: failure }))).toEqual([]);
    const made = next(drawn.chain, seat, otherCommits);
    expect(logged(one.settle(made))).toEqual([]);
  });

  test('a draw below the final block begins anew with the beacon that drew it', () => {
    const { duty, statements } = committed();
    const own: BlockItem = { kind: 'statement', signed: statements[0]! };
    const later = next(drawn.chain, seat, [own]);
    expect(openDrawHeights(later.chain)).toEqual([drawn.chain.header.height]);
    const one = lone(lab, { seat, kept: restartOf(later.chain, statements) });
    expect(only(one.booted, 'execute').map((effect) => effect.duty)).toEqual([
      { ...duty, patienceMs: expect.any(Number) },
    ]);
    const blind = { ...restartOf(later.chain, statements), beacons: new Map() };
    expect(only(lone(lab, { seat, kept: blind }).booted, 'execute')).toEqual([]);
  });

  test('an observer has no duties and signs nothing', () => {
    const one = lone(lab, { seat: null });
    const effects = [...one.settle(ordered), ...one.settle(drawn), ...one.tick(10_000)];
    expect(one.state().finalRef.height).toBe(2);
    const signing = effects.filter(({ kind }) =>
      /^log-(vote|statement|proposal)|execute/.test(kind),
    );
    expect(signing).toEqual([]);
  });
});

test('seats of later waves open what a later beacon picks, and count only then', () => {
  const opened = new Set<Hex>();
  let waves = 0;
  for (let seed = 0; seed < 6; seed++) {
    const { world, violations, ends } = runCase({
      seed,
      seats: 4,
      role: 'silent',
      weather: 'calm',
    });
    expect(violations).toEqual([]);
    expect(ends).not.toContain(null);
    for (const { disk, state } of world.honest()) {
      for (const { statement } of disk.statements)
        if (statement.kind === 'open') opened.add(hex(statement.drawId));
      // With the job, everything that was remembered for it has gone.
      expect([state!.said.size, state!.duties.size, state!.jobs.size]).toEqual([0, 0, 0]);
    }
    for (const { job } of world.nodes[0]!.clients.slice(0, 1)) {
      const record = world.jobState(world.nodes[0]!, jobId(job));
      waves = Math.max(waves, ...(record?.lanes.map((one) => one.waves.length) ?? []));
    }
  }
  expect(opened.size).toBeGreaterThan(0);
  expect(waves).toBeGreaterThan(1);
});

// Goal: what is not ordered is said again and again, each thing in its turn, and a long queue costs
// a round no more than a short one.
// Method: laws over random queues of jobs and statements; two ways of breaking them show that the
// laws tell.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Hex, hex } from '../../protocol/brand.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { jobId, signedJobCodec } from '../../protocol/job/job.ts';
import { signedStatementCodec, statementMessage } from '../../protocol/job/statement.ts';
import type { Effect } from '../../protocol/replica/effect.ts';
import { repeatedBytesMax } from '../../protocol/replica/pool.ts';
import { laboratory, linesBut, lone, only } from '../simulation/lone.ts';
import { simulatedJob } from '../simulation/network.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('replica', linesBut(71, 71));

const lab = laboratory(4);
const { network, genesis, block } = lab;

/** What one round said: names and bytes. */
type Round = readonly { readonly name: string; readonly bytes: number }[];

const jobsOf = (effects: readonly Effect[]): Round =>
  only(effects, 'publish').flatMap(({ topic, bytes }) =>
    topic === 'jobs'
      ? [{ name: hex(jobId(signedJobCodec.decode(bytes).job)), bytes: bytes.length }]
      : [],
  );
const statementsOf = (effects: readonly Effect[]): Round =>
  only(effects, 'publish').flatMap(({ topic, bytes }) =>
    topic === 'statements'
      ? [{ name: hex(signedStatementCodec.decode(bytes).signature), bytes: bytes.length }]
      : [],
  );

/** R71, of rounds in which `waiting` waited all the time. Says whether more than one was needed. */
function checkTurns(waiting: ReadonlyMap<string, number>, rounds: readonly Round[]): boolean {
  const total = [...waiting.values()].reduce((sum, bytes) => sum + bytes, 0);
  const largest = Math.max(...waiting.values(), 0);
  const within = Math.ceil(total / repeatedBytesMax) + 1;
  expect(rounds.length).toBeGreaterThanOrEqual(2 * within);
  for (const round of rounds) {
    const bytes = round.reduce((sum, one) => sum + one.bytes, 0);
    expect(bytes).toBeLessThan(repeatedBytesMax + Math.max(largest, 1));
    expect(new Set(round.map(({ name }) => name)).size, 'nothing twice').toBe(round.length);
  }
  for (let first = 0; first + within <= rounds.length; first++) {
    const said = new Set(
      rounds
        .slice(first, first + within)
        .flat()
        .map(({ name }) => name),
    );
    for (const name of waiting.keys()) expect(said, `from round ${first}`).toContain(name);
  }
  return within > 2;
}

const sizes = fc.array(fc.integer({ min: 0, max: 32_000 }), {
  minLength: 1,
  maxLength: 50,
  size: 'max',
});

describe('jobs that were submitted here', () => {
  const submit = (one: ReturnType<typeof lone>, nonce: number, bytes: number): [string, number] => {
    const parameters = new Uint8Array(bytes);
    const signed = simulatedJob(network, genesis.header, { nonce: BigInt(nonce), parameters });
    const said = jobsOf(one.feed({ kind: 'submitted', signed }));
    const name = hex(jobId(signed.job));
    expect(
      said.map((each) => each.name),
      'a new one is said at once',
    ).toEqual([name]);
    return [name, said[0]!.bytes];
  };

  test('are said again within their turn, whoever comes and goes meanwhile', () => {
    let long = 0;
    fc.assert(
      fc.property(sizes, sizes, fc.nat(), (first, more, gone) => {
        const one = lone(lab, { seat: null });
        const jobs = first.map((bytes, nonce) => submit(one, nonce, bytes));
        one.tick(1_000);
        one.tick(1_000);
        const [left] = jobs.splice(gone % jobs.length, 1);
        one.feed({ kind: 'withdrawn', job: Buffer.from(left![0], 'hex') });
        for (const [place, bytes] of more.entries())
          jobs.push(submit(one, first.length + place, bytes));
        const rounds = Array.from({ length: 32 }, () => jobsOf(one.tick(1_000)));
        if (checkTurns(new Map(jobs), rounds)) long += 1;
        expect(rounds.flat().map(({ name }) => name)).not.toContain(left![0]);
      }),
      { numRuns: 15 },
    );
    expect(long, 'queues of more than one round').toBeGreaterThan(7);
  });

  test('are 512 of 30 KB, and a round has 256 KiB of them and not 15 MB', () => {
    const one = lone(lab, { seat: null });
    const jobs = Array.from({ length: 512 }, (_, nonce) => submit(one, nonce, 30_000));
    const rounds = Array.from({ length: 124 }, () => jobsOf(one.tick(1_000)));
    expect(checkTurns(new Map(jobs), rounds)).toBe(true);
    expect(rounds.map((round) => round.length)).toEqual(rounds.map(() => 9));
  });

  test('a leader is offered them in the order in which they came, whatever was said again', () => {
    const one = lone(lab, { seat: null });
    const jobs = Array.from({ length: 30 }, (_, nonce) => submit(one, nonce, 30_000));
    for (let round = 0; round < 3; round++) one.tick(1_000);
    expect([...one.state().pool.jobs.keys()]).toEqual(jobs.map(([name]) => name));
    expect([...one.state().pool.own]).not.toEqual(jobs.map(([name]) => name));
    const made = block(genesis, 1, { timeMs: genesis.header.timeMs + 4_000 });
    one.settle(made);
    expect(one.state().pool.own.size).toBe(30);
    one.feed({ kind: 'withdrawn', job: Buffer.from(jobs[0]![0], 'hex') });
    expect(one.state().pool.own.has(jobs[0]![0] as Hex)).toBe(false);
  });
});

test('own statements are said again within their turn', () => {
  const seat = 0;
  const statements = Array.from({ length: 1_500 }, (_, n) => {
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
  });
  const one = lone(lab, { seat, kept: { statements } });
  const waiting = new Map(
    statements.map((each) => [hex(each.signature), signedStatementCodec.encode(each).length]),
  );
  const rounds = Array.from({ length: 8 }, () => statementsOf(one.tick(1_000)));
  expect(checkTurns(waiting, rounds)).toBe(true);
});

test('the laws tell a round without end, and one that always begins with the same', () => {
  const all = Array.from({ length: 40 }, (_, n) => ({ name: `job ${n}`, bytes: 30_000 }));
  const waiting = new Map(all.map(({ name, bytes }) => [name, bytes]));
  const turns = Array.from({ length: 24 }, (_, round) =>
    Array.from({ length: 9 }, (_, place) => all[(round * 9 + place) % all.length]!),
  );
  expect(checkTurns(waiting, turns)).toBe(true);
  expect(() =>
    checkTurns(
      waiting,
      turns.map(() => all),
    ),
  ).toThrow();
  expect(() =>
    checkTurns(
      waiting,
      turns.map(() => all.slice(0, 9)),
    ),
  ).toThrow();
  expect(() =>
    checkTurns(
      waiting,
      turns.map((round) => round.slice(1)),
    ),
  ).toThrow();
});

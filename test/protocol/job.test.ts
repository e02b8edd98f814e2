// Goal: a job is split without a gap, admitted only if it can be run, and bound byte for byte.
// Method: laws of the split; each refusal from one change to a good job, the good one beside it;
// every field of a job and of a statement is shown to be under its id, its digest, its signature.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Opening } from '../../protocol/algebra/transcript.ts';
import { utf8 } from '../../protocol/brand.ts';
import { hash, sha256 } from '../../protocol/crypto/hash.ts';
import { signedMessage } from '../../protocol/crypto/signature.ts';
import { admitJob, lifeFits } from '../../protocol/job/admit.ts';
import {
  adversaryDenominator,
  adversaryDenominators,
  adversaryWords,
  type Job,
  jobCodec,
  jobId,
  type SignedJob,
  signedJobCodec,
} from '../../protocol/job/job.ts';
import { laneItemCount, laneSubtasks, subtaskItems } from '../../protocol/job/split.ts';
import {
  commitDigest,
  laneClaimCodec,
  messageHash,
  type Reveal,
  type SignedStatement,
  type Statement,
  signedStatementCodec,
  statementMessage,
} from '../../protocol/job/statement.ts';
import { genesisChain } from '../../protocol/ledger/chain.ts';
import { cidOf, listCid, manifestBlockCodec, rawCid } from '../../protocol/merkle/cid.ts';
import { fuelCallMax, fuelFoldMax, fuelMax } from '../../protocol/params.ts';
import { adversarialSeats } from '../../protocol/sampling/plan.ts';
import { simulatedJob, simulatedNetwork } from '../simulation/network.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('job');

const network = simulatedNetwork(7, 1);
const { header } = genesisChain(network.rules);
const { suite } = network.rules;
const rules = { network: network.rules.network, seats: 7, suite };
const good = (change: Partial<Job> = {}): SignedJob => simulatedJob(network, header, change);

describe('the split', () => {
  const cuts = fc
    .record({
      items: fc.integer({ min: 1, max: 1_048_576 }),
      subtasks: fc.integer({ min: 1, max: 400 }),
      lanes: fc.integer({ min: 1, max: 40 }),
    })
    .filter(({ items, subtasks, lanes }) => subtasks <= items && lanes <= subtasks);

  test('gives every item to one subtask, every subtask to one lane, and none is empty', () => {
    fc.assert(
      fc.property(cuts, ({ items, subtasks, lanes }) => {
        let next = 0;
        for (let subtask = 0; subtask < subtasks; subtask++) {
          const { first, end } = subtaskItems(items, subtasks, subtask);
          expect(first).toBe(next);
          const sizes = [Math.floor(items / subtasks), Math.ceil(items / subtasks)];
          expect(sizes).toContain(end - first);
          next = end;
        }
        expect(next).toBe(items);
        const all = Array.from({ length: lanes }, (_, lane) => laneSubtasks(subtasks, lanes, lane));
        expect(all.flat().sort((a, b) => a - b)).toEqual(
          Array.from({ length: subtasks }, (_, subtask) => subtask),
        );
        for (const [lane, own] of all.entries()) {
          expect(own.length).toBeGreaterThan(0);
          expect(own.every((subtask, at) => subtask === lane + at * lanes)).toBe(true);
        }
        const counts = all.map((_, lane) => laneItemCount(items, subtasks, lanes, lane));
        expect(counts.reduce((a, b) => a + b)).toBe(items);
      }),
      { numRuns: 60 },
    );
  });

  test('is exact at the limits, and has no subtask without an item', () => {
    expect(subtaskItems(1_048_576, 65_536, 65_535)).toEqual({ first: 1_048_560, end: 1_048_576 });
    expect(subtaskItems(1_048_575, 65_535, 65_534)).toEqual({ first: 1_048_558, end: 1_048_575 });
    expect(() => subtaskItems(3, 4, 0)).toThrow('item');
    expect(() => subtaskItems(3, 3, 3)).toThrow('item');
  });
});

/** The limits of fuel, and the most that each may be. */
const fuelMaxima = [
  ['fuelItem', fuelCallMax],
  ['fuelCombine', fuelCallMax],
  ['fuelFold', fuelFoldMax],
  ['fuelRender', fuelCallMax],
] as const;

describe('admission', () => {
  const refusals: readonly [string, Partial<Job>][] = [
    ['JOB_OTHER_NETWORK', { network: hash('genesis', 'another') }],
    ['JOB_VERSION', { version: 2 }],
    ['JOB_METERING_VERSION', { rewriter: 0 }],
    ['JOB_METERING_VERSION', { rewriter: 2 }],
    ['JOB_METERING_VERSION', { costTable: 0 }],
    ['JOB_METERING_VERSION', { costTable: 2 }],
    ...fuelMaxima.flatMap(([field, most]): [string, Partial<Job>][] =>
      [0n, most + 1n, fuelMax].map((fuel) => ['JOB_FUEL_OUT_OF_RANGE', { [field]: fuel }]),
    ),
    ['JOB_TIER_UNSUPPORTED', { tier: 'none' }],
    ['JOB_TIER_UNSUPPORTED', { tier: 'proved' }],
    ['JOB_TIER_UNSUPPORTED', { tier: 'rational' }],
    ['JOB_SPARE_UNSUPPORTED', { spare: 1 }],
    ['JOB_MORE_SUBTASKS_THAN_ITEMS', { subtasks: 7 }],
    ['JOB_INPUT_MALFORMED', { cut: 'lines' }],
    ['JOB_INPUT_MALFORMED', { input: { kind: 'list', root: hash('item'), items: 6 } }],
    ['JOB_INPUT_MALFORMED', { program: new Uint8Array(36) }],
    ['JOB_INPUT_MALFORMED', { program: listCid(hash('item')) }],
    ['JOB_TOO_FEW_WAVES', { waves: 11 }],
  ];

  const named = refusals.map(
    ([code, change]) => [code, Object.entries(change).join(), change] as const,
  );

  test.each(named)('refuses %s by its %s', (code, _, change) => {
    expect(admitJob(good(change), rules)).toEqual({ verdict: 'reject', code });
  });

  test('takes what fits, up to each limit', () => {
    const list = { kind: 'list', root: hash('item'), items: 1_048_576 } as const;
    const largest: Partial<Job>[] = [
      {},
      { waves: 64, slowItemMs: 10_000, fee: 2n ** 64n - 1n, nonce: 2n ** 64n - 1n },
      { input: list, cut: 'lines', subtasks: 65_536 },
      { input: list, cut: 'fixed', parameters: new Uint8Array(32_768) },
      { input: { ...list, items: 1 }, cut: 'whole', subtasks: 1 },
      { subtasks: 6, lossExponent: 15, adversary: 'max' },
      ...fuelMaxima.flatMap(([field, most]) => [{ [field]: 1n }, { [field]: most }]),
      Object.fromEntries(fuelMaxima.map(([field]) => [field, 1n])),
      Object.fromEntries(fuelMaxima),
      { program: cidOf(manifestBlockCodec, hash('item')) },
    ];
    for (const change of largest) {
      const signed = good(change);
      expect(admitJob(signed, rules)).toEqual({ verdict: 'accept' });
      expect(signedJobCodec.decode(signedJobCodec.encode(signed))).toEqual(signed);
    }
  });

  test('refuses shares of adversaries that n seats do not bear, and no others', () => {
    for (let seats = 4; seats <= 40; seats++)
      for (const adversary of adversaryWords) {
        const denominator = adversaryDenominator(adversary);
        const { verdict } = admitJob(good({ adversary }), { ...rules, seats });
        const fits =
          denominator === 0 || Math.ceil(seats / denominator) <= Math.floor((seats - 1) / 3);
        expect(verdict).toBe(fits ? 'accept' : 'reject');
        if (fits) expect(adversarialSeats(seats, denominator)).toBeGreaterThan(0);
      }
    expect(adversaryWords.map(adversaryDenominator)).toEqual([...adversaryDenominators]);
    expect(admitJob(good({ adversary: '1/5' }), { ...rules, seats: 6 })).toMatchObject({
      code: 'JOB_ADVERSARY_TOO_LARGE',
    });
  });

  test('takes no signature but the submitter’s over these bytes for this purpose', () => {
    const signed = good();
    const { job } = signed;
    const refused = { verdict: 'reject', code: 'JOB_SIGNATURE' };
    const byAnother = network
      .keys(3)
      .sign(signedMessage('job', rules.network, jobCodec.encode(job)));
    const holder = network.keys(1_000);
    const forAnother = holder.sign(signedMessage('commit', rules.network, jobCodec.encode(job)));
    for (const signature of [byAnother, forAnother, new Uint8Array(64)])
      expect(admitJob({ job, signature }, rules)).toEqual(refused);
    expect(admitJob({ ...signed, job: { ...job, fee: 2n } }, rules)).toEqual(refused);
  });

  test('lets a job live for 60 s after its anchor', () => {
    expect(lifeFits(160_000, 100_000)).toBe(true);
    expect(lifeFits(160_001, 100_000)).toBe(false);
    expect(lifeFits(0, 100_000)).toBe(true);
  });
});

describe('the id of a job', () => {
  test('is the digest of all its fields, and of nothing else', () => {
    const { job, signature } = good();
    const changes: { readonly [K in keyof Job]: Job[K] } = {
      version: 2,
      rewriter: 2,
      costTable: 2,
      network: hash('genesis', 'another'),
      submitter: network.keys(3).publicKey,
      nonce: 2n,
      program: rawCid(hash('item')),
      input: { kind: 'list', root: hash('item'), items: 6 },
      cut: 'fixed',
      parameters: utf8('{}'),
      subtasks: 4,
      tier: 'none',
      lossExponent: 8,
      adversary: 'max',
      spare: 1,
      fuelItem: 1n,
      fuelCombine: 1n,
      fuelFold: 1n,
      fuelRender: 1n,
      slowItemMs: 11,
      fee: 2n,
      anchorHeight: 1,
      anchorHash: hash('header'),
      includeByMs: job.includeByMs + 1,
      waves: 13,
    };
    expect(Object.keys(changes)).toEqual(Object.keys(job));
    const ids = Object.entries(changes).map(([name, value]) => jobId({ ...job, [name]: value }));
    const all = new Set([jobId(job), ...ids].map(String));
    expect(all.size).toBe(ids.length + 1);
    expect(jobId(job)).toEqual(hash('job', jobCodec.encode(job)));
    const again = signedJobCodec.decode(
      signedJobCodec.encode({ job, signature: signature.map((byte) => byte ^ 1) }),
    );
    expect(jobId(again.job)).toEqual(jobId(job));
  });
});

const digest = (name: string): Uint8Array => hash('dev', name);
const subject = { seat: 3, job: digest('job'), lane: 1, wave: 2, drawId: digest('draw') };
const reveal: Reveal & { readonly kind: 'reveal' } = {
  kind: 'reveal',
  ...subject,
  claim: { laneRoot: digest('lane'), valueCid: rawCid(hash('item')), mapFuel: 1_234_567n },
  saltKey: digest('salt'),
  workRoot: digest('work'),
  value: Uint8Array.of(1, 2),
};
const opening: Opening = {
  ...{ subtask: 65_535, item: 1_048_575, outcome: 'too-deep', valueHash: digest('value') },
  ...{ committed: 1_048_576, rootA: digest('a'), itemPath: Array(54).fill(digest('path')) },
  ...{ rootB: digest('b'), subtaskValueHash: digest('v'), workPath: Array(54).fill(digest('w')) },
};
const statements: readonly Statement[] = [
  { kind: 'commit', ...subject, digest: digest('commit') },
  { kind: 'abstain', ...subject, class: 'killed' },
  reveal,
  { kind: 'open', ...subject, openings: [opening] },
];
const signed = (statement: Statement, flip = 0): SignedStatement => {
  const signature = network.keys(3).sign(statementMessage(statement, rules.network));
  signature[0]! ^= flip;
  return { statement, signature };
};

describe('statements', () => {
  test('are signed each under its own purpose, for one network', () => {
    const messages = statements.flatMap((statement) => [
      statementMessage(statement, rules.network),
      statementMessage(statement, hash('genesis', 'another')),
    ]);
    expect(new Set(messages.map(String)).size).toBe(messages.length);
    const purposes = ['commit', 'abstain', 'reveal', 'opening'] as const;
    for (const [at, statement] of statements.entries()) {
      const text = String.fromCharCode(...statementMessage(statement, rules.network));
      expect(text.startsWith(`anwansi/1/sign/${purposes[at]}\0`)).toBe(true);
    }
  });

  test('are named by all their bytes, the signature too', () => {
    const all = statements.flatMap((statement) => [
      messageHash(signed(statement)),
      messageHash(signed(statement, 1)),
      messageHash(signed({ ...statement, wave: 3 })),
    ]);
    expect(new Set(all.map(String)).size).toBe(all.length);
    const [first] = statements;
    expect(messageHash(signed(first!))).toEqual(
      hash('message', signedStatementCodec.encode(signed(first!))),
    );
  });

  test('fit into a message whatever they hold', () => {
    const largest = [
      { ...reveal, value: new Uint8Array(1_024) },
      {
        kind: 'open',
        ...{ ...subject, seat: 4_095, lane: 65_535, wave: 64 },
        openings: Array(4).fill(opening),
      } as const,
    ].map((statement) => signedStatementCodec.encode(signed(statement)).length);
    expect(Math.max(...largest)).toBe(15_455);
    const five = { kind: 'open', ...subject, openings: Array(5).fill(opening) } as const;
    expect(() => statementMessage(five, rules.network)).toThrow('entries');
    const long = { ...reveal, value: new Uint8Array(1_025) };
    expect(() => statementMessage(long, rules.network)).toThrow('1025 bytes');
  });
});

describe('the digest of a commit', () => {
  test('binds the draw, the job, the lane, the seat and all that is claimed', () => {
    const { claim } = reveal;
    const changes: readonly Partial<Reveal>[] = [
      { drawId: digest('another') },
      { job: digest('another') },
      { lane: 2 },
      { seat: 4 },
      { saltKey: digest('another') },
      { workRoot: digest('another') },
      { claim: { ...claim, laneRoot: digest('another') } },
      { claim: { ...claim, valueCid: null } },
      { claim: { ...claim, mapFuel: 1n } },
    ];
    const all = [{}, ...changes].map((change) => String(commitDigest({ ...reveal, ...change })));
    expect(new Set(all).size).toBe(all.length);
    // The wave is in drawId, the value in the claim: neither is needed beside it.
    expect(commitDigest({ ...reveal, wave: 5 })).toEqual(commitDigest(reveal));
    const { drawId, job, lane, seat, saltKey, workRoot } = reveal;
    expect(commitDigest(reveal)).toEqual(
      hash('commit', drawId, job, lane, seat, saltKey, laneClaimCodec.encode(claim), workRoot),
    );
  });

  test('hides the claim behind the salt key', () => {
    const guesses = [0, 1].map((bit) =>
      commitDigest({ ...reveal, saltKey: sha256(Uint8Array.of(bit)) }),
    );
    expect(guesses[0]).not.toEqual(guesses[1]);
  });
});

// Goal: every job says why it is where it is: what is awaited, from which seats, until when.
// Method: look at each height of chains of all kinds of seats; compare with what the blocks say.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type JobView, jobSchema } from '../../node/api/contract.ts';
import { codeEntry } from '../../node/cli/codes.ts';
import { nativeSha256 } from '../../node/crypto.ts';
import { awaitedText } from '../../node/views/awaits.ts';
import { jobView } from '../../node/views/job.ts';
import { hex } from '../../protocol/brand.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import { jobId, type SignedJob } from '../../protocol/job/job.ts';
import type { Statement } from '../../protocol/job/statement.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { describeJob } from '../../protocol/replica/view.ts';
import { type ChainRun, runOf, saidIn } from '../support/duty-oracle.ts';
import {
  fakeWorld,
  type LedgerWorld,
  type SeatRole,
  smallProgram,
} from '../support/ledger-world.ts';
import { type NodeWish, viewNode } from '../support/view-node.ts';

installSha256(nativeSha256);

const roles = ['honest', 'lie', 'silent', 'abstain', 'equivocate', 'unopened', 'late'] as const;

/** A world in which one job was ordered at height 2. */
function worldOf(seats: number, seed: number, wished: readonly SeatRole[]) {
  const world = fakeWorld(seats, seed);
  for (const [seat, role] of wished.entries()) world.roles.set(seat, role);
  world.block();
  const input = { kind: 'generated', items: 8 } as const;
  const signed = world.job(smallProgram, { input, subtasks: 3 });
  world.block([{ kind: 'job', signed }]);
  return { world, signed, id: jobId(signed.job) };
}

function grow(world: LedgerWorld, heights: number, stepMs = 4_000): void {
  for (let height = 0; height < heights; height++)
    world.block(
      world.due().map((signed) => ({ kind: 'statement', signed })),
      { stepMs },
    );
}

/** A job as those see it who show it on one line. */
function shortly(world: LedgerWorld, id: Uint8Array, chain = world.tip) {
  const job = describeJob(chain, id, world.rules);
  return job === null ? null : { state: job.record.state, lanes: job.lanes };
}

/** What is wrong with a view of a job at a height. */
function viewFaults(run: ChainRun, height: number, id: Uint8Array, view: JobView): string[] {
  const cursor = new StateCursor(run.chains[height]!.map);
  const record = cursor.job(id)!;
  const faults: string[] = [];
  const demand = (holds: boolean, fault: string): unknown => holds || faults.push(fault);
  const { ended, plan } = record;
  demand(jobSchema.safeParse(view).success, 'it has another shape');
  demand(view.state === record.state, `it is ${record.state}`);
  demand(view.at === height, 'it is of another height');
  demand((view.awaits === null) === (ended !== null), 'it awaits something until it has ended');
  demand((view.provisional === null) === (ended !== null || plan === null), 'it has lanes');
  demand(view.reason?.code === record.reason, `its reason is ${record.reason}`);
  const said = saidIn({ blocks: run.blocks.slice(0, height) });
  const all = new Set<number>();
  for (const { lane, phase, awaited, wave, until } of view.provisional?.lanes ?? []) {
    const drawn = cursor.lane(id, lane)!.slots.filter((slot) => slot.wave === wave);
    const due = drawn.filter(({ seat }) =>
      isDue(phase, wave, said.get(`${hex(id)}/${lane}/${wave}/${seat}`) ?? []),
    );
    demand(
      String(awaited) === String(due.map(({ seat }) => seat)),
      `lane ${lane} awaits ${due.map(({ seat }) => seat)}, not ${awaited}`,
    );
    demand((until === null) === (phase === 'closed' || phase === 'drawing'), 'a phase has an end');
    for (const seat of awaited) all.add(seat);
  }
  const named = [...(view.awaits ?? '').matchAll(/of seats? (\d+(?:, \d+)*)/g)].flatMap(
    ([, seats]) => seats!.split(', ').map(Number),
  );
  if (plan !== null)
    demand(
      String([...new Set(named)].sort()) === String([...all].sort()),
      `its sentence names seats ${[...all]}: ${view.awaits}`,
    );
  return faults;
}

type Phase = NonNullable<JobView['provisional']>['lanes'][number]['phase'];

/** Whether a seat has something left to say in a phase, by what it said. */
function isDue(phase: Phase, wave: number, said: readonly Statement[]): boolean {
  const count = (kind: Statement['kind']): number => said.filter((one) => one.kind === kind).length;
  if (phase === 'closed' || phase === 'drawing') return false;
  if (count('abstain') > 0 || count('commit') > 1) return false;
  if (phase === 'committing') return count('commit') === 0;
  return count('commit') === 1 && count(wave === 0 ? 'reveal' : 'open') === 0;
}

const fewRoles = fc.array(
  fc.oneof({ weight: 2, arbitrary: fc.constant('honest' as const) }, fc.constantFrom(...roles)),
  { minLength: 7, maxLength: 7 },
);

/** Seats that keep a lane going through all its phases. */
const someUnopened: SeatRole[] = [
  ...(['unopened', 'silent', 'unopened', 'unopened', 'honest', 'late', 'silent'] as const),
];

test('law: a view is what the chain says, at every height, and names who is awaited', async () => {
  const phases = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.nat(500), fewRoles, async (seed, wished) => {
      const { world, id } = worldOf(7, seed, wished);
      grow(world, 20);
      const run = runOf(world);
      for (const [height, chain] of run.chains.entries()) {
        const node = viewNode({ rules: world.rules, chain });
        const view = await jobView(node, id, chain.header.timeMs);
        if (height < 2) {
          expect(view).toBeNull();
          continue;
        }
        expect(viewFaults(run, height, id, view!)).toEqual([]);
        for (const { phase } of view?.provisional?.lanes ?? []) phases.add(phase);
        const text = awaitedText(shortly(world, id, chain));
        expect(text === null).toBe(view!.awaits === null);
      }
    }),
    { numRuns: 12, examples: [[7, someUnopened]] },
  );
  expect([...phases].sort()).toEqual(['closed', 'committing', 'drawing', 'opening', 'revealing']);
});

test('a view that says something else is told', async () => {
  const { world, id } = worldOf(4, 3, []);
  grow(world, 1);
  const run = runOf(world);
  const chain = world.tip;
  const { height, timeMs } = chain.header;
  const view = (await jobView(viewNode({ rules: world.rules, chain }), id, timeMs))!;
  expect(viewFaults(run, height, id, view)).toEqual([]);
  const provisional = view.provisional!;
  const { lanes } = provisional;
  const twins: readonly Partial<JobView>[] = [
    { state: 'settled' },
    { awaits: null },
    { awaits: 'Awaits commits of seat 9.' },
    { reason: null },
    { at: height + 1 },
    { provisional: null },
    { provisional: { ...provisional, lanes: lanes.map((lane) => ({ ...lane, awaited: [] })) } },
    { provisional: { ...provisional, lanes: lanes.map((lane) => ({ ...lane, until: null })) } },
  ];
  for (const twin of twins)
    expect(viewFaults(run, height, id, { ...view, ...twin }), Object.keys(twin)[0]).not.toEqual([]);
});

describe('sentences', () => {
  const sentence = async (world: LedgerWorld, id: Uint8Array): Promise<string | null> => {
    const node = viewNode({ rules: world.rules, chain: world.tip });
    return (await jobView(node, id, world.tip.header.timeMs))!.awaits;
  };

  test('of a job on its way', async () => {
    const { world, id } = worldOf(4, 3, ['honest', 'silent', 'honest', 'honest']);
    expect(await sentence(world, id)).toMatch(
      /^Awaits the beacon of the next block, which draws its seats: seat \d leads view 3, other seats/,
    );
    world.block();
    expect(await sentence(world, id)).toMatch(
      /^Awaits commits of seats 0, 1, 2, 3 in lanes 0, 1, until 2023-11-14T22:13:\d\d\.\d{3}Z chain time\.$/,
    );
    expect(awaitedText(shortly(world, id))).toMatch(
      /^commits of seats 0, 1, 2, 3, until 22:13:\d\d$/,
    );
    // Lanes go on one by one: that of the silent seat waits, and is past its time at last.
    grow(world, 1, 250);
    expect(await sentence(world, id)).toMatch(/^Awaits .*\bcommits of seat 1 in lane \d, until/);
    grow(world, 1, 4_000);
    world.block([], { stepMs: 4_000 });
    const texts: string[] = [];
    for (let height = 0; height < 12; height++) {
      texts.push((await sentence(world, id)) ?? '');
      world.block([], { stepMs: 4_000 });
    }
    expect(texts.join('\n')).toMatch(/which is over: it ends once 2 leaders have had a block/);
    expect(texts.join('\n')).toMatch(/the draw of more seats in lanes? \d/);
  });

  test('of a bound never say that nothing can go wrong', async () => {
    const { world, id } = worldOf(4, 3, ['silent']);
    const bounds = new Set<string>();
    for (let height = 0; height < 8; height++) {
      grow(world, 1, 1_000);
      const node = viewNode({ rules: world.rules, chain: world.tip });
      const view = await jobView(node, id, world.tip.header.timeMs);
      for (const { bound } of view!.provisional?.lanes ?? []) bounds.add(bound);
    }
    expect([...bounds]).toContain('only if more than 1 of 4 collude');
    expect([...bounds]).not.toContain('0');
  });

  test('on one line: many seats are cut, different waits stand side by side', () => {
    const awaited = Array.from({ length: 40 }, (_, seat) => seat);
    const lanes = [
      { phase: 'revealing', awaited, untilMs: 1_000 },
      { phase: 'closed', awaited: [], untilMs: null },
      { phase: 'opening', awaited: [2], untilMs: 2_000 },
      { phase: 'opening', awaited: [1], untilMs: 2_000 },
      { phase: 'drawing', awaited: [], untilMs: null },
      { phase: 'revealing', awaited: [], untilMs: 3_000 },
    ] as const;
    expect(awaitedText({ state: 'running', lanes })).toMatch(
      /^reveals of seats 0, 1, .* 23 and 16 more, until 00:00:01; openings of seats 1, 2, until 00:00:02; the next draw; the end of the reveals$/,
    );
    const order = 'a block that orders the job';
    expect(awaitedText(null)).toBe(order);
    expect(awaitedText({ state: 'pending', lanes: [] })).toBe(order);
    expect(awaitedText({ state: 'settled', lanes: [] })).toBeNull();
  });
});

describe('jobs that no final block has ordered', () => {
  const { world, signed: ordered } = worldOf(4, 3, []);
  const signed = world.job(smallProgram);
  const id = jobId(signed.job);
  const { rules, tip } = world;
  const clock = tip.header.timeMs + 1_000;
  const submission = (state: 'pending' | 'cancelled', job: SignedJob = signed) =>
    [{ signed: job, state, at: clock }] as const;
  const see = (wish: Partial<NodeWish>, now = clock) =>
    jobView(viewNode({ rules, chain: tip, ...wish }), id, now);
  /** The chain once the job's time is over. */
  const later = (() => {
    const { header } = tip;
    return { ...tip, header: { ...header, timeMs: signed.job.includeByMs + 1 } };
  })();

  test('nobody knows it', async () => {
    expect(await see({})).toBeNull();
  });

  test('pending: which leader, until when', async () => {
    const view = await see({ submissions: submission('pending') });
    expect(view).toMatchObject({
      state: 'pending',
      reason: { code: 'JOB_AWAITS_ORDER' },
      items: 16,
    });
    const until = new Date(signed.job.includeByMs).toISOString();
    expect(view!.awaits).toMatch(/^Awaits a block that orders it, until .*: seat \d leads view 3/);
    expect(view!.awaits).toContain(until);
    expect(jobSchema.parse(view)).toEqual(view);
  });

  test('pending where it was only heard of', async () => {
    const view = await see({
      change: ({ pool }) => pool.jobs.set(hex(id), { signed, id: hex(id) }),
    });
    expect(view?.state).toBe('pending');
  });

  test('pending in a block that is not final', async () => {
    world.block([{ kind: 'job', signed }]);
    const chain = world.tip;
    const view = await see({
      submissions: submission('pending'),
      change: (state) => state.tree.set(hex(chain.hash), { chain } as never),
    });
    expect(view).toMatchObject({ state: 'pending', includedHeight: null });
    expect(view!.awaits).toBe('Awaits that the block at height 3, which orders it, becomes final.');
  });

  test('cancelled, also when its time is over', async () => {
    const view = await see({ submissions: submission('cancelled') });
    expect(view).toMatchObject({ state: 'cancelled', reason: { code: 'JOB_CANCELLED' } });
    expect(view!.awaits).toMatch(/^Awaits nothing: .* until /);
    const over = await see({ submissions: submission('cancelled'), chain: later });
    expect(over).toMatchObject({ state: 'cancelled', awaits: null });
  });

  test('expired, once a final block is past its time', async () => {
    const chain = { ...tip, header: { ...tip.header, timeMs: signed.job.includeByMs } };
    const last = await see({ submissions: submission('pending'), chain });
    expect(last?.state).toBe('pending');
    const over = await see({ submissions: submission('pending'), chain: later });
    expect(over).toMatchObject({
      state: 'expired',
      awaits: null,
      reason: { code: 'NOT_INCLUDED' },
    });
  });

  test('pending without a quorum: who is missing, and never expired', async () => {
    const now = signed.job.includeByMs + 3_600_000;
    const wish = { submissions: submission('pending'), heard: [0, 2] };
    const view = await see(wish, now);
    expect(view).toMatchObject({ state: 'pending', reason: { code: 'NETWORK_NO_QUORUM' } });
    expect(view!.awaits).toBe(
      'Awaits a quorum: 2 seats were heard in the last 20 s, 3 are needed, missing seats 1, 3; it goes on by itself once enough are back.',
    );
    // With a quorum, or soon after the last block or the start, the same is no standstill.
    for (const other of [{ heard: [0, 1, 2] }, { startedAt: now - 5_000 }])
      expect((await see({ ...wish, ...other }, now))?.reason?.code).toBe('JOB_AWAITS_ORDER');
    expect((await see(wish))?.reason?.code).toBe('JOB_AWAITS_ORDER');
  });

  test('an ordered job without a quorum says so too, and keeps its state', async () => {
    const chain = tip;
    const node = viewNode({ rules, chain, heard: [3] });
    const view = await jobView(node, jobId(ordered.job), clock + 60_000);
    expect(view).toMatchObject({ state: 'ordered', reason: { code: 'NETWORK_NO_QUORUM' } });
    expect(view!.awaits).toContain('missing seats 0, 1, 2');
  });

  test('ordered while the store was asked: the chain has the word', async () => {
    const node = viewNode({ rules, chain: tip, submissions: submission('pending') });
    const racing = {
      ...node,
      submission: async (asked: Uint8Array) => {
        node.state().final = world.tip;
        return node.submission(asked);
      },
    };
    expect((await jobView(racing, id, clock))?.state).toBe('ordered');
  });
});

test('every reason that the ledger gives a job is explained', () => {
  const reasons = [
    ...['JOB_AWAITS_DRAW', 'JOB_AWAITS_LANES', 'JOB_SETTLED', 'JOB_ITEM_FAILED'],
    ...['LANE_CONTRADICTION', 'JOB_OUT_OF_WAVES', 'PROGRAM_TOO_SLOW', 'PROGRAM_UNRUNNABLE'],
    ...['INPUT_UNAVAILABLE', 'PROGRAM_INADMISSIBLE', 'NOT_INCLUDED', 'NETWORK_NO_QUORUM'],
  ];
  expect(reasons.filter((code) => codeEntry(code) === undefined)).toEqual([]);
  expect(codeEntry('JOB_AWAITS_NOBODY')).toBeUndefined();
});

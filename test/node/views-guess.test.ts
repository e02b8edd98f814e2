// Goal: a job that runs tells its best guess: per lane what leads, how much of it is covered.
// Method: compare each height of chains of all kinds of seats with what their blocks say; get the
// values that are named from a node that knows them by the reveals of its blocks alone.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type JobView, jobSchema } from '../../node/api/contract.ts';
import { revealedValues } from '../../node/api/reveals.ts';
import { guessText, jobLines } from '../../node/cli/job-words.ts';
import { nativeSha256 } from '../../node/crypto.ts';
import type { AnwansiNode, FinalBlock } from '../../node/face.ts';
import { openMemoryBlobs } from '../../node/storage/memory-blobs.ts';
import { jobView } from '../../node/views/job.ts';
import { hex, sameBytes } from '../../protocol/brand.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import { jobId } from '../../protocol/job/job.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { blobCid, formatCid, parseCid } from '../../protocol/merkle/blob.ts';
import { ask, type Document, deviations, testApi } from '../support/api.ts';
import { type ChainRun, runOf, saidIn } from '../support/duty-oracle.ts';
import {
  fakeWorld,
  type LedgerWorld,
  type SeatRole,
  smallProgram,
  type WorldProgram,
} from '../support/ledger-world.ts';
import { viewNode } from '../support/view-node.ts';

installSha256(nativeSha256);

const roles = ['honest', 'lie', 'silent', 'abstain', 'equivocate', 'unopened', 'late'] as const;
const items = 8;
const subtasks = 3;

/** A chain with one job, ordered at height 2, and all that its seats said about it. */
function runWith(seed: number, wished: readonly SeatRole[], program: WorldProgram = smallProgram) {
  const world = fakeWorld(7, seed);
  for (const [seat, role] of wished.entries()) world.roles.set(seat, role);
  world.block();
  const input = { kind: 'generated', items } as const;
  const signed = world.job(program, { input, subtasks });
  world.block([{ kind: 'job', signed }]);
  for (let height = 0; height < 14; height++)
    world.block(
      world.due().map((one) => ({ kind: 'statement', signed: one })),
      { stepMs: 4_000 },
    );
  return { world, id: jobId(signed.job), run: runOf(world) };
}

const claimOf = (claim: { readonly valueCid: Uint8Array | null }): string =>
  claim.valueCid === null ? 'failed' : formatCid(claim.valueCid as never);

/** Votes of each claim of a lane, by the statements of the blocks up to a height. */
function votesIn({ blocks }: ChainRun, height: number, id: Uint8Array, lane: number) {
  const votes = new Map<string, Set<number>>();
  for (const [key, said] of saidIn({ blocks: blocks.slice(0, height) })) {
    const [job, place, wave, seat] = key.split('/');
    if (job !== hex(id) || Number(place) !== lane) continue;
    const reveal = said.find((one) => one.kind === 'reveal');
    const opened = wave === '0' || said.some((one) => one.kind === 'open');
    const twice = said.filter((one) => one.kind === 'commit').length > 1;
    if (reveal?.kind !== 'reveal' || !opened || twice) continue;
    // Two claims may have one value: what leads is a claim.
    const name = `${claimOf(reveal.claim)} ${hex(reveal.claim.laneRoot)}`;
    votes.set(name, (votes.get(name) ?? new Set()).add(Number(seat)));
  }
  return [...votes].map(([name, seats]) => ({ name, count: seats.size }));
}

/** Items that a lane holds, one by one. */
function itemsOf(lane: number, lanes: number): number {
  let count = 0;
  for (let item = 0; item < items; item++) {
    let subtask = 0;
    while (Math.floor(((subtask + 1) * items) / subtasks) <= item) subtask += 1;
    if (subtask % lanes === lane) count += 1;
  }
  return count;
}

/** What is wrong with the guess of a view. */
function guessFaults(run: ChainRun, height: number, id: Uint8Array, view: JobView): string[] {
  const faults: string[] = [];
  const demand = (holds: boolean, fault: string): unknown => holds || faults.push(fault);
  if (!jobSchema.safeParse(view).success) return ['it has another shape'];
  const { provisional } = view;
  if (provisional === null) return [];
  const { coverage, lanes } = provisional;
  let covered = 0;
  for (const { lane, leading, votes, accepted } of lanes) {
    const counted = votesIn(run, height, id, lane);
    const most = Math.max(0, ...counted.map(({ count }) => count));
    const leaders = counted.filter(({ count }) => count === votes).map(({ name }) => name);
    const told = leading === null ? null : (leading.cid ?? 'failed');
    // What is accepted leads, also where more votes for another came in the same block.
    demand(accepted || votes === most, `lane ${lane}: ${votes} votes, not ${most}`);
    demand((told === null) === (most === 0), `lane ${lane}: ${told} leads with ${most} votes`);
    demand(
      told === null || leaders.some((name) => name.startsWith(`${told} `)),
      `lane ${lane}: ${told} does not lead, but ${leaders}`,
    );
    if (told !== null) covered += itemsOf(lane, lanes.length);
  }
  const leading = lanes.filter((one) => one.leading !== null).length;
  demand(coverage.lanes === leading && coverage.lanesAll === lanes.length, 'other lanes');
  demand(coverage.items === covered && coverage.itemsAll === items, 'other items');
  return faults;
}

const viewAt = (run: ChainRun, height: number, id: Uint8Array) => {
  const chain = run.chains[height]!;
  return jobView(viewNode({ rules: run.rules, chain }), id, chain.header.timeMs);
};

const someRoles = fc.array(
  fc.oneof({ weight: 2, arbitrary: fc.constant('honest' as const) }, fc.constantFrom(...roles)),
  { minLength: 7, maxLength: 7 },
);
const programs: readonly WorldProgram[] = [smallProgram, { ...smallProgram, failing: 5 }];
/** Seats that disagree, and one that keeps a lane open. */
const quarrel: SeatRole[] = ['lie', 'honest', 'lie', 'honest', 'silent', 'unopened', 'honest'];

test('law: what leads, by how many votes, and what that covers is what the blocks say', async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.nat(500),
      someRoles,
      fc.constantFrom(...programs),
      async (seed, ...rest) => {
        const { run, id } = runWith(seed, ...rest);
        for (let height = 2; height < run.chains.length; height++) {
          const view = (await viewAt(run, height, id))!;
          expect(guessFaults(run, height, id, view)).toEqual([]);
          for (const { leading, accepted } of view.provisional?.lanes ?? [])
            seen.add(`${leading?.claim ?? 'none'} ${accepted}`);
        }
      },
    ),
    {
      numRuns: 16,
      // Between them, these show every kind that is asked for below.
      examples: [0, 1, 2, 3, 7].flatMap((seed) =>
        programs.map((program): [number, SeatRole[], WorldProgram] => [seed, quarrel, program]),
      ),
    },
  );
  for (const kind of ['none false', 'value false', 'value true', 'failed false'])
    expect([...seen]).toContain(kind);
});

/** A height at which one lane has a leading claim, and another none or another. */
async function halfway() {
  const scene = runWith(7, quarrel);
  for (let height = 2; height < scene.run.chains.length; height++) {
    const view = (await viewAt(scene.run, height, scene.id))!;
    const first = view.provisional?.lanes.find(({ leading }) => leading !== null);
    if (first !== undefined) return { ...scene, height, view, first };
  }
  throw new Error('no claim ever led');
}

test('a view that guesses something else is told', async () => {
  const { run, id, height, view, first } = await halfway();
  expect(guessFaults(run, height, id, view)).toEqual([]);
  const provisional = view.provisional!;
  const changed = (change: object): JobView => ({
    ...view,
    provisional: {
      ...provisional,
      lanes: provisional.lanes.map((lane) => (lane === first ? { ...lane, ...change } : lane)),
    },
  });
  const coverage = (change: object): JobView => ({
    ...view,
    provisional: { ...provisional, coverage: { ...provisional.coverage, ...change } },
  });
  const other = formatCid(blobCid(Uint8Array.of(1)));
  const twins: readonly JobView[] = [
    changed({ leading: null }),
    changed({ leading: { claim: 'failed', cid: null } }),
    changed({ leading: { claim: 'value', cid: other } }),
    changed({ leading: { claim: 'value', cid: null } }),
    changed({ leading: { claim: 'failed', cid: first.leading!.cid } }),
    changed({ leading: { claim: 'value', cid: `${other} ; reboot` } }),
    changed({ votes: first.votes + 1, accepted: false }),
    coverage({ lanes: provisional.coverage.lanes + 1 }),
    coverage({ items: provisional.coverage.items - 1 }),
    coverage({ itemsAll: items + 1 }),
  ];
  for (const twin of twins) expect(guessFaults(run, height, id, twin)).not.toEqual([]);
});

test('an end has no guess: what is final is told elsewhere', async () => {
  const { world, id } = runWith(3, []);
  const view = await viewAt(runOf(world), world.chains.length - 1, id);
  expect(view).toMatchObject({ state: 'settled', provisional: null });
  expect(jobLines(view!, 'http://n').join('\n')).not.toMatch(/guess|provisional|data get/);
});

test('lines name what leads, what is covered, and how to get a value', async () => {
  const { view, first } = await halfway();
  const url = 'http://127.0.0.1:26922';
  const text = jobLines(view, url).join('\n');
  const { lanes, items: itemsSeen } = view.provisional!.coverage;
  expect(guessText(view)).toBe(`${lanes} of 2 lanes, ${itemsSeen} of 8 items`);
  expect(text).toContain(`guess     ${guessText(view)}; provisional, each block may change it\n`);
  expect(text).toContain(`wave 0; leads: ${first.leading!.cid}\n`);
  expect(text).toContain('no claim leads yet');
  expect(text).toContain(
    `value     anwansi data get ${first.leading!.cid} --out lane.value --api ${url}\n`,
  );
  const failing = view.provisional!.lanes.map((lane) => ({
    ...lane,
    leading: { claim: 'failed', cid: null } as const,
  }));
  const failed = { ...view, provisional: { ...view.provisional!, lanes: failing } };
  const told = jobLines(failed, url).join('\n');
  expect(told).toContain('; leads: an item failed\n');
  expect(told).not.toContain('data get');
});

/** A node that has the blocks of a world on disk, up to a height, and nothing else. */
function readerOf(world: LedgerWorld, onDisk: () => number = () => world.chains.length - 1) {
  const { blocks, chains, rules } = runOf(world);
  const read: number[] = [];
  const node: AnwansiNode = {
    ...viewNode({ rules, chain: chains.at(-1)! }),
    blobs: openMemoryBlobs({ quotaBytes: 1024 * 1024 }),
    block: async (height): Promise<FinalBlock | null> => {
      read.push(height);
      const block = height <= onDisk() ? blocks[height - 1] : undefined;
      return block === undefined ? null : { block, certificate: null };
    },
  };
  return { node, read };
}

/** A world whose job runs, and what leads in its lanes. */
async function running(program: WorldProgram = smallProgram) {
  const world = fakeWorld(7, 3);
  // Lanes of three seats with one that says nothing never come to an end here.
  for (const seat of [4, 5, 6]) world.roles.set(seat, 'silent');
  world.block();
  const signed = world.job(program, { input: { kind: 'generated', items }, subtasks });
  const id = jobId(signed.job);
  world.block([{ kind: 'job', signed }]);
  const cids = async (): Promise<string[]> => {
    const view = await viewAt(runOf(world), world.chains.length - 1, id);
    return (view?.provisional?.lanes ?? []).flatMap(({ leading }) => leading?.cid ?? []);
  };
  for (let height = 0; height < 8 && (await cids()).length === 0; height++)
    world.block(
      world.due().map((one) => ({ kind: 'statement', signed: one })),
      { stepMs: 4_000 },
    );
  const named = await cids();
  expect(named.length, 'a value leads').toBeGreaterThan(0);
  return { world, named };
}

test('the document describes the guess as it is told, and nothing else', async () => {
  const { node } = readerOf((await running()).world);
  const { app } = testApi({ node, executor: {} as never, scratch: '' });
  const document = (await (await ask(app, '/openapi.json')).json()) as Document;
  const [id] = new StateCursor(node.state().final.map).open();
  const path = `/v1/jobs/${hex(id!)}`;
  const answer = await ask(app, path);
  expect(await deviations(document, 'GET', path, answer)).toEqual([]);
  const view = jobSchema.parse(await answer.json());
  const provisional = view.provisional!;
  const { coverage, lanes } = provisional;
  const twins: readonly object[] = [
    { coverage: { ...coverage, share: 0.5 } },
    { coverage: { lanes: 1 } },
    { lanes: lanes.map((lane) => ({ ...lane, leading: 'value' })) },
    { lanes: lanes.map((lane) => ({ ...lane, leading: { claim: 'value', cid: null } })) },
    { lanes: lanes.map(({ leading, ...lane }) => lane) },
    { value: 'final' },
  ];
  for (const twin of twins) {
    const told = Response.json({ ...view, provisional: { ...provisional, ...twin } });
    expect(await deviations(document, 'GET', path, told), Object.keys(twin)[0]).not.toEqual([]);
  }
});

describe('a node that knows a value by the reveals alone', () => {
  test('gives it by the id that the view names, also after a start of its own', async () => {
    const { world, named } = await running();
    for (const start of ['the first', 'another']) {
      const { node } = readerOf(world);
      const { app } = testApi({ node, executor: {} as never, scratch: '' });
      for (const cid of named) {
        const answer = await ask(app, `/v1/blobs/${cid}`);
        expect(answer.status, `${start} start, ${cid}`).toBe(200);
        const bytes = new Uint8Array(await answer.arrayBuffer());
        expect(sameBytes(blobCid(bytes), parseCid(cid)!)).toBe(true);
        expect((await ask(app, `/v1/blobs/${cid}`, { method: 'HEAD' })).status).toBe(200);
      }
    }
  });

  test('has none that nobody revealed, and none that was too long for its reveal', async () => {
    const { world, named } = await running();
    const { node } = readerOf(world);
    const { app } = testApi({ node, executor: {} as never, scratch: '' });
    const other = formatCid(blobCid(Uint8Array.of(1)));
    expect((await ask(app, `/v1/blobs/${other}`)).status).toBe(404);
    // The same chain without its bodies: then nothing carries the value.
    const bare = { ...readerOf(world).node, block: async () => null, state: node.state };
    expect(await revealedValues(bare)(parseCid(named[0]!)!)).toBeNull();
    const long = await running({ ...smallProgram, padding: 1_100 });
    expect(await revealedValues(readerOf(long.world).node)(parseCid(long.named[0]!)!)).toBeNull();
  });

  test('reads each block once, of those that a running job rests on, however many ask', async () => {
    const { world, named } = await running();
    const { node, read } = readerOf(world);
    const revealed = revealedValues(node);
    const strange = Array.from({ length: 20 }, (_, one) => blobCid(Uint8Array.of(one)));
    await Promise.all(strange.map((cid) => revealed(cid)));
    for (const cid of strange) expect(await revealed(cid)).toBeNull();
    const heights = Array.from({ length: world.chains.length - 3 }, (_, place) => place + 3);
    expect(read, 'from the block after the one that ordered it').toEqual(heights);
    expect(await revealed(parseCid(named[0]!)!)).not.toBeNull();
    // Without a job that runs nothing is read at all.
    const idle = readerOf(runWith(3, []).world);
    await revealedValues(idle.node)(strange[0]!);
    expect(idle.read).toEqual([]);
  });

  test('waits for a block that is final and on its way to the disk', async () => {
    const { world, named } = await running();
    let looks = 0;
    const last = world.chains.length - 1;
    const { node } = readerOf(world, () => (looks++ < 8 ? last - 1 : last));
    const values = await Promise.all(named.map((cid) => revealedValues(node)(parseCid(cid)!)));
    expect(values).not.toContain(null);
  });
});

// Goal: a lane keeps few fetches and few values in hand, and comes to what the plain rules say.
// Method: a real blob store, an executor in this process that adds numbers; every call is counted.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LaneParts, laneFetchCountMax, runLane } from '../../node/lane.ts';
import type { Executor, FoldFuel, SubtaskRun } from '../../node/ports.ts';
import { type Blobs, openBlobStore } from '../../node/storage/blobs.ts';
import { type LaneLeaf, laneFoldFailure, laneRoot } from '../../protocol/algebra/result.ts';
import { openItem, verifyOpening } from '../../protocol/algebra/transcript.ts';
import { hash, sha256, uint64 } from '../../protocol/crypto/hash.ts';
import { evaluatePlan, type Step } from '../../protocol/execution/evaluate.ts';
import { subtaskItems } from '../../protocol/job/split.ts';
import type { Duty } from '../../protocol/replica/effect.ts';
import { program } from '../fixtures/programs/assemble.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-lane-'));
const never = new AbortController().signal;
let blobs: Blobs;
let programCid: Uint8Array;

beforeAll(async () => {
  blobs = await openBlobStore({ directory, quotaBytes: 100_000_000 });
  programCid = await blobs.put(program());
});
afterAll(async () => {
  await blobs.close();
  rmSync(directory, { recursive: true });
});

const read = (value: Uint8Array): number => Number(new DataView(value.buffer).getBigUint64(0));
const add = (a: Uint8Array, b: Uint8Array): Step => ({
  ok: true,
  value: uint64(read(a) + read(b)),
  fuel: 5n,
});
const padded = (value: Uint8Array, bytes: number): Uint8Array => {
  const long = new Uint8Array(bytes);
  long.set(value);
  return long;
};

/** Adds the indices of generated items, in this process. */
function adder(wishes: { valueBytes?: number; failsFold?: number; failsItem?: number } = {}) {
  const { valueBytes = 8, failsFold = -1, failsItem = -1 } = wishes;
  const seen = {
    folds: [] as number[][],
    foldFuel: [] as FoldFuel[],
    limits: new Set<string>(),
    turns: new Set<string | undefined>(),
  };
  const executor: Partial<Executor> = {
    runSubtask: async ({ items, plan, fuel, turn }: SubtaskRun) => {
      seen.turns.add(turn);
      seen.limits.add(`${fuel.item} ${fuel.combine}`);
      const { value, ...rest } = evaluatePlan(plan, items.length, fuel.item, {
        map: (place) => {
          const item = items[place]!;
          const number = item.kind === 'generated' ? item.index : 1;
          if (number === failsItem) return { ok: false, class: 'out-of-fuel' };
          return { ok: true, value: uint64(number), fuel: BigInt(number) };
        },
        combine: add,
        sha256,
      });
      return {
        ...{ kind: 'done', slowestItemMs: 1, ...rest },
        value: value === null ? null : padded(value, valueBytes),
        spent: { itemMax: 0n, combineMax: 0n, combineSum: 0n, memoryBytesMax: 0 },
      };
    },
    fold: async (_path, values, fuel, _signal, turn) => {
      seen.turns.add(turn);
      seen.folds.push(values.map(({ length }) => length));
      seen.foldFuel.push(fuel);
      const used = 5n * BigInt(values.length - 1);
      if (seen.folds.length - 1 === failsFold || used > fuel.fold || fuel.combine < 5n)
        return { kind: 'failed', class: 'out-of-fuel', reason: '', fuel: fuel.combine };
      const sum = values.reduce((total, value) => total + read(value), 0);
      return { kind: 'ok', value: padded(uint64(sum), valueBytes), wallMs: 1, fuel: used };
    },
  };
  return { executor: executor as Executor, seen };
}

const limits = { fuelItem: 100_000n, fuelCombine: 70n, fuelFold: 1_000_000n };

function dutyOf(input: object, subtasks: number, fuel: Partial<typeof limits> = {}): Duty {
  const job = {
    ...{ program: programCid, parameters: new Uint8Array(0), subtasks, input },
    ...{ ...limits, ...fuel },
  };
  return {
    ...{ key: 'k', job: hash('dev', 'job'), lane: 0, lanes: 1, wave: 0, seat: 0 },
    ...{ beacon: hash('dev', 'beacon'), drawId: hash('dev', 'draw'), saltKey: hash('dev', 'salt') },
    ...{ patienceMs: 60_000, signed: { job } as never },
  };
}

function partsOf(executor: Executor, fetch: LaneParts['fetch'] = async () => {}): LaneParts {
  const told = { progress: () => undefined, keep: () => undefined, lie: false };
  return { blobs, executor, fetch, ...told };
}

const leavesOf = (items: number, subtasks: number): LaneLeaf[] =>
  Array.from({ length: subtasks }, (_, subtask) => {
    const { first, end } = subtaskItems(items, subtasks, subtask);
    const sum = ((first + end - 1) * (end - first)) / 2;
    return { subtask, result: { ok: true, valueHash: sha256(uint64(sum)) } };
  });

describe('a lane', () => {
  test('folds as it goes, in few values, and comes to the left fold of all', async () => {
    const { executor, seen } = adder();
    const outcome = await runLane(
      dutyOf({ kind: 'generated', items: 2_000 }, 1_000),
      partsOf(executor),
      never,
    );
    if (outcome.kind !== 'done') throw new Error(outcome.class);
    expect(read(outcome.inlineValue!)).toBe((1_999 * 2_000) / 2);
    expect(outcome.claim.laneRoot).toEqual(laneRoot(leavesOf(2_000, 1_000)));
    expect(Math.max(...seen.folds.map(({ length }) => length))).toBeLessThanOrEqual(256);
    expect(seen.folds.length).toBeGreaterThan(3);
    // Two a subtask, and one less in each fold than it has values.
    expect(outcome.claim.mapFuel).toBe(BigInt((1_999 * 2_000) / 2));
    expect([...seen.limits]).toEqual(['100000 70']);
    let left = limits.fuelFold;
    for (const [at, lengths] of seen.folds.entries()) {
      expect(seen.foldFuel[at]).toEqual({ combine: limits.fuelCombine, fold: left });
      left -= 5n * BigInt(lengths.length - 1);
    }
    expect([...seen.turns]).toEqual([Buffer.from(hash('dev', 'job')).toString('hex')]);
    const { transcript, workRoot } = outcome;
    const sizes = transcript.works.map(({ subtask }) => ({
      subtask,
      ...subtaskItems(2_000, 1_000, subtask),
    }));
    const pick = { subtask: 700, item: 1_401 };
    const opening = openItem(transcript, pick.subtask, pick.item);
    const saltKey = hash('dev', 'salt');
    expect(verifyOpening(workRoot, saltKey, sizes, pick, opening)).toBe(true);
    expect(verifyOpening(workRoot, hash('dev', 'x'), sizes, pick, opening)).toBe(false);
  });

  test('holds few bytes of large values', async () => {
    const { executor, seen } = adder({ valueBytes: 4 * 1024 * 1024 });
    const duty = dutyOf({ kind: 'generated', items: 40 }, 40);
    expect(await runLane(duty, partsOf(executor), never)).toMatchObject({ kind: 'done' });
    for (const lengths of seen.folds)
      expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(36 * 1024 ** 2);
    expect(seen.folds.length).toBeGreaterThan(4);
  });

  test.each([0, 1, 3])('that fails in its fold %i tells so once, at the end', async (failsFold) => {
    const { executor } = adder({ failsFold });
    const duty = dutyOf({ kind: 'generated', items: 1_000 }, 1_000);
    const outcome = await runLane(duty, partsOf(executor), never);
    expect(outcome).toMatchObject({
      claim: {
        laneRoot: laneRoot([...leavesOf(1_000, 1_000), laneFoldFailure(1)]),
        valueCid: null,
      },
    });
  });

  test('has fuel for its whole fold, however often it is broken off, and not a unit less', async () => {
    const { executor } = adder();
    const claimOf = async (fuelFold: bigint) => {
      const duty = dutyOf({ kind: 'generated', items: 1_000 }, 1_000, { fuelFold });
      const outcome = await runLane(duty, partsOf(executor), never);
      return outcome.kind === 'done' ? outcome.claim : null;
    };
    const whole = 5n * 999n;
    expect(await claimOf(whole)).toMatchObject({
      laneRoot: laneRoot(leavesOf(1_000, 1_000)),
      mapFuel: BigInt((999 * 1_000) / 2),
    });
    expect(await claimOf(whole - 1n)).toMatchObject({
      laneRoot: laneRoot([...leavesOf(1_000, 1_000), laneFoldFailure(1)]),
      valueCid: null,
    });
  });

  test('that is refused a combine in its fold says so, and is no seat’s fault', async () => {
    const claimOf = async (fuelCombine: bigint) => {
      const { executor, seen } = adder();
      const duty = dutyOf({ kind: 'generated', items: 600 }, 600, { fuelCombine });
      const outcome = await runLane(duty, partsOf(executor), never);
      return { ...(outcome.kind === 'done' ? outcome.claim : null), folds: seen.folds.length };
    };
    expect(await claimOf(5n)).toMatchObject({ laneRoot: laneRoot(leavesOf(600, 600)), folds: 3 });
    // From the first fold that fails on, no other is begun.
    expect(await claimOf(4n)).toMatchObject({
      ...{ laneRoot: laneRoot([...leavesOf(600, 600), laneFoldFailure(1)]), valueCid: null },
      ...{ mapFuel: BigInt((599 * 600) / 2), folds: 1 },
    });
  });

  test('charges what failed with its limit, in each of its subtasks', async () => {
    const { executor } = adder({ failsItem: 7 });
    const duty = dutyOf({ kind: 'generated', items: 20 }, 2);
    const outcome = await runLane(duty, partsOf(executor), never);
    const below = (0 + 1 + 2 + 3 + 4 + 5 + 6) as number;
    const second = ((10 + 19) * 10) / 2;
    expect(outcome).toMatchObject({
      claim: { valueCid: null, mapFuel: BigInt(below + second) + limits.fuelItem },
    });
  });

  test.each(['host-oom', 'inadmissible', 'killed', 'timeout'] as const)(
    'that a machine cannot run (%s) is abstained from, and nothing is told of it',
    async (failure) => {
      const { executor } = adder();
      const local = { kind: 'local', class: failure, reason: 'x' } as const;
      const duty = dutyOf({ kind: 'generated', items: 20 }, 2);
      const unable = { ...executor, runSubtask: async () => local };
      expect(await runLane(duty, partsOf(unable), never)).toEqual({
        kind: 'local',
        class: failure,
      });
      const late = { ...executor, fold: async () => local };
      expect(await runLane(duty, partsOf(late), never)).toEqual({ kind: 'local', class: failure });
    },
  );

  test('fetches a few items at a time, and none after one that nobody has', async () => {
    const items = await Promise.all(
      Array.from({ length: 60 }, (_, index) => blobs.put(uint64(index))),
    );
    const list = await blobs.putList(items);
    const input = { kind: 'blobs', root: list.slice(4), items: 60 };
    let under = 0;
    let most = 0;
    let asked = 0;
    let missing = 1_000;
    const fetch = async (): Promise<void> => {
      under += 1;
      asked += 1;
      most = Math.max(most, under);
      const place = asked;
      await new Promise((resolve) => setImmediate(resolve));
      under -= 1;
      if (place === missing) throw new Error('nobody has it');
    };
    const { executor } = adder();
    const duty = dutyOf(input, 2);
    expect(await runLane(duty, partsOf(executor, fetch), never)).toMatchObject({ kind: 'done' });
    expect(most).toBe(laneFetchCountMax);
    expect(asked).toBe(62);
    [asked, missing] = [0, 12];
    const late = await runLane(duty, partsOf(executor, fetch), never);
    expect(late).toEqual({ kind: 'local', class: 'unavailable' });
    expect(asked).toBeLessThanOrEqual(12 + laneFetchCountMax);
  });

  test('that is broken off amid its trees ends soon', async () => {
    const { executor } = adder();
    const stop = new AbortController();
    const duty = dutyOf({ kind: 'generated', items: 300_000 }, 1);
    const lane = runLane(duty, partsOf(executor), stop.signal);
    setImmediate(() => stop.abort());
    expect(await lane).toEqual({ kind: 'local', class: 'killed' });
  });
});

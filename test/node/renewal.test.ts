// Goal: a job whose time ran out though nothing was wrong is submitted anew by its client, with an
// id of its own; and no job ever while the one before may still be ordered (nothing runs twice).
// Method: a law over random networks that lag, forget and are put back, with two careless clients
// that break it, and the ends of trying. Four real nodes do it in renewal.long.test.ts.
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { ApiError, ClientError } from '../../node/client/error.ts';
import { followJob } from '../../node/client/follow.ts';
import { limitsOf } from '../../node/client/fuel.ts';
import type { Gateway, SeenJob } from '../../node/client/gateway.ts';
import { type Prepared, renewJob } from '../../node/client/prepare.ts';
import { renewalCountMax, submitRenewing, untilCalm } from '../../node/client/renewal.ts';
import { nativeKeys } from '../../node/crypto.ts';
import { hex } from '../../protocol/brand.ts';
import { jobId } from '../../protocol/job/job.ts';
import type { JobRecord } from '../../protocol/ledger/record.ts';
import { devAccountSeed, devGenesis } from '../../protocol/receipt/dev.ts';
import { signPrimes } from '../support/nodes.ts';

const keys = nativeKeys(devAccountSeed(0));
const genesis = devGenesis({ seats: 4, nonce: new Uint8Array(32), timeMs: 0 });
const network = new Uint8Array(32);

function preparedAt(height: number, timeMs: number): Prepared {
  const anchor = { height, timeMs, hash: new Uint8Array(32).fill(height & 255) };
  const signed = signPrimes({ network, program: new Uint8Array(36), items: 1, to: 9, anchor });
  const { job } = signed;
  const id = jobId(job);
  const measured = {
    limits: limitsOf(job),
    items: [],
    combine: null,
    combineMs: 0,
    render: null,
    unrun: null,
  };
  return { signed, id, items: 1, inputBytes: 0, programCid: job.program, measured, renewals: 0 };
}

/** What a random network does at each question: numbers that decide, in order, round and round. */
type Fate = readonly { readonly steps: number; readonly lag: number; readonly takes: boolean }[];

type Submitted = { readonly prepared: Prepared; orderedAt: number | null };

/**
 * A chain that goes on with each question, by 4 s a block, and orders jobs or does not; and a node
 * that knows it up to some blocks before its end, and answers from there.
 */
function model(fate: Fate, withdrawn: boolean) {
  const jobs: Submitted[] = [];
  let height = 10;
  let questions = 0;
  const timeOf = (at: number): number => 1_000_000 + at * 4_000;
  const turn = (): number => {
    const { steps, lag, takes } = fate[questions++ % fate.length]!;
    for (let step = 0; step < steps; step++) {
      height += 1;
      const open = jobs.find(({ orderedAt }) => orderedAt === null);
      if (open === undefined || !takes) continue;
      // L22: a block that is not past its time may order it.
      if (timeOf(height) <= open.prepared.signed.job.includeByMs) open.orderedAt = height;
    }
    return Math.max(1, height - lag);
  };
  const seenAt = (id: Uint8Array, at: number): SeenJob | null => {
    const job = jobs.find(({ prepared }) => hex(prepared.id) === hex(id));
    if (job === undefined) return null;
    const isIn = job.orderedAt !== null && job.orderedAt <= at;
    const late = timeOf(at) > job.prepared.signed.job.includeByMs;
    const waiting = withdrawn ? 'cancelled' : late ? 'expired' : 'pending';
    return {
      state: isIn ? 'settled' : waiting,
      at,
      ended: isIn || waiting === 'expired',
      includedHeight: isIn ? job.orderedAt : null,
      lanes: [],
      bound: null,
      share: null,
      executedItems: null,
    };
  };
  const gateway: Gateway = {
    genesis,
    network,
    anchor: async () => {
      const at = turn();
      return { height: at, hash: new Uint8Array(32), timeMs: timeOf(at) };
    },
    putBlob: () => Promise.reject(new Error('nothing is stored')),
    putList: () => Promise.reject(new Error('nothing is stored')),
    putsAtOnce: 1,
    file: () => Promise.reject(new Error('nothing is stored')),
    submit: async (signed) => {
      const at = turn();
      if (timeOf(at) >= signed.job.includeByMs)
        throw new ClientError({ code: 'JOB_REFUSED', refusal: 'JOB_NOT_INCLUDED_IN_TIME' });
      // The law: whoever waited before can never be ordered, by all that is true of the chain.
      for (const { prepared, orderedAt } of jobs) {
        if (orderedAt !== null) throw new Error('submitted anew, and ordered before');
        if (timeOf(height) <= prepared.signed.job.includeByMs)
          throw new Error('submitted anew, while it may still be ordered');
      }
      jobs.push({
        prepared: { ...preparedAt(0, 0), signed, id: jobId(signed.job) },
        orderedAt: null,
      });
    },
    look: async (id) => seenAt(id, turn()),
    sightings: async function* (id) {
      for (;;) {
        const seen = seenAt(id, turn());
        if (seen !== null) yield seen;
        if (seen?.ended) return;
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    pulse: async () => {
      const at = turn();
      return { height: at, timeMs: timeOf(at), heard: [0, 1, 2], seats: 4, quorum: 3 };
    },
    record: async (id) => {
      const seen = seenAt(id, turn());
      return seen?.includedHeight == null ? null : ({ state: 'settled' } as JobRecord);
    },
    receipt: () => Promise.reject(new Error('no receipts here')),
  };
  return { gateway, jobs, anchor: () => preparedAt(height, timeOf(height)) };
}

type Ran = {
  readonly ids: readonly string[];
  readonly told: readonly string[];
  readonly end: string;
};

/** The time of a model's chain has nothing to do with ours. */
const atOnce = async (): Promise<void> => undefined;

/** Submits and follows one job of a network to its end. */
async function ran(
  { gateway, jobs, anchor }: ReturnType<typeof model>,
  changed: (gateway: Gateway) => Gateway = (same) => same,
): Promise<Ran> {
  const told: string[] = [];
  const options = {
    gateway: changed(gateway),
    keys,
    signal: AbortSignal.timeout(20_000),
    renewing: ({ prepared }: { prepared: Prepared }) => void told.push(hex(prepared.id)),
    show: () => undefined,
    pulseMs: 0,
    calm: atOnce,
  };
  let end: string;
  try {
    const prepared = await submitRenewing(anchor(), options);
    const ending = await followJob({ ...options, prepared, renewal: options });
    end = `ended ${hex(ending.prepared.id)}`;
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    end = error.code;
  }
  return { ids: jobs.map(({ prepared }) => hex(prepared.id)), told, end };
}

const fates = fc.array(
  fc.record({
    steps: fc.constantFrom(0, 0, 1, 1, 2, 9),
    lag: fc.constantFrom(0, 0, 0, 1, 30),
    takes: fc.constantFrom(false, false, false, true),
  }),
  { minLength: 3, maxLength: 25 },
);

describe('a job whose time ran out', () => {
  /** Whether jobs were renewed, under a client that is given the gateway as `changed`. */
  const renewals = async (changed?: (gateway: Gateway) => Gateway): Promise<number> => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(fates, fc.boolean(), async (fate, withdrawn) => {
        // A network that never moves ends by its client's patience only: it moves at last.
        const calm = { steps: 1, lag: 0, takes: false };
        const moving = [...fate, calm, calm];
        const world = model(moving, withdrawn);
        const { ids, told, end } = await ran(world, changed);
        count += told.length;
        expect(told.length).toBeLessThanOrEqual(renewalCountMax);
        expect(new Set(ids).size).toBe(ids.length);
        // Whatever the network knows was told; what was told last is what ended.
        for (const id of ids.slice(1)) expect(told).toContain(id);
        if (withdrawn) expect(ids.length).toBeLessThanOrEqual(1);
        if (end.startsWith('ended')) expect(end).toBe(`ended ${ids.at(-1)}`);
        else expect(['NOT_INCLUDED', 'JOB_REFUSED']).toContain(end);
      }),
      { numRuns: 300, seed: 11 },
    );
    return count;
  };

  test('is submitted anew, and never while the one before may still be ordered', async () => {
    expect(await renewals()).toBeGreaterThan(50);
  });

  const believes = (gateway: Gateway): Gateway => ({
    ...gateway,
    look: async (id, signal) => {
      const seen = await gateway.look(id, signal);
      return seen === null ? null : { ...seen, at: Number.MAX_SAFE_INTEGER };
    },
  });

  test('is not submitted anew on an old look, as who believes it would', async () => {
    const still = { steps: 0, lag: 0, takes: false };
    const old = { ...still, lag: 30 };
    const on = { ...still, steps: 9 };
    // Submitted; ordered at the next pulse; past its time at the one after; looks are of before.
    const fate = [still, { ...on, takes: true }, on, old, still, old, still, still, still];
    const quiet = (): ReturnType<typeof model> => {
      const world = model(fate, false);
      const sightings = async function* () {
        await new Promise(() => {});
      };
      return { ...world, gateway: { ...world.gateway, sightings } };
    };
    expect(await ran(quiet())).toMatchObject({ told: [], end: 'NOT_INCLUDED' });
    await expect(ran(quiet(), believes)).rejects.toThrow('submitted anew, and ordered before');
  });

  test('would be submitted twice by who looks at another clock than the chain', async () => {
    const hasty = (gateway: Gateway): Gateway => ({
      ...believes(gateway),
      pulse: async (signal) => ({ ...(await gateway.pulse(signal)), timeMs: 2 ** 48 }),
    });
    const told = await renewals(hasty).catch((error: Error) => error);
    expect(String((told as Error).cause)).toContain('submitted anew');
  });

  test('keeps everything but nonce, anchor and time, and is tried three times', async () => {
    const never = model([{ steps: 1, lag: 0, takes: false }], false);
    const { ids, told, end } = await ran(never);
    expect([ids.length, told.length, end]).toEqual([4, 3, 'NOT_INCLUDED']);
    const [first, second] = never.jobs.map(({ prepared }) => prepared.signed.job);
    const { nonce, anchorHeight, anchorHash, includeByMs, ...rest } = second!;
    expect(first).toMatchObject(rest);
    expect(nonce).not.toBe(first!.nonce);
    expect(anchorHeight).toBeGreaterThan(first!.anchorHeight);
    expect(includeByMs).toBeGreaterThan(first!.includeByMs);
    expect(anchorHash).toHaveLength(32);
    const error = new ClientError({ code: 'NOT_INCLUDED', includeBy: 'then', renewals: 3 });
    expect(error.message).toContain('nor 3 before it');
  });

  test('that came too late to be taken is anchored anew, whoever says so, three times', async () => {
    const late = [
      new ClientError({ code: 'JOB_REFUSED', refusal: 'JOB_NOT_INCLUDED_IN_TIME' }),
      new ApiError(
        { code: 'JOB_NOT_INCLUDED_IN_TIME', status: 409, title: '', remedy: '', retryable: false },
        'too late',
      ),
    ];
    const other = new ClientError({ code: 'JOB_REFUSED', refusal: 'JOB_ESCROW' });
    const signal = AbortSignal.timeout(5_000);
    const submits = async (error: Error, failing: number) => {
      let tries = 0;
      const told: Prepared[] = [];
      const gateway: Gateway = {
        ...model([{ steps: 1, lag: 0, takes: false }], false).gateway,
        submit: () => (++tries <= failing ? Promise.reject(error) : Promise.resolve()),
      };
      const renewing = ({ prepared }: { prepared: Prepared }) => void told.push(prepared);
      const options = { gateway, keys, signal, renewing };
      const job = await submitRenewing(preparedAt(1, 1), options).catch((thrown) => thrown);
      return { job, told, tries };
    };
    for (const error of late) {
      const good = await submits(error, 3);
      expect([good.tries, good.told.length, good.job]).toEqual([4, 3, good.told[2]]);
      expect(await submits(error, 4)).toMatchObject({ tries: 4, job: error });
    }
    expect(await submits(other, 1)).toMatchObject({ tries: 1, told: [], job: other });
  });

  test('is not renewed by who has gone', async () => {
    const control = new AbortController();
    const { gateway, anchor } = model([{ steps: 1, lag: 0, takes: false }], false);
    const options = { gateway, keys, signal: control.signal, pulseMs: 0, show: () => undefined };
    const told: Prepared[] = [];
    const renewing = ({ prepared }: { prepared: Prepared }): void => {
      told.push(prepared);
      control.abort(new Error('enough'));
    };
    const prepared = await submitRenewing(anchor(), { ...options, renewing });
    const renewal = { keys, renewing, calm: atOnce };
    await expect(followJob({ ...options, prepared, renewal })).rejects.toThrow('enough');
    expect(told).toHaveLength(1);
    const renewed = await renewJob(prepared, gateway, keys, AbortSignal.timeout(1_000));
    expect(renewed.renewals).toBe(1);
  });
});

describe('a chain that catches up', () => {
  /** Chain time behind ours by `lagMs`, at `pace` until it is ours; how long one waits for it. */
  async function waited({ lagMs, pace, wrongMs = 0 }: Record<string, number>): Promise<number> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
    try {
      const begun = Date.now();
      const pulse = async () => {
        const passed = Date.now() - begun;
        const caught = begun - lagMs! + pace! * passed;
        return { timeMs: wrongMs + Math.min(caught, Date.now()), height: 1, heard: 4, absent: [] };
      };
      const signal = new AbortController().signal;
      let over = false;
      const waiting = untilCalm({ gateway: { pulse } as never, signal, pulseMs: 100 });
      void waiting.then(() => (over = true));
      while (!over) await vi.advanceTimersByTimeAsync(100);
      return (Date.now() - begun) / 1_000;
    } finally {
      vi.useRealTimers();
    }
  }

  test('is waited for until its time is ours, however slow its blocks come', async () => {
    expect(await waited({ lagMs: 600_000, pace: 16 })).toBeCloseTo(590 / 15, 0);
    expect(await waited({ lagMs: 600_000, pace: 4 })).toBeCloseTo(590 / 3, 0);
    expect(await waited({ lagMs: 5_000, pace: 1 })).toBe(0.1);
  });

  test('is not waited for where a clock is wrong, nor for ever', async () => {
    for (const wrongMs of [-3_600_000, 3_600_000])
      expect(await waited({ lagMs: 0, pace: 1, wrongMs })).toBeCloseTo(8, 0);
    expect(await waited({ lagMs: 9e8, pace: 4 })).toBeCloseTo(300, 0);
  });
});

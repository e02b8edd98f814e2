// Goal: after an outage a job that its node could tell nobody of is submitted anew, once, and settles.
// Method: four real nodes whose chain lags five minutes behind, the submitter's one cut off.
import { afterAll, describe, expect, test } from 'vitest';
import { followJob } from '../../node/client/follow.ts';
import { localGateway } from '../../node/client/local-gateway.ts';
import { type Prepared, prepareJob, renewJob } from '../../node/client/prepare.ts';
import { loadProgram } from '../../node/client/program.ts';
import { submitRenewing } from '../../node/client/renewal.ts';
import { nativeKeys } from '../../node/crypto.ts';
import { jobView } from '../../node/views/job.ts';
import { hex } from '../../protocol/brand.ts';
import { devAccountSeed } from '../../protocol/receipt/dev.ts';
import { createMachines, until } from '../support/nodes.ts';

const keys = nativeKeys(devAccountSeed(0));

describe('after an outage of five minutes', async () => {
  let cut = false;
  const linked = (a: string, b: string): boolean => !cut || (a !== 'seat 0' && b !== 'seat 0');
  const genesisMs = Date.now() - 300_000;
  const machines = await createMachines(4, { genesisMs, faults: { linked } });
  afterAll(() => machines.remove());

  test('a job that its node could tell nobody of settles under another id', async () => {
    const nodes = await machines.start([0, 1, 2, 3]);
    const [node, other] = nodes as [(typeof nodes)[number], (typeof nodes)[number]];
    await until('a block is final', () => node.state().final.header.height > 0);
    const gateway = localGateway(nodes);
    const program = await loadProgram('primes', (path) => path);
    const wish = {
      ...{ program, parameters: '{"from":0,"to":1000}', inputPath: null, subtasks: null },
      ...{ lossExponent: 9, adversary: 'max' as const, fee: 1n },
    };
    const signal = AbortSignal.timeout(100_000);
    const first = await prepareJob(wish, gateway, machines.executor, keys, signal);
    cut = true;
    // Leaders of its own make it no chain: it waits, and what it has heard of waits with it.
    const anchored = await renewJob(first, gateway, keys, signal);
    const prepared = { ...anchored, renewals: 0 };
    const renewals: string[] = [];
    const options = {
      ...{ gateway, keys, signal, show: () => undefined, pulseMs: 100 },
      renewing: (one: { before: Prepared; prepared: Prepared }) =>
        void renewals.push(hex(one.before.id), hex(one.prepared.id)),
    };
    expect(hex((await submitRenewing(prepared, options)).id)).toBe(hex(prepared.id));
    const following = followJob({ ...options, prepared, renewal: options });
    following.catch(() => undefined);
    const { includeByMs } = prepared.signed.job;
    const timeOf = (of: typeof node): number => of.state().final.header.timeMs;
    await until('the others are past its time', () => timeOf(other) > includeByMs, 60_000);
    expect(renewals, 'it may still be ordered, as far as its node knows').toEqual([]);
    expect((await jobView(node, prepared.id))?.state).toBe('pending');
    cut = false;
    const ending = await following;
    expect(ending.record.state).toBe('settled');
    expect(renewals.slice(0, 2)).toEqual([hex(prepared.id), hex(ending.prepared.id)]);
    expect(ending.prepared.signed.job.includeByMs).toBeGreaterThan(includeByMs);
    // The node still knows the first by its id, and why it ended.
    expect(await jobView(node, prepared.id)).toMatchObject({
      state: 'expired',
      includedHeight: null,
      reason: { code: 'NOT_INCLUDED' },
    });
  }, 120_000);
});

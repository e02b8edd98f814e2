// Goal: a node that cannot go on says so: to its health, to its watchers, once, and never before.
// Method: a real node whose network fails in the middle of an effect; one whose lane fails beside.
import { afterAll, expect, test } from 'vitest';
import { healthSchema, statusSchema } from '../../node/api/contract.ts';
import { nativeKeys } from '../../node/crypto.ts';
import type { NodeEvent } from '../../node/face.ts';
import { createMemoryNetworks } from '../../node/network/memory.ts';
import { type AnwansiNode, startNode } from '../../node/node.ts';
import { findingsOf } from '../../node/operator/findings.ts';
import type { Network } from '../../node/ports.ts';
import { devSeatSeed } from '../../protocol/receipt/dev.ts';
import { ask, testApi } from '../support/api.ts';
import { createMachines, primesJob, until } from '../support/nodes.ts';

const machines = await createMachines(4);
const { genesis, executor, directoryOf, root } = machines;
afterAll(() => machines.remove());

/** Starts all seats; the network and the sandbox of the last are as they are given. */
async function startAll(change: {
  readonly network?: (real: Network) => Network;
  readonly executor?: typeof executor;
}) {
  const networks = createMemoryNetworks();
  const nodes = await Promise.all(
    genesis.seats.map((_, seat) => {
      const real = networks.create(`seat ${seat}`);
      const isLast = seat === genesis.seats.length - 1;
      return startNode({
        genesis,
        seat,
        keys: nativeKeys(devSeatSeed(seat)),
        network: isLast ? (change.network?.(real) ?? real) : real,
        executor: isLast ? (change.executor ?? executor) : executor,
        directory: directoryOf(seat),
        blobQuotaBytes: 256 * 1024 * 1024,
      });
    }),
  );
  return nodes;
}

/** What the API of a node says about its health, with the findings that a real node has. */
async function healthOf(node: AnwansiNode) {
  const { app } = testApi(
    { node, executor, scratch: root },
    {
      findings: async () =>
        (await findingsOf({ node, peers: () => [], directory: root })).filter(
          ({ name }) => name === 'node',
        ),
    },
  );
  const health = await ask(app, '/v1/health');
  const status = statusSchema.parse(await (await ask(app, '/v1/status')).json());
  return { code: health.status, body: healthSchema.parse(await health.json()), status };
}

const failuresOf = (node: AnwansiNode) => {
  const failures: Extract<NodeEvent, { kind: 'failed' }>[] = [];
  node.watch((event) => {
    if (event.kind === 'failed') failures.push(event);
  });
  return failures;
};

test('what stops its replica is fatal: unready from then on, and told once', async () => {
  let broken = false;
  const nodes = await startAll({
    network: (real) => ({
      ...real,
      publish: (topic, bytes) => {
        if (broken) throw new Error('the cable is cut in two');
        real.publish(topic, bytes);
      },
    }),
  });
  const node = nodes.at(-1)!;
  try {
    const failures = failuresOf(node);
    await until('blocks become final', () => node.state().final.header.height > 3);
    expect(node.failure()).toBeNull();
    expect((await healthOf(node)).code).toBe(200);
    broken = true;
    await until('it fails', () => failures.length > 0);
    expect(failures).toMatchObject([
      { fatal: true, reason: { message: 'the cable is cut in two' } },
    ]);
    expect(node.failure()).toEqual({ reason: failures[0]!.reason });
    const { code, body, status } = await healthOf(node);
    expect([code, body.state]).toEqual([503, 'unready']);
    expect(body.findings[0]).toMatchObject({ name: 'node', state: 'failed' });
    expect(body.findings[0]!.cause).toContain('the cable is cut in two');
    expect(status).toMatchObject({ sync: 'stalled', reason: { code: 'NODE_STOPPED' } });
    // The others need it not.
    const { height } = nodes[0]!.state().final.header;
    await until('they go on', () => nodes[0]!.state().final.header.height > height + 2);
    expect(failures).toHaveLength(1);
  } finally {
    await Promise.all(nodes.map((one) => one.stop()));
  }
});

test('a lane that is lost is not fatal: the node goes on and stays ready', async () => {
  const nodes = await startAll({
    executor: {
      ...executor,
      runSubtask: async () => {
        throw new Error('no sandbox today');
      },
    },
  });
  const node = nodes.at(-1)!;
  try {
    const failures = failuresOf(node);
    for (let jobs = 0; failures.length === 0 && jobs < 8; jobs++) {
      await nodes[0]!.submit(await primesJob(machines, nodes[0]!));
      const { height } = node.state().final.header;
      await until('blocks', () => node.state().final.header.height > height + 8);
    }
    expect(failures[0]).toMatchObject({ fatal: false, reason: { message: 'no sandbox today' } });
    expect(node.failure()).toBeNull();
    expect((await healthOf(node)).code).toBe(200);
  } finally {
    await Promise.all(nodes.map((one) => one.stop()));
  }
});

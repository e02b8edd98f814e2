// Goal: a message reaches every honest peer that is connected to an honest one, though some are
// silent and some are not connected to each other, and no peer is sent more than its mesh needs.
// Method: laws of the shapes; real hosts on the loopback, of which some pass nothing on. The twin
// is a host that knows silent ones alone.
import { gossipsub } from '@chainsafe/libp2p-gossipsub';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gossipOptions, meshShape } from '../../node/network/gossip.ts';
import type { NetworkHandlers } from '../../node/ports.ts';
import { utf8 } from '../../protocol/brand.ts';
import { ignore } from '../../protocol/errors.ts';
import { eventually, hears, listen } from '../ports/network.ts';
import { names, ours } from './network-hosts.ts';

describe('the shape of a mesh', () => {
  test('is one that the library can keep, and never shrinks as peers come', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), (a, b) => {
        const { D, Dlo, Dhi, Dout, Dscore, Dlazy } = meshShape(a);
        expect(Dlo <= D && D < Dhi && Dscore <= D && Dlazy > 0).toBe(true);
        expect(Dout > 0 && Dout < Dlo && 2 * Dout <= D).toBe(true);
        if (a <= b) expect(D).toBeLessThanOrEqual(meshShape(b).D);
      }),
    );
    expect([3, 12, 16, 17, 64, 65].map((peers) => meshShape(peers).D)).toEqual([3, 3, 3, 4, 4, 6]);
  });

  test('is what the library is told: nothing is flooded, and its defaults are others', () => {
    const options = gossipOptions(names);
    expect(options).toMatchObject({ ...meshShape(0), floodPublish: false });
    const components = { logger: { forComponent: () => Object.assign(() => undefined, {}) } };
    const { opts } = gossipsub()(components as never) as unknown as {
      opts: { D: number; floodPublish: boolean };
    };
    expect([opts.D, opts.floodPublish], 'what a host without them does').toEqual([6, true]);
  });
});

test('silent peers and missing links cut nobody off; who knows silent ones alone is cut off', async () => {
  const deaf: NetworkHandlers['judge'] = () => ignore('TEST_SILENT');
  const count = 9;
  const silent = [1, 4];
  const lone = count;
  const hosts = await Promise.all(Array.from({ length: count + 1 }, (_, i) => ours(`mesh ${i}`)));
  const ears = hosts.map((one, i) => listen(one, silent.includes(i) ? { judge: deaf } : {}));
  await Promise.all(ears.map(({ network, handlers }) => network.start(handlers)));
  // Each is connected to all but the one three places on; the last one to the silent alone.
  const linked = (a: number, b: number): boolean => (b === lone ? silent.includes(a) : b - a !== 3);
  const links = hosts.flatMap((one, a) =>
    hosts.flatMap((other, b) => (a < b && linked(a, b) ? [[one, other] as const] : [])),
  );
  await Promise.all(links.map(([one, other]) => one.dial(other.addresses()[0]!)));
  await eventually('the links are there', () =>
    links.every(([one, other]) => one.peers().includes(other.self)),
  );
  const honest = ears.filter((_, i) => !silent.includes(i) && i !== lone);
  for (const [round, from] of [0, 8].entries()) {
    const message = utf8(`round ${round}`);
    const announce = (): void => hosts[from]!.publish('votes', message);
    announce();
    const timer = setInterval(announce, 400);
    try {
      await eventually('all honest ones hear', () =>
        honest.every((ear) => ear.network === hosts[from] || hears(ear, 'votes', message)),
      );
    } finally {
      clearInterval(timer);
    }
    expect(hears(ears[lone]!, 'votes', message), 'the twin').toBe(false);
  }
  // A heartbeat ends what more was grafted at once.
  await eventually('no mesh is larger than it need be', () =>
    hosts.every((one) => one.mesh('votes').length <= meshShape(count).Dhi),
  );
  expect(hosts[0]!.peers().length).toBeGreaterThan(meshShape(count).Dhi);
});

// Goal: a host that knows one peer finds all of its network, and only those; whoever is refused is
// told why; what strangers name costs little and is forgotten.
// Method: real hosts on the loopback, a twin that does not look for peers; the bounds on a host
// that reaches nobody, with its clock in our hands.
import type { Libp2p } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { foundMsMax, foundPeerCountMax, wantedPeerCountMax } from '../../node/network/limits.ts';
import { networkNames } from '../../node/network/names.ts';
import { createRedial, type Redial } from '../../node/network/redial.ts';
import { hex, utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { eventually } from '../ports/network.ts';
import { reachEveryLine } from '../support/lines.ts';
import { logged, names, networkId, type Ours, ours, quiet } from './network-hosts.ts';

const elsewhere = 'test/node/network.test.ts and blobs-fetch*.test.ts reach it';
const others = Array.from({ length: 37 }, (_, i) => [`W${i + 1}`, elsewhere]);
reachEveryLine('network', Object.fromEntries([...others, ['W42', 'test/node/judging.test.ts']]));

/** Running hosts; `knows` says the place of the one whose address a host is given. */
async function running(
  count: number,
  knows: (place: number) => number,
  discover = true,
): Promise<Ours[]> {
  const hosts: Ours[] = [];
  for (let place = 0; place < count; place++) {
    const peers = place === 0 ? [] : [hosts[knows(place)]!.addresses()[0]!];
    const one = await ours(`searcher ${place}`, { peers, discover });
    await one.start(quiet);
    hosts.push(one);
  }
  return hosts;
}

const everybody = (hosts: readonly Ours[]): boolean =>
  hosts.every((one) => one.peers().length === hosts.length - 1);

describe('finding peers', () => {
  test('five that know the first one find each other, and a foreigner finds nobody', async () => {
    const hosts = await running(5, () => 0);
    const [first] = hosts as [Ours];
    const foreignId = sha256(utf8('another network'));
    const foreign = await ours('foreign', {
      network: foreignId,
      peers: [first.addresses()[0]!],
      discover: true,
    });
    await foreign.start(quiet);
    await eventually('all have found all', () => everybody(hosts));
    for (const one of hosts) {
      const here = one.known().filter(({ connected }) => connected);
      expect(here.map(({ id }) => id).sort()).toEqual([...one.peers()].sort());
      expect(here.every(({ reason, addresses }) => reason === null && addresses.length > 0)).toBe(
        true,
      );
    }
    await eventually('both know why', () =>
      [foreign, first].every((one) => logged(one, 'stranger').length > 0),
    );
    const [theirs, own] = [foreignId, networkId].map((id) => hex(id).slice(0, 16));
    expect(foreign.known()).toMatchObject([{ id: first.self, connected: false }]);
    expect(foreign.known()[0]!.reason).toBe(
      `it belongs to another network: its genesis begins with ${own}, ours with ${theirs}`,
    );
    expect(foreign.unreachable()[0]!.reason).toBe(foreign.known()[0]!.reason);
    expect(first.known().find(({ id }) => id === foreign.self)).toMatchObject({
      connected: false,
      reason: `it belongs to another network: its genesis begins with ${theirs}, ours with ${own}`,
    });
    expect(foreign.peers()).toEqual([]);
    expect(
      hosts.slice(1).flatMap((one) => logged(one, 'stranger')),
      'nobody named it',
    ).toEqual([]);
  });

  test('a chain becomes a net; the twin that does not search stays a star', async () => {
    const [chain, star] = [
      await running(4, (place) => place - 1),
      await running(4, () => 0, false),
    ];
    await eventually('all have found all', () => everybody(chain));
    await eventually('the star is complete', () => star[0]!.peers().length === 3);
    expect(star.slice(1).map((one) => one.peers())).toEqual([1, 2, 3].map(() => [star[0]!.self]));
    const [gone] = chain.splice(3, 1) as [Ours];
    await gone.stop();
    await eventually('it is missed', () => everybody(chain));
    await gone.start(quiet);
    await eventually('it is dialled again', () => everybody([...chain, gone]));
  });
});

test('a stranger is told in one sentence what it is', () => {
  const { strangerReason } = names;
  expect(strangerReason([names.protocol('sync'), '/x'])).toBeNull();
  const other = networkNames(sha256(utf8('another network'))).protocol('sync');
  expect(strangerReason(['/x', other])).toMatch(/^it belongs to another network: .*[0-9a-f]{16}$/);
  expect(strangerReason([other.replace('/1/', '/2/')])).toBe(
    'it speaks version 2 of the protocol, this node version 1',
  );
  expect(strangerReason(['/ipfs/id/1.0.0'])).toBe(
    'it is no node of this kind: it speaks none of our protocols',
  );
});

describe('what strangers name', () => {
  afterEach(() => void vi.useRealTimers());

  const name = (place: number): string => `12D3KooWpeer${String(place).padStart(4, '0')}`;
  const address = multiaddr('/ip4/192.0.2.1/tcp/9');
  const self = '12D3KooWzzzz';

  /** A redial whose host reaches nobody and has `present` connections. */
  function alone(present: () => string[] = () => []): { redial: Redial; dials: number[] } {
    const dials: number[] = [];
    const host = {
      getPeers: () => present(),
      dial: async () => {
        dials.push(performance.now());
        throw new Error('connect ECONNREFUSED');
      },
    } as unknown as Libp2p;
    const isHere = (peer: string): boolean => present().includes(peer);
    return {
      redial: createRedial(
        () => host,
        self,
        isHere,
        () => undefined,
      ),
      dials,
    };
  }

  test('is bounded, dialled ever less often, and forgotten', async () => {
    vi.useFakeTimers();
    const { redial, dials } = alone();
    for (let place = 0; place < 3 * foundPeerCountMax; place++)
      redial.found(name(place), [address]);
    expect(redial.wanted()).toHaveLength(foundPeerCountMax);
    redial.found(self, [address]);
    redial.found(name(9_999), []);
    await vi.advanceTimersByTimeAsync(60_000);
    const early = dials.length;
    expect(redial.wanted()[0]).toMatchObject({
      id: name(0),
      reason: 'nobody listens there (connection refused)',
    });
    // Room is made of those that were tried in vain, one for one.
    for (let place = 1_000; place < 1_010; place++) redial.found(name(place), [address]);
    expect(redial.wanted()).toHaveLength(foundPeerCountMax);
    expect(redial.wanted().map(({ id }) => id)).toContain(name(1_009));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(dials.length - early, 'less in the second minute').toBeLessThan(early);
    await vi.advanceTimersByTimeAsync(foundMsMax + 60_000);
    expect(redial.wanted(), 'all are forgotten').toEqual([]);
    const end = dials.length;
    await vi.advanceTimersByTimeAsync(600_000);
    expect(dials.length).toBe(end);
  });

  test('never displaces what was given, which is dialled for ever', async () => {
    vi.useFakeTimers();
    const { redial, dials } = alone();
    await redial.add(`/ip4/192.0.2.7/tcp/9/p2p/${name(7)}`).catch(() => undefined);
    redial.found(name(7), [address]);
    expect(redial.wanted()).toHaveLength(1);
    expect([redial.knows(name(7)), redial.knows(name(8))]).toEqual([true, false]);
    redial.found(name(8), [address]);
    expect(redial.knows(name(8)), 'a found one may be shut out').toBe(false);
    expect(redial.unreachable(), 'nobody asked for the found one').toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2 * foundMsMax);
    const before = dials.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(dials.length).toBeGreaterThan(before);
    expect(redial.wanted().map(({ id }) => id)).toEqual([name(7)]);
    await redial.stop();
  });

  test('is not dialled when enough peers are here; the twin with one fewer dials', async () => {
    vi.useFakeTimers();
    for (const [count, dialled] of [
      [wantedPeerCountMax, 0],
      [wantedPeerCountMax - 1, 1],
    ] as const) {
      const here = Array.from({ length: count }, (_, place) => name(place));
      const { redial, dials } = alone(() => here);
      redial.found(name(500), [address]);
      await vi.advanceTimersByTimeAsync(0);
      expect(dials).toHaveLength(dialled);
      await redial.stop();
    }
  });
});

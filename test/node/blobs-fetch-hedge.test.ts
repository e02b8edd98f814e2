// Goal: a peer that is silent, slow or lies costs a fetch little, and the next fetches nothing.
// Method: real libp2p hosts, of which one misbehaves; requests are counted, never time. The twin
// forgets between blobs and never hedges, as fetching without a memory would.
import { describe, expect, test } from 'vitest';
import { nativeSha256 } from '../../node/crypto.ts';
import { answerBlob, fetchBlob } from '../../node/network/blobs.ts';
import { type Crowd, crowdOf } from '../../node/network/crowd.ts';
import { NetworkError } from '../../node/network/error.ts';
import { type Standing, standing } from '../../node/network/standing.ts';
import type { NetworkHandlers } from '../../node/ports.ts';
import { type MemoryBlobs, openMemoryBlobs } from '../../node/storage/memory-blobs.ts';
import { sameBytes, utf8 } from '../../protocol/brand.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import { accept } from '../../protocol/errors.ts';
import { blobBlockBytes } from '../../protocol/params.ts';
import { eventually } from '../ports/network.ts';
import { type Ours, ours, soon } from './network-hosts.ts';

installSha256(nativeSha256);

type Answer = (body: Uint8Array) => Promise<Uint8Array>;
type Giver = { readonly host: Ours; readonly store: MemoryBlobs; asked: number };

const never: Answer = () => new Promise(() => undefined);

/** A taker, and givers that are connected to it; each answers from its store unless told else. */
async function crowd(...manners: (Answer | null)[]) {
  const quiet: NetworkHandlers = {
    judge: () => accept,
    heard: () => undefined,
    answer: async (_protocol, body) => body,
  };
  const taker = await ours('taker');
  await taker.start(quiet);
  const givers: Giver[] = [];
  for (const [place, manner] of manners.entries()) {
    const host = await ours(`giver ${place}`);
    const giver: Giver = { host, store: openMemoryBlobs({ quotaBytes: 1 << 26 }), asked: 0 };
    const answer: NetworkHandlers['answer'] = (_protocol, body) => {
      giver.asked += 1;
      return manner === null ? answerBlob(giver.store, body) : manner(body);
    };
    await host.start({ ...quiet, answer });
    await taker.dial(host.addresses()[0]!);
    givers.push(giver);
  }
  await eventually('all are here', () => taker.peers().length === manners.length);
  const store = openMemoryBlobs({ quotaBytes: 1 << 26 });
  const blamed: string[] = [];
  const peers = (): string[] => givers.map(({ host }) => host.self);
  /** Puts a new blob into every giver's store, and fetches it. */
  const take = async (seed: number, blocks: number): Promise<void> => {
    const bytes = new Uint8Array(blocks * blobBlockBytes - 9).fill(seed);
    for (let i = 0; i < bytes.length; i += 997) bytes[i] = (i * seed) & 255;
    const [cid] = await Promise.all(givers.map(({ store: one }) => one.put(bytes)));
    await fetchBlob({
      network: taker,
      store,
      cid: cid!,
      bytesMax: bytes.length,
      peers,
      signal: soon(),
      blame: (peer) => blamed.push(peer),
    });
    const held = await store.read(cid!);
    expect(held !== null && sameBytes(held, bytes)).toBe(true);
  };
  return { taker, givers, peers, take, blamed };
}

describe('fetching blobs', () => {
  test('asks a silent peer once, though its caller names it first, and then no more', async () => {
    const { givers, take } = await crowd(never, null, null);
    const [silent, ...good] = givers as [Giver, Giver, Giver];
    await take(1, 3);
    expect(silent.asked, 'the manifest').toBe(1);
    for (let seed = 2; seed <= 6; seed++) await take(seed, 3);
    // None, or where this machine halted and all were silent, a hedge.
    expect(silent.asked, 'at most one hedge a blob').toBeLessThanOrEqual(6);
    expect(good.every(({ asked }) => asked > 1)).toBe(true);
  });

  test('takes what a slow peer has when nobody else has it', async () => {
    const gates: (() => void)[] = [];
    const slow = await crowd(never, (body) => {
      const { store } = slow.givers[1]!;
      return new Promise((resolve) => gates.push(() => resolve(answerBlob(store, body))));
    });
    const timer = setInterval(() => gates.shift()?.(), 700);
    try {
      await slow.take(1, 1);
    } finally {
      clearInterval(timer);
    }
    expect(slow.givers.map(({ asked }) => asked)).toEqual([1, 1]);
  });

  test('blames a liar once, and asks it last from then on', async () => {
    const { givers, take, blamed } = await crowd(async () => utf8('no answer at all'), null);
    for (let seed = 1; seed <= 4; seed++) await take(seed, 2);
    expect(new Set(blamed)).toEqual(new Set([givers[0]!.host.self]));
    expect(givers[0]!.asked, 'not for each of the twelve pieces').toBeLessThanOrEqual(4);
  });

  test('prefers whom its caller names first, among peers that are equal', async () => {
    const { givers, take } = await crowd(null, null, null);
    for (let seed = 1; seed <= 6; seed++) await take(seed, 1);
    const [first = 0, second = 0, third = 0] = givers.map(({ asked }) => asked);
    expect(first).toBeGreaterThan(second + third);
  });
});

describe('a crowd with and without memory', () => {
  const forgetful: Standing = {
    ...standing(),
    fault: () => 0,
    gave: () => undefined,
    failed: () => undefined,
  };

  /** How often the silent peer is asked for six things, one crowd each. */
  async function askedInVain(known: Standing, hedgeMs: number): Promise<number> {
    const { taker, givers, peers } = await crowd(never, async (body) => body);
    const body = utf8('?');
    for (let i = 0; i < 6; i++) {
      const one: Crowd = crowdOf(peers, { blame: () => undefined, standing: known, hedgeMs });
      const work = async (peer: string, { signal }: { signal: AbortSignal }) => {
        const ms = peer === givers[0]!.host.self ? 60 : 20_000;
        const either = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
        return { got: await taker.request(peer, 'blob', body, either) };
      };
      expect(await one.seek(work, soon())).toEqual(body);
    }
    expect(givers[1]!.asked).toBe(6);
    return givers[0]!.asked;
  }

  test('the silent peer is asked once; the twin asks it for every thing', async () => {
    expect(await askedInVain(standing(), 20_000)).toBe(1);
    expect(await askedInVain(forgetful, Infinity)).toBe(6);
  });

  test('a hedge ends the request that it overtook, and counts against nobody who answered', async () => {
    const known = standing();
    const ended: string[] = [];
    const one = crowdOf(() => ['slow', 'quick'], {
      blame: () => undefined,
      standing: known,
      hedgeMs: 10,
    });
    const got = await one.seek(async (peer, { signal }) => {
      if (peer === 'quick') return { got: peer };
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      ended.push(peer);
      throw new NetworkError({ code: 'NETWORK_TIMEOUT', peer, doing: 'blob' });
    }, soon());
    await eventually('the other is ended', () => ended.length === 1);
    expect(got).toBe('quick');
    expect(one.reasons(), 'to be overtaken is no reason').toEqual([]);
    expect(known.fault('slow', performance.now())).toBeGreaterThan(0.9);
    expect(known.fault('quick', performance.now())).toBe(0);
  });

  test('who is heard of is not hedged, however long its answer is', async () => {
    const asked: string[] = [];
    const one = crowdOf(() => ['long', 'other'], {
      blame: () => undefined,
      standing: standing(),
      hedgeMs: 60,
    });
    await one.seek(async (peer, { alive }) => {
      asked.push(peer);
      for (let part = 0; part < 20; part++) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        alive();
      }
      return { got: peer };
    }, soon());
    expect(asked).toEqual(['long']);
  });
});

describe('standing', () => {
  test('forgives in time, is redeemed by gifts, and has a bound', () => {
    const known = standing();
    for (let i = 0; i < 50; i++) known.failed('bad', 4, 0);
    expect(known.fault('bad', 0), 'however often').toBe(8);
    expect(known.fault('bad', 60_000)).toBeCloseTo(4);
    expect(known.fault('bad', 600_000)).toBeLessThan(0.01);
    known.failed('weak', 1, 0);
    expect(known.isProven('weak')).toBe(false);
    known.gave('weak', 100, 0);
    expect(known.fault('weak', 0)).toBe(0.25);
    expect([known.isProven('weak'), known.usualMs('weak')]).toEqual([true, 100]);
    known.gave('weak', 200, 0);
    expect(known.usualMs('weak')).toBeCloseTo(130);
    for (let i = 0; i < 1_024; i++) known.failed(`peer ${i}`, 1, 1);
    expect([known.fault('bad', 1), known.isProven('weak')], 'the oldest are forgotten').toEqual([
      0,
      false,
    ]);
  });
});

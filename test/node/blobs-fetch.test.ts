// Goal: a blob arrives whole and right, from whoever has it, whatever liars and leavers do, and no
// block that was checked is asked for twice.
// Method: the network in memory, whose answers the test counts and spoils; once over libp2p.
import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { nativeSha256 } from '../../node/crypto.ts';
import {
  type BlobRequest,
  blobRequestCodec,
  encodeBlobAnswer,
} from '../../node/network/blob-codec.ts';
import { answerBlob, fetchBlob } from '../../node/network/blobs.ts';
import { createLibp2pNetwork } from '../../node/network/libp2p.ts';
import { createMemoryNetworks } from '../../node/network/memory.ts';
import { emptyPartial, partials, putBlock } from '../../node/network/partial.ts';
import type { Network, NetworkHandlers } from '../../node/ports.ts';
import { type MemoryBlobs, openMemoryBlobs } from '../../node/storage/memory-blobs.ts';
import { utf8 } from '../../protocol/brand.ts';
import { installSha256, sha256 } from '../../protocol/crypto/hash.ts';
import { accept } from '../../protocol/errors.ts';
import { listBlob, manifestCodec, rawCid } from '../../protocol/merkle/blob.ts';
import { cidOf, manifestBlockCodec } from '../../protocol/merkle/cid.ts';
import { blobBlockBytes, blobBytesMax } from '../../protocol/params.ts';
import { eventually } from '../ports/network.ts';
import { reachEveryLine } from '../support/lines.ts';

installSha256(nativeSha256);

const elsewhere = 'test/node/network*.test.ts; W26 blobs-fetch-answers, W36 blobs-fetch-hedge';
const own = [27, 28, 29, 30, 31, 32, 33, 34, 37];
const others = Array.from({ length: 42 }, (_, i) => i + 1).filter((line) => !own.includes(line));
reachEveryLine('network', Object.fromEntries(others.map((line) => [`W${line}`, elsewhere])));

/** What a giver does with a request: its answer, or nothing to let the store answer. */
type Spoil = (request: BlobRequest, body: Uint8Array) => Promise<Uint8Array> | Uint8Array | null;

/** Bytes of which no two blocks look alike. */
function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + seed * 17 + (i >> 8)) & 255;
  return bytes;
}

/** Whether a store has exactly these bytes. */
async function holds(store: MemoryBlobs, cid: Uint8Array, bytes: Uint8Array): Promise<boolean> {
  const held = await store.read(cid);
  return held !== null && Buffer.compare(held, bytes) === 0;
}

type Giver = {
  readonly network: Network;
  readonly store: MemoryBlobs;
  readonly asked: BlobRequest[];
  readonly stop: () => Promise<void>;
};

function world() {
  const hub = createMemoryNetworks();
  const deaf = { judge: () => accept, heard: () => undefined };
  const quotaBytes = 1 << 28;
  const giver = async (name: string, spoil: Spoil = () => null): Promise<Giver> => {
    const network = hub.create(name);
    const store = openMemoryBlobs({ quotaBytes });
    const asked: BlobRequest[] = [];
    const answer: NetworkHandlers['answer'] = async (_protocol, body) => {
      const request = blobRequestCodec.decode(body);
      asked.push(request);
      return (await spoil(request, body)) ?? answerBlob(store, body);
    };
    await network.start({ ...deaf, answer });
    return { network, store, asked, stop: network.stop };
  };
  const taker = async (name = 'taker') => {
    const network = hub.create(name);
    await network.start({ ...deaf, answer: async (_protocol, body) => body });
    const store = openMemoryBlobs({ quotaBytes });
    const blamed: string[] = [];
    const take = (
      cid: Uint8Array,
      options: { bytesMax?: number; ms?: number; signal?: AbortSignal } = {},
    ) =>
      fetchBlob({
        network,
        store,
        cid,
        bytesMax: options.bytesMax ?? 1 << 26,
        peers: network.peers,
        signal: options.signal ?? AbortSignal.timeout(options.ms ?? 15_000),
        blame: (peer) => blamed.push(peer),
      });
    return { network, store, blamed, take };
  };
  return { giver, taker };
}

const blocksOf = (asked: readonly BlobRequest[]): number[] =>
  asked.flatMap((one) => (one.kind === 'block' ? [one.index] : []));

describe('fetching', () => {
  test('brings blobs of any size, and lists, and asks nobody for what is here', async () => {
    const { giver, taker } = world();
    const [a, b, t] = [await giver('a'), await giver('b'), await taker()];
    for (const size of [0, 1, blobBlockBytes, blobBlockBytes + 1, 5 * blobBlockBytes - 1]) {
      const bytes = pattern(size);
      const cid = await a.store.put(bytes);
      await b.store.put(bytes);
      await t.take(cid);
      expect(await holds(t.store, cid, bytes)).toBe(true);
    }
    const entries = Array.from({ length: 20_000 }, (_, i) => rawCid(sha256(utf8(`${i}`))));
    const list = await b.store.putList(entries);
    await t.take(list);
    expect(await holds(t.store, list, listBlob(entries).bytes)).toBe(true);
    const before = a.asked.length + b.asked.length;
    await t.take(list);
    expect(a.asked.length + b.asked.length).toBe(before);
    expect(t.blamed).toEqual([]);
  });

  test('shares the work among those who have it', async () => {
    const { giver, taker } = world();
    const slow: Spoil = () => new Promise((resolve) => setTimeout(() => resolve(null as never), 2));
    const givers = await Promise.all(['a', 'b', 'c'].map((name) => giver(name, slow)));
    const t = await taker();
    const bytes = pattern(16 * blobBlockBytes);
    const cids = await Promise.all(givers.map(({ store }) => store.put(bytes)));
    await t.take(cids[0]!);
    const all = givers.flatMap(({ asked }) => blocksOf(asked));
    expect(
      all.sort((x, y) => x - y),
      'each once',
    ).toEqual(Array.from({ length: 16 }, (_, i) => i));
    for (const { asked } of givers) expect(blocksOf(asked).length).toBeGreaterThan(1);
  });

  test('drops a liar, tells of it once, and finishes with the honest', async () => {
    const { giver, taker } = world();
    const bytes = pattern(4 * blobBlockBytes + 5);
    const lie = encodeBlobAnswer({ kind: 'piece', bytes: pattern(blobBlockBytes, 3) });
    const liars: Spoil[] = [
      ({ kind }) => (kind === 'block' ? lie : null),
      ({ kind }) => (kind === 'manifest' ? lie : null),
      () => utf8('not even an answer'),
      () => encodeBlobAnswer({ kind: 'listPiece', size: 1, bytes: utf8('?') }),
    ];
    for (const [i, spoil] of liars.entries()) {
      const liar = await giver(`liar ${i}`, spoil);
      const honest = await giver(`honest ${i}`);
      await liar.store.put(bytes);
      const cid = await honest.store.put(bytes);
      const t = await taker(`taker ${i}`);
      const asked = () => [liar.network.self, honest.network.self];
      await fetchBlob({
        network: t.network,
        store: t.store,
        cid,
        bytesMax: bytes.length,
        peers: asked,
        signal: AbortSignal.timeout(15_000),
        blame: (peer) => t.blamed.push(peer),
      });
      expect(await holds(t.store, cid, bytes)).toBe(true);
      expect(t.blamed).toEqual([liar.network.self]);
    }
  });

  test('drops who lies about a list, and takes it from another', async () => {
    const { giver, taker } = world();
    const entries = Array.from({ length: 12_000 }, (_, i) => utf8(`entry ${i} of a long list`));
    const { cid, bytes } = listBlob(entries);
    const wrong = bytes.slice();
    wrong[bytes.length - 1]! ^= 1;
    const pieceOf = (all: Uint8Array, size: number): Spoil => {
      return (request) => {
        const at = (request.kind === 'list' ? request.index : 0) * blobBlockBytes;
        const piece = all.subarray(at, at + blobBlockBytes);
        return encodeBlobAnswer({ kind: 'listPiece', size, bytes: piece });
      };
    };
    await giver('a', pieceOf(wrong, wrong.length));
    await giver('b', pieceOf(bytes, bytes.length + 1));
    const honest = await giver('c');
    await honest.store.putList(entries);
    const t = await taker();
    await t.take(cid);
    expect(await holds(t.store, cid, bytes)).toBe(true);
    expect(t.blamed.every((peer) => peer !== 'c')).toBe(true);
    await expect(t.take(await honest.store.putList([pattern(1_000)]), { bytesMax: 900, ms: 300 }))
      .rejects //
      .toMatchObject({ code: 'NETWORK_BLOB_UNAVAILABLE' });
  });

  test('goes on when a giver vanishes, and asks for no checked block again', async () => {
    const { giver, taker } = world();
    const bytes = pattern(16 * blobBlockBytes);
    const vanishing = await giver('vanishing', async () => {
      if (vanishing.asked.length > 10) await vanishing.stop();
      return null as never;
    });
    const cid = await vanishing.store.put(bytes);
    const t = await taker();
    let end: unknown = null;
    const first = t.take(cid, { ms: 60_000 }).catch((error) => {
      end = error;
    });
    await eventually('it is gone', () => t.network.peers().length === 0);
    const got = blocksOf(vanishing.asked).length;
    expect(end).toBeNull();
    const other = await giver('other');
    await other.store.put(bytes);
    await first;
    expect(end).toBeNull();
    expect(await holds(t.store, cid, bytes)).toBe(true);
    expect(blocksOf(other.asked).length, 'only what was missing').toBeLessThan(16);
    expect(blocksOf(other.asked).length + got).toBeGreaterThanOrEqual(16);
  });

  test('resumes after its caller gave up', async () => {
    const { giver, taker } = world();
    const bytes = pattern(16 * blobBlockBytes);
    let open = true;
    const a = await giver('a', ({ kind }) => {
      const hangs = kind === 'block' && !open;
      if (blocksOf(a.asked).length === 9) open = false;
      return hangs ? new Promise(() => undefined) : null;
    });
    const cid = await a.store.put(bytes);
    const t = await taker();
    const giveUp = new AbortController();
    const first = t.take(cid, { signal: giveUp.signal });
    await eventually('it hangs', () => a.asked.length >= 12);
    giveUp.abort();
    await expect(first).rejects.toMatchObject({ code: 'NETWORK_BLOB_UNAVAILABLE' });
    open = true;
    const before = a.asked.length;
    await t.take(cid);
    expect(await holds(t.store, cid, bytes)).toBe(true);
    const again = a.asked.slice(before);
    expect(
      again.some(({ kind }) => kind === 'manifest'),
      'nor the manifest',
    ).toBe(false);
    expect(again.length).toBeLessThan(16);
  });

  test('of one blob by many is one fetch, which ends early only when all gave up', async () => {
    const { giver, taker } = world();
    const bytes = pattern(6 * blobBlockBytes);
    const release: (() => void)[] = [];
    const a = await giver('a', () => new Promise((resolve) => release.push(() => resolve(null!))));
    const cid = await a.store.put(bytes);
    const t = await taker();
    const impatient = new AbortController();
    const left = t.take(cid, { signal: impatient.signal }).catch((error) => error.code);
    const small = t.take(cid, { bytesMax: 1_000 }).catch((error) => error.detail);
    const all = Promise.all(Array.from({ length: 5 }, () => t.take(cid)));
    await eventually('the manifest is asked for', () => release.length === 1);
    impatient.abort();
    expect(await left).toBe('NETWORK_BLOB_UNAVAILABLE');
    const timer = setInterval(() => {
      for (const go of release.splice(0)) go();
    }, 1);
    await all;
    clearInterval(timer);
    expect(await small).toMatchObject({ code: 'NETWORK_BLOB_TOO_LONG', bytes: bytes.length });
    expect(a.asked.length, 'one manifest, six blocks').toBe(7);
    expect(await holds(t.store, cid, bytes)).toBe(true);
  });

  test('waits for somebody who has it, and at the end says who has not', async () => {
    const { giver, taker } = world();
    const bytes = pattern(3 * blobBlockBytes);
    const [a, t] = [await giver('a'), await taker()];
    const cid = await openMemoryBlobs({ quotaBytes: 1 << 26 }).put(bytes);
    const error = await t.take(cid, { ms: 250 }).catch((thrown) => thrown);
    expect(error.detail).toMatchObject({
      code: 'NETWORK_BLOB_UNAVAILABLE',
      reasons: ['a has not got it'],
    });
    const later = t.take(cid);
    await a.store.put(bytes);
    await later;
    expect(await holds(t.store, cid, bytes)).toBe(true);
  });

  test('refuses what is too long unfetched, and what cannot be put together', async () => {
    const { giver, taker } = world();
    const t = await taker();
    const long = pattern(4 * blobBlockBytes);
    const blocks = [0, 1].map((i) => pattern(blobBlockBytes, i));
    const short = pattern(10, 4);
    const cids = [blocks[0]!, short, blocks[1]!].map((block) => rawCid(sha256(block)));
    const crooked = manifestCodec.encode({
      version: 1,
      size: 2 * blobBlockBytes + 7,
      blocks: cids,
    });
    const crookedCid = cidOf(manifestBlockCodec, sha256(crooked));
    const a = await giver('a', (request) => {
      if (request.cid[4] !== crookedCid[4]) return null;
      const bytes =
        request.kind === 'block' ? [blocks[0]!, short, blocks[1]!][request.index]! : crooked;
      return encodeBlobAnswer({ kind: 'piece', bytes });
    });
    const cid = await a.store.put(long);
    await expect(t.take(cid, { bytesMax: long.length - 1 })).rejects.toMatchObject({
      detail: { code: 'NETWORK_BLOB_TOO_LONG', bytes: long.length, bytesMax: long.length - 1 },
    });
    expect(blocksOf(a.asked)).toEqual([]);
    await expect(t.take(crookedCid)).rejects.toMatchObject({ code: 'NETWORK_BLOB_MALFORMED' });
    expect(t.blamed, 'it is not the giver who made it').toEqual([]);
    expect(t.store.bytes()).toBe(0);
  });
});

test('what is left half done is kept within a bound, the oldest forgotten first', () => {
  const kept = partials();
  const size = 20 * 1024 * 1024;
  const half = (count: number) => {
    const blocks = Array.from({ length: size / blobBlockBytes }, () => rawCid(new Uint8Array(32)));
    const partial = emptyPartial({ version: 1, size, blocks });
    for (let i = 0; i < count; i++) putBlock(partial, i, new Uint8Array(blobBlockBytes));
    return partial;
  };
  for (const name of ['a', 'b', 'c', 'd']) kept.keep(name, half(1));
  kept.keep('nothing yet', half(0));
  expect(kept.take('a')).toBeNull();
  expect(kept.take('nothing yet')).toBeNull();
  expect(kept.take('d')?.have.filter(Boolean)).toHaveLength(1);
  expect(kept.take('d'), 'taken once').toBeNull();
  expect(size).toBeLessThan(blobBytesMax);
});

test('the same over libp2p: four megabytes from two givers', async () => {
  const network = sha256(utf8('blobs over libp2p'));
  const bytes = pattern(4 * 1024 * 1024 + 1);
  const stores = [0, 1, 2].map(() => openMemoryBlobs({ quotaBytes: 1 << 26 }));
  const hosts = await Promise.all(
    stores.map((_, i) =>
      createLibp2pNetwork({
        network,
        privateKeySeed: new Uint8Array(hash('sha256', `${i}`, 'buffer')),
      }),
    ),
  );
  try {
    for (const [i, host] of hosts.entries())
      await host.start({
        judge: () => accept,
        heard: () => undefined,
        answer: (_protocol, body) => answerBlob(stores[i]!, body),
      });
    const [taker, ...givers] = hosts as [(typeof hosts)[0], ...typeof hosts];
    for (const giver of givers) await taker.dial(giver.addresses()[0]!);
    await eventually('both are there', () => taker.peers().length === 2);
    const cid = await stores[1]!.put(bytes);
    await stores[2]!.put(bytes);
    await fetchBlob({
      network: taker,
      store: stores[0]!,
      cid,
      bytesMax: bytes.length,
      peers: taker.peers,
      signal: AbortSignal.timeout(20_000),
    });
    expect(await holds(stores[0]!, cid, bytes)).toBe(true);
  } finally {
    await Promise.all(hosts.map((host) => host.stop()));
  }
});

// Goal: a node says what is final, whether it keeps up, and what its state holds, never otherwise.
// Method: real replicas' states, bent one fact at a time; every key of a real state is read back.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  blockSchema,
  type Finding,
  healthSchema,
  stateEntrySchema,
  statusSchema,
} from '../../node/api/contract.ts';
import { nativeSha256 } from '../../node/crypto.ts';
import type { AnwansiNode } from '../../node/face.ts';
import { findingsOf } from '../../node/operator/findings.ts';
import { StorageError } from '../../node/storage/error.ts';
import { blockView, headerView, stateEntry, stateKeyOf } from '../../node/views/chain.ts';
import { nextLeader, seatsText } from '../../node/views/quorum.ts';
import { reasonOf } from '../../node/views/reason.ts';
import { healthOf, healthStatus, statusOf } from '../../node/views/status.ts';
import { hex, utf8 } from '../../protocol/brand.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import { stateKeys } from '../../protocol/ledger/state.ts';
import { mapEntries } from '../../protocol/merkle/map.ts';
import type { ReplicaState } from '../../protocol/replica/state.ts';
import { runOf } from '../support/duty-oracle.ts';
import { busy } from '../support/ledger-steps.ts';
import { type NodeWish, viewNode } from '../support/view-node.ts';

installSha256(nativeSha256);

const { world, draft } = busy();
const run = runOf(world);
const { rules, tip } = world;
const chainMs = tip.header.timeMs;

const outside = {
  software: 'anwansi 0.1.0',
  peers: 3,
  addresses: ['/ip4/127.0.0.1/tcp/26920/p2p/12D3'],
};

/** A status of a node of 4 seats, some time after its last final block. */
function see(wish: Partial<NodeWish> = {}, afterMs = 1_000) {
  const node = viewNode({ rules, chain: tip, ...wish });
  return statusOf(node, outside, chainMs + afterMs);
}

const certified = (view: number) => (state: ReplicaState) => {
  state.certified = { id: hex(tip.hash), certificate: { ...world.certificate(1), view } };
};
const finalView = tip.header.view;

const inView = (view: number) => (state: ReplicaState) => {
  state.engine = { ...state.engine, view };
};

/** A quorum vouches for blocks that are asked for. */
const asking = ({ wanted }: ReplicaState): void => {
  const request = { kind: 'final', from: 9 } as const;
  const rest = { view: 9, about: null, prefer: null, out: null, at: 0 };
  wanted.set('final', { request, certified: true, ...rest });
};

describe('status', () => {
  test('says what is final, who is heard, and fits the contract', () => {
    const status = see({ seat: 2, heard: [0, 2, 3] });
    expect(statusSchema.parse(status)).toEqual(status);
    expect(status).toMatchObject({
      ...{ sync: 'synced', reason: null, seat: 2, seats: 4, quorum: 3, peers: 3, openJobs: 1 },
      final: { height: tip.header.height, hash: hex(tip.hash), timeMs: chainMs },
      heard: [0, 2, 3],
    });
  });

  const long = 3_600_000;
  test.each<readonly [string, Partial<NodeWish>, number, string, string | null]>([
    ['a quorum is heard', { heard: [0, 1, 2] }, 1_000, 'synced', null],
    ['too few are heard, and blocks come', { heard: [0] }, 15_000, 'synced', null],
    ['too few are heard for long', { heard: [0, 1] }, 20_001, 'stalled', 'NETWORK_NO_QUORUM'],
    ['too few are heard, just not long', { heard: [0, 1] }, 20_000, 'synced', null],
    [
      'it has just started',
      { heard: [0], startedAt: chainMs + long - 1 },
      long,
      'syncing',
      'NODE_STARTING',
    ],
    ['chain time catches up', {}, long, 'synced', null],
    [
      'a certified block is on its way',
      { change: certified(finalView + 2) },
      1_000,
      'synced',
      null,
    ],
    [
      'a certified block is far ahead',
      { change: certified(finalView + 3) },
      1_000,
      'syncing',
      'NODE_BEHIND',
    ],
    [
      'a certified block is missing for long',
      { change: certified(finalView + 1) },
      long,
      'syncing',
      'NODE_BEHIND',
    ],
    [
      'a certified block is below the final one',
      { change: certified(finalView) },
      long,
      'synced',
      null,
    ],
    [
      'leaders bring nothing',
      { change: inView(finalView + 5) },
      long,
      'stalled',
      'NODE_NO_PROGRESS',
    ],
    ['some views lapse', { change: inView(finalView + 4) }, long, 'synced', null],
    ['blocks are asked for', { change: asking }, long, 'syncing', 'NODE_BEHIND'],
    ['blocks are asked for, and the last is new', { change: asking }, 1_000, 'synced', null],
  ])('%s', (_name, wish, afterMs, sync, code) => {
    const status = see({ startedAt: 0, ...wish }, afterMs);
    expect([status.sync, status.reason?.code ?? null]).toEqual([sync, code]);
    expect(statusSchema.safeParse(status).success).toBe(true);
    if (status.reason !== null) expect(status.reason.remedy).not.toBe('');
  });

  test('a code that nobody explains is a bug', () => {
    expect(() => reasonOf('NODE_SLEEPS')).toThrow();
  });
});

describe('health', () => {
  const finding = (state: Finding['state']): Finding => ({
    ...{ name: 'disk', state, cause: 'c', consequence: 'q', remedy: 'r' },
  });
  const synced = see();
  const syncing = see({ change: certified(finalView + 9) });
  const stalled = see({ heard: [0], startedAt: 0 }, 60_000);

  test.each([
    ['synced', synced, [], 'ready', 200],
    ['a warning', synced, [finding('warning'), finding('ok')], 'ready', 200],
    ['a failure', synced, [finding('failed')], 'unready', 503],
    ['syncing', syncing, [], 'syncing', 206],
    ['syncing with a failure', syncing, [finding('failed')], 'unready', 503],
    ['stalled', stalled, [], 'unready', 503],
  ] as const)('%s', (_name, status, findings, state, code) => {
    const health = healthOf(status, findings);
    expect(healthSchema.parse(health)).toEqual(health);
    expect([health.state, healthStatus(health)]).toEqual([state, code]);
    expect(health.findings.slice(0, -1)).toEqual(findings);
    expect(health.findings.at(-1)).toMatchObject({ name: 'sync' });
  });

  test('a node that could not go on is unready, whatever it last saw', async () => {
    const reason = new StorageError({ code: 'BLOB_NO_SPACE', directory: 'x', bytes: 1 });
    const node = viewNode({ rules, chain: tip, failure: { reason } });
    const status = statusOf(node, outside, chainMs + 1_000);
    expect(statusSchema.parse(status)).toMatchObject({
      sync: 'stalled',
      reason: { code: 'NODE_STOPPED' },
    });
    const look = (one: AnwansiNode) => findingsOf({ node: one, peers: () => [], directory: '/' });
    const found = await look(node);
    expect(found[0]).toMatchObject({ name: 'node', state: 'failed' });
    expect(found[0]!.cause).toContain('BLOB_NO_SPACE');
    const health = healthOf(status, found);
    expect(healthSchema.parse(health)).toEqual(health);
    expect(healthStatus(health)).toBe(503);
    expect(health.findings.at(-1)!.consequence).toContain('keeps and announces nothing more');
    const well = await look(viewNode({ rules, chain: tip }));
    expect(well.map(({ name }) => name)).toEqual(found.slice(1).map(({ name }) => name));
    expect(healthStatus(healthOf(synced, []))).toBe(200);
  });
});

describe('blocks', () => {
  test('a view of a block names what it orders, and who signed', () => {
    const block = { header: draft.header, signature: new Uint8Array(64), items: draft.items };
    const view = blockView({ block, certificate: world.certificate(tip.header.height) });
    expect(blockSchema.parse(view)).toEqual(view);
    expect(view.header).toEqual(headerView(draft.header));
    expect(view.header.hash).toBe(hex(draft.chain.hash));
    expect(view.signers).toEqual([0, 1, 2]);
    expect(new Set(view.items.map(({ kind }) => kind))).toEqual(new Set(['commit', 'job']));
    for (const [place, { kind, job, seat, lane, bytes }] of view.items.entries()) {
      expect(bytes).toBe(draft.items[place]!.length);
      expect(job).toMatch(/^[0-9a-f]{64}$/);
      expect(seat === null).toBe(kind === 'job');
      expect(lane === null).toBe(kind === 'job');
    }
    expect(blockView({ block, certificate: null }).signers).toBeNull();
    const odd = blockView({ block: { ...block, items: [utf8('nonsense')] }, certificate: null });
    expect(odd.items).toEqual([{ kind: 'unknown', job: null, seat: null, lane: null, bytes: 8 }]);
  });

  test('every final block fits the contract', () => {
    for (const block of run.blocks)
      expect(blockSchema.safeParse(blockView({ block, certificate: null })).success).toBe(true);
  });
});

/** Writes a key of the state as people do. */
function readable(key: Uint8Array): string {
  const text = new TextDecoder('latin1').decode(key);
  const slash = text.indexOf('/');
  if (slash < 0) return text;
  const [tag, name] = [text.slice(0, slash), key.subarray(slash + 1)];
  const big = (at: number): bigint =>
    new DataView(name.buffer, name.byteOffset + at, 8).getBigUint64(0);
  const front = hex(name.subarray(0, 32));
  if (tag === 'job' || tag === 'account') return `${tag}/${front}`;
  if (tag === 'lane' || tag === 'nonce') return `${tag}/${front}/${big(32)}`;
  return tag === 'expiry' ? `${tag}/${big(0)}/${big(8)}` : `${tag}/${big(0)}`;
}

describe('keys of the state', () => {
  const node = viewNode({ rules, chain: tip });

  test('law: every key of a state is read by its name and by its bytes', () => {
    const tags = new Set<string>();
    for (const chain of [...run.chains, draft.chain])
      for (const { key, value } of mapEntries(chain.map)) {
        const name = readable(key);
        tags.add(name.split('/')[0]!);
        expect(hex(stateKeyOf(name)!), name).toBe(hex(key));
        expect(hex(stateKeyOf(hex(key))!)).toBe(hex(key));
        const entry = stateEntry(viewNode({ rules, chain }), key);
        expect(stateEntrySchema.parse(entry)).toEqual(entry);
        expect(entry).toEqual({
          ...{ key: hex(key), value: hex(value), height: chain.header.height },
          stateRoot: hex(chain.header.stateRoot),
        });
      }
    expect([...tags].sort()).toEqual(Object.keys(stateKeys).sort());
  });

  test('what is not there is told as absent', () => {
    expect(stateEntry(node, stateKeyOf('seat/4')!).value).toBeNull();
    expect(stateEntry(node, stateKeyOf('seat/3')!).value).not.toBeNull();
  });

  test('law: any text gives a key or null, and a key has at most 128 bytes', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[0-9a-f]{0,300}$/),
      fc.stringMatching(/^(job|seat|lane|nonce|expiry|recent|open)(\/[0-9a-f]{0,70}){0,3}$/),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const key = stateKeyOf(text);
        if (key !== null) expect(key.length).toBeLessThanOrEqual(128);
      }),
    );
  });

  const id = 'ab'.repeat(32);
  test.each([
    ...['', 'a', 'zz', 'AB', 'ab'.repeat(129), 'constructor', 'toString/1', 'open/', 'open/1'],
    ...[
      'job',
      'job/',
      `job/${id}/`,
      `job/${id.slice(2)}`,
      `job/${id}ab`,
      `job/${id.toUpperCase()}`,
    ],
    ...[
      'seat/-1',
      'seat/01',
      'seat/4096',
      'seat/1.0',
      'seat/1e3',
      'seat/ 1',
      'seat/0x1',
      'seat//1',
    ],
    ...[`lane/${id}`, `lane/${id}/x`, `lane/${id}/4097`, `nonce/${id}/${2n ** 64n}`, 'recent/1/2'],
    ...['expiry/1', `recent/${2 ** 49}`, 'state/1', ' open'],
  ])('%j is none', (text) => {
    expect(stateKeyOf(text)).toBeNull();
  });

  test.each([
    ['open', stateKeys.open()],
    [
      `nonce/${id}/${2n ** 64n - 1n}`,
      stateKeys.nonce(new Uint8Array(32).fill(0xab), 2n ** 64n - 1n),
    ],
    ['seat/4095', stateKeys.seat(4095)],
    ['6f70656e', stateKeys.open()],
  ])('%s is one', (text, key) => {
    expect(hex(stateKeyOf(text)!)).toBe(hex(key));
  });
});

test('the next leader is the one of whom a block is taken', () => {
  for (const [place, { header }] of run.blocks.entries()) {
    const node = viewNode({ rules, chain: run.chains[place]! });
    expect(nextLeader(node)).toEqual({ seat: header.proposer, view: header.view });
  }
});

test('long lists of seats are cut, and say so', () => {
  expect(seatsText([3])).toBe('seat 3');
  expect(seatsText([1, 2])).toBe('seats 1, 2');
  const many = Array.from({ length: 25 }, (_, seat) => seat);
  expect(seatsText(many)).toMatch(/^seats 0, .*, 23 and 1 more$/);
});

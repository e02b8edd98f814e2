// Goal: a genesis and its blocks give every host the same state, and a wrong byte is refused by name.
// Method: chains as leaders draft them; each field, and bytes by chance, changed by one.
import { describe, expect, test } from 'vitest';
import { fees } from '../../contracts-sim/fees.ts';
import { nativeSha256 } from '../../node/crypto.ts';
import { hex, unhex } from '../../protocol/brand.ts';
import { tryDecode } from '../../protocol/codec/codec.ts';
import { hash, installSha256 } from '../../protocol/crypto/hash.ts';
import { blockItemCodec, itemsRoot } from '../../protocol/ledger/block.ts';
import { genesisChain, ledgerRules } from '../../protocol/ledger/chain.ts';
import {
  devParameters,
  type Genesis,
  genesisCodec,
  networkId,
  seatSetHash,
} from '../../protocol/ledger/genesis.ts';
import {
  type Header,
  headerCodec,
  headerHash,
  proposalMessage,
} from '../../protocol/ledger/header.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { applyBlock, draftBlock } from '../../protocol/ledger/transition.ts';
import { listRoot } from '../../protocol/merkle/list.ts';
import { mapRoot, mapSize } from '../../protocol/merkle/map.ts';
import { blockBytesMax, blockItemCountMax } from '../../protocol/params.ts';
import { busy, sealAt } from '../support/ledger-steps.ts';
import { fakeWorld, smallProgram } from '../support/ledger-world.ts';
import { linesElsewhere } from '../support/line-shares.ts';
import { reachEveryLine } from '../support/lines.ts';

installSha256(nativeSha256);
reachEveryLine('ledger', linesElsewhere('ledger', [[1, 18]]));

describe('a genesis', () => {
  const { genesis } = fakeWorld(4, 1);

  test('names its network by every field', () => {
    const first = genesis.seats[0]!;
    const changes: readonly Partial<Genesis>[] = [
      { version: 2 },
      { nonce: hash('dev', 'another') },
      { timeMs: genesis.timeMs + 1 },
      ...Object.entries(devParameters).map(([name, value]) => ({
        parameters: { ...devParameters, [name]: value + 1 },
      })),
      { seats: [...genesis.seats].reverse() },
      { seats: genesis.seats.map((seat) => ({ ...seat, possession: first.possession })) },
      { accounts: [] },
      { contracts: 'none' },
    ];
    const ids = [{}, ...changes].map((change) => hex(networkId({ ...genesis, ...change })));
    expect(new Set(ids).size).toBe(ids.length);
    expect(seatSetHash(0, genesis.seats)).not.toEqual(seatSetHash(1, genesis.seats));
    expect(seatSetHash(0, genesis.seats)).not.toEqual(seatSetHash(0, genesis.seats.toReversed()));
  });

  test('makes header 0 and a state of seats and accounts', () => {
    const key = hash('dev', 'account');
    const twice = [
      { key, tokens: 3n },
      { key: hash('dev', 'poor'), tokens: 0n },
      { key, tokens: 4n },
    ];
    const rules = ledgerRules({ ...genesis, accounts: twice }, fakeWorld(4, 1).keys.suite, fees);
    const { header, map, history, hash: id } = genesisChain(rules);
    expect(header).toMatchObject({
      ...{ epoch: 0, view: 0, height: 0, proposer: 0, timeMs: genesis.timeMs },
      ...{ network: rules.network, parent: new Uint8Array(32), vrfProof: new Uint8Array(80) },
      ...{ beacon: hash('beacon', rules.network), itemsRoot: listRoot([]) },
      ...{ historyRoot: listRoot([]), seatSetHash: rules.seatSet, stateRoot: mapRoot(map) },
    });
    expect(rules.leaderSeed).toEqual(header.beacon);
    expect(id).toEqual(headerHash(header));
    expect(history.size).toBe(0);
    const cursor = new StateCursor(map);
    expect(cursor.tokens(key)).toBe(7n);
    expect(genesis.seats.map((_, index) => cursor.seat(index))).toEqual(genesis.seats);
    expect(mapSize(map)).toBe(5);
  });

  test('has no more tokens than one account can hold', () => {
    const most = (tokens: readonly bigint[]): Genesis => ({
      ...genesis,
      accounts: tokens.map((held, at) => ({ key: hash('dev', at), tokens: held })),
    });
    const rich = most([2n ** 63n, 2n ** 63n - 1n]);
    expect(genesisCodec.decode(genesisCodec.encode(rich))).toEqual(rich);
    expect(() => genesisCodec.encode(most([2n ** 63n, 2n ** 63n]))).toThrow('tokens in all');
    expect(() => genesisCodec.encode(most([2n ** 64n]))).toThrow('is not in');
    // The same bytes with one token more.
    const bytes = genesisCodec.encode(most([2n ** 63n, 2n ** 63n - 1n]));
    const text = hex(bytes).replace('1b7fffffffffffffff', '1b8000000000000000');
    expect(text).not.toBe(hex(bytes));
    expect(tryDecode(genesisCodec, unhex(text)!)).toBeNull();
  });
});

describe('applying a block', () => {
  test('gives the chain that its leader drafted', () => {
    const { world, parent, draft } = busy();
    expect(draft.items.length).toBeGreaterThan(3);
    const applied = applyBlock(parent, draft.header, draft.items, world.rules);
    expect(applied).toEqual({ ok: true, chain: draft.chain });
    const ids = [...world.chains.map(({ hash: id }) => id)];
    expect(draft.header.historyRoot).toEqual(listRoot(ids));
    expect(draft.header.itemsRoot).toEqual(listRoot([...draft.items]));
  });

  test('refuses each wrong field of a header by name', () => {
    const { world, parent, draft } = busy();
    const { header, items } = draft;
    const other = hash('dev', 'another');
    const { timeMs } = parent.header;
    const wrong: readonly (readonly [Partial<Header>, string])[] = [
      [{ network: other }, 'BLOCK_NOT_A_CHILD'],
      [{ epoch: 1 }, 'BLOCK_NOT_A_CHILD'],
      [{ height: header.height + 1 }, 'BLOCK_NOT_A_CHILD'],
      [{ height: header.height - 1 }, 'BLOCK_NOT_A_CHILD'],
      [{ view: parent.header.view }, 'BLOCK_NOT_A_CHILD'],
      [{ parent: other }, 'BLOCK_NOT_A_CHILD'],
      [{ seatSetHash: other }, 'BLOCK_NOT_A_CHILD'],
      [{ historyRoot: parent.header.historyRoot }, 'BLOCK_NOT_A_CHILD'],
      [{ timeMs: timeMs + 249 }, 'BLOCK_TIME'],
      [{ timeMs: timeMs + 4_001 }, 'BLOCK_TIME'],
      [{ proposer: (header.proposer + 1) % 4 }, 'BLOCK_PROPOSER'],
      [{ proposer: 4_095 }, 'BLOCK_PROPOSER'],
      [{ vrfProof: new Uint8Array(80) }, 'BLOCK_VRF'],
      [{ beacon: other }, 'BLOCK_BEACON'],
      [{ itemsRoot: other }, 'BLOCK_ITEMS_ROOT'],
      [{ stateRoot: other }, 'BLOCK_STATE_ROOT'],
      [{ stateRoot: parent.header.stateRoot }, 'BLOCK_STATE_ROOT'],
    ];
    for (const [change, code] of wrong)
      expect(applyBlock(parent, { ...header, ...change }, items, world.rules)).toEqual({
        ok: false,
        code,
      });
    // Where a quorum vouches for the block, its beacon is taken for granted, and nothing else is.
    for (const [change, code] of wrong) {
      const applied = applyBlock(parent, { ...header, ...change }, items, world.rules, true);
      if (code === 'BLOCK_VRF') expect(applied.ok).toBe(true);
      else if (code !== 'BLOCK_BEACON') expect(applied).toEqual({ ok: false, code });
    }
  });

  test('takes the shortest and the longest step of time, and any later view by its leader', () => {
    const { world, parent } = busy();
    for (const [stepMs, skip] of [
      [250, 0],
      [4_000, 0],
      [1_000, 1],
      [1_000, 900],
    ] as const) {
      const draft = draftBlock(parent, sealAt(world, parent, stepMs, skip), [], world.rules);
      expect(applyBlock(parent, draft.header, draft.items, world.rules).ok).toBe(true);
    }
  });

  test('refuses a header with any one wrong byte, but for a time that fits as well', () => {
    const { world, parent, draft } = busy();
    const bytes = headerCodec.encode(draft.header);
    for (let at = 0; at < bytes.length; at++)
      for (let bit = 0; bit < 8; bit += 1 + (at % 3)) {
        const bent = bytes.with(at, bytes[at]! ^ (1 << bit));
        const header = tryDecode(headerCodec, bent);
        if (header === null) continue;
        if (!applyBlock(parent, header, draft.items, world.rules).ok) continue;
        // The time is the leader's to choose: another block, which its signature does not cover.
        expect({ ...header, timeMs: draft.header.timeMs }, `byte ${at}`).toEqual(draft.header);
        expect(header.timeMs).not.toBe(draft.header.timeMs);
        const { proposer } = header;
        const signature = world.keys.seat(proposer).sign(proposalMessage(draft.header));
        const { publicKey } = world.keys.seat(proposer);
        expect(world.rules.suite.verify(publicKey, proposalMessage(header), signature)).toBe(false);
      }
  });

  test('refuses a body with any one wrong byte, also under a header that names it', () => {
    const { world, parent, draft } = busy();
    const codes = new Set<string>();
    for (const [place, item] of draft.items.entries())
      for (let at = place % 3; at < item.length; at += 3) {
        const bent = draft.items.with(
          place,
          item.map((byte, index) => (index === at ? byte ^ (1 << (at % 8)) : byte)),
        );
        expect(applyBlock(parent, draft.header, bent, world.rules)).toMatchObject({
          code: 'BLOCK_ITEMS_ROOT',
        });
        const header = { ...draft.header, itemsRoot: itemsRoot(bent) };
        const applied = applyBlock(parent, header, bent, world.rules);
        expect(applied.ok, `item ${place}, byte ${at}`).toBe(false);
        if (!applied.ok) codes.add(applied.code);
      }
    for (const code of ['BLOCK_ITEM_MALFORMED', 'STATEMENT_SIGNATURE', 'JOB_SIGNATURE'])
      expect(codes).toContain(code);
  });

  test('refuses items that are missing, doubled, reordered past their sense, or foreign', () => {
    const { world, parent, draft, seal } = busy();
    const { rules } = world;
    const reroot = (items: readonly Uint8Array[]) =>
      applyBlock(parent, { ...draft.header, itemsRoot: itemsRoot(items) }, items, rules);
    const { items } = draft;
    expect(reroot(items.slice(1))).toMatchObject({ code: 'BLOCK_STATE_ROOT' });
    expect(reroot([...items, items[0]!])).toMatchObject({ code: 'LANE_KNOWN' });
    expect(reroot([...items, items.at(-1)!])).toMatchObject({ code: 'JOB_REPLAYED' });
    expect(reroot([...items, Uint8Array.of(1, 2)])).toMatchObject({ code: 'BLOCK_ITEM_MALFORMED' });
    expect(reroot([...items, Uint8Array.of()])).toMatchObject({ code: 'BLOCK_ITEM_MALFORMED' });
    // Another order is another block: its lanes have another log, and its own state root.
    const turned = [items[1]!, items[0]!, ...items.slice(2)];
    expect(reroot(turned)).toMatchObject({ code: 'BLOCK_STATE_ROOT' });
    const offered = turned.map((bytes) => blockItemCodec.decode(bytes));
    const other = draftBlock(parent, seal, offered, rules);
    expect(other.items).toEqual(turned);
    expect(applyBlock(parent, other.header, other.items, rules).ok).toBe(true);
  });

  test('refuses bodies above the limits before it reads them', () => {
    const { world, parent, draft } = busy();
    const fits = (items: readonly Uint8Array[]): boolean => {
      const header = { ...draft.header, itemsRoot: itemsRoot(items) };
      const applied = applyBlock(parent, header, items, world.rules);
      return applied.ok || applied.code !== 'BLOCK_FULL';
    };
    const empties = Array.from({ length: blockItemCountMax }, () => new Uint8Array());
    expect(fits(empties)).toBe(true);
    expect(fits([...empties, new Uint8Array()])).toBe(false);
    const item = new Uint8Array(65_600);
    const large = Array.from({ length: 63 }, () => item);
    const left = blockBytesMax - 1_024 - 63 * (item.length + 8) - 8;
    expect(fits([...large, new Uint8Array(left)])).toBe(true);
    expect(fits([...large, new Uint8Array(left + 1)])).toBe(false);
    expect(fits([...large, item])).toBe(false);
  });

  test('orders at most 64 jobs', () => {
    const world = fakeWorld(4, 5);
    const jobs = Array.from({ length: 65 }, () => world.job(smallProgram));
    const left = world.block(jobs.map((signed) => ({ kind: 'job', signed })));
    expect(left.map(({ code }) => code)).toEqual(['BLOCK_TOO_MANY_JOBS']);
    expect(world.bodies.at(-1)).toHaveLength(64);
    // A leader who takes one more anyway is refused.
    const { parent, header } = { parent: world.chains.at(-2)!, header: world.tip.header };
    const items = [...world.bodies.at(-1)!, blockItemCodec.encode(left[0]!.item)];
    expect(
      applyBlock(parent, { ...header, itemsRoot: itemsRoot(items) }, items, world.rules),
    ).toMatchObject({ code: 'BLOCK_TOO_MANY_JOBS' });
  });
});

// Goal: state is a function of what was ordered, alike for everybody, and forgets what it may.
// Method: a second replica that has nothing but the bytes; changes in every order, with detours.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fees } from '../../contracts-sim/fees.ts';
import { none } from '../../contracts-sim/none.ts';
import { nativeSha256 } from '../../node/crypto.ts';
import { hex } from '../../protocol/brand.ts';
import { hash, installSha256 } from '../../protocol/crypto/hash.ts';
import { genesisChain, type LedgerRules, ledgerRules } from '../../protocol/ledger/chain.ts';
import { genesisCodec } from '../../protocol/ledger/genesis.ts';
import { headerCodec } from '../../protocol/ledger/header.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { applyBlock } from '../../protocol/ledger/transition.ts';
import { emptyMap, mapEntries, mapRoot, mapSize } from '../../protocol/merkle/map.ts';
import { fakeWorld, smallProgram } from '../support/ledger-world.ts';

installSha256(nativeSha256);

describe('another replica', () => {
  test('that has the bytes alone comes to the same state at every height', () => {
    const world = fakeWorld(7, 8);
    world.roles.set(2, 'lie').set(5, 'silent');
    world.run([world.job(smallProgram), world.job(smallProgram)]);
    const rules = ledgerRules(
      genesisCodec.decode(genesisCodec.encode(world.genesis)),
      world.keys.suite,
      fees,
    );
    let chain = genesisChain(rules);
    for (let height = 1; height < world.chains.length; height++) {
      const bytes = headerCodec.encode(world.chains[height]!.header);
      const applied = applyBlock(
        chain,
        headerCodec.decode(bytes),
        world.bodies[height]!.map((item) => new Uint8Array(item)),
        rules,
      );
      expect(applied.ok).toBe(true);
      if (applied.ok) chain = applied.chain;
      expect(chain.hash).toEqual(world.chains[height]!.hash);
    }
    expect(mapRoot(chain.map)).toEqual(mapRoot(world.tip.map));
    // Under other contracts it is another network's chain.
    const unpaid: LedgerRules = { ...rules, contracts: none };
    const results = world.chains
      .slice(1)
      .map(({ header }, at) =>
        applyBlock(world.chains[at]!, header, world.bodies[at + 1]!, unpaid),
      );
    expect(results.some((applied) => !applied.ok && applied.code === 'BLOCK_STATE_ROOT')).toBe(
      true,
    );
  });
});

describe('the state', () => {
  test('has a root of its content alone: no order, no detour, no past', () => {
    const [a, b] = [hash('dev', 'a'), hash('dev', 'b')];
    const changes: readonly ((cursor: StateCursor) => void)[] = [
      (cursor) => cursor.setTokens(a, 5n),
      (cursor) => cursor.setTokens(b, 2n ** 64n - 1n),
      (cursor) => cursor.setOpen([a, b]),
      (cursor) => cursor.setOrdered([b]),
      (cursor) => cursor.useNonce(a, 7n, 1_500),
      (cursor) => cursor.setRecent({ height: 3, hash: b, view: 4, timeMs: 5, proposer: 6 }),
    ];
    const made = (order: readonly number[], detour: boolean): string => {
      let map = emptyMap;
      for (const at of order) {
        const cursor = new StateCursor(map);
        changes[at]!(cursor);
        if (detour) {
          cursor.setTokens(hash('dev', 'passing'), 9n);
          cursor.useNonce(b, 1n, 9_000);
        }
        map = cursor.finish();
      }
      const cursor = new StateCursor(map);
      cursor.setTokens(hash('dev', 'passing'), 0n);
      cursor.forgetNonces(9);
      return hex(mapRoot(cursor.finish()));
    };
    const rest = made([0, 1, 2, 3, 4, 5], false);
    fc.assert(
      fc.property(
        fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }),
        fc.boolean(),
        (order, detour) => {
          expect(made(order, detour)).toBe(rest);
        },
      ),
    );
    for (let without = 0; without < changes.length; without++)
      expect(made([0, 1, 2, 3, 4, 5].toSpliced(without, 1), false)).not.toBe(rest);
    expect(() => new StateCursor(emptyMap).setTokens(a, -1n)).toThrow('overdrawn');
  });

  test('forgets every nonce of a second at once, and none of another', () => {
    const nonces = fc.array(fc.tuple(fc.nat(2), fc.bigInt({ min: 0n, max: 9n }), fc.nat(4_999)));
    fc.assert(
      fc.property(nonces, fc.nat(4), (used, second) => {
        const cursor = new StateCursor(emptyMap);
        const kept = new Map<string, number>();
        const key = (of: number): Uint8Array => hash('dev', of);
        for (const [of, nonce, untilMs] of used) {
          if (cursor.usedNonce(key(of), nonce)) continue;
          cursor.useNonce(key(of), nonce, untilMs);
          kept.set(`${of}/${nonce}`, untilMs);
        }
        cursor.forgetNonces(second);
        for (const [name, untilMs] of kept) {
          const [of, nonce] = name.split('/');
          const forgotten = Math.floor(untilMs / 1_000) === second;
          expect(cursor.usedNonce(key(Number(of)), BigInt(nonce!))).toBe(!forgotten);
        }
        for (let other = 0; other < 5; other++) cursor.forgetNonces(other);
        expect(mapSize(cursor.finish())).toBe(0);
      }),
    );
  });

  test('knows the last 8,192 blocks, whatever height it is asked for', () => {
    const world = fakeWorld(4, 6);
    for (let height = 1; height < 5; height++) world.block();
    const cursor = new StateCursor(world.tip.map);
    const { header, hash: id } = world.chains[3]!;
    const { height, view, timeMs, proposer } = header;
    expect(cursor.recent(3)).toEqual({ height, hash: id, view, timeMs, proposer });
    for (const unknown of [4, 5, 3 + 8_192, 2 ** 48]) expect(cursor.recent(unknown)).toBeNull();
    cursor.setRecent({ height: 3 + 8_192, hash: id, view, timeMs, proposer });
    expect(cursor.recent(3)).toBeNull();
    expect(cursor.recent(3 + 8_192)).not.toBeNull();
  });

  test('keeps of a finished job its record, and no more', () => {
    const world = fakeWorld(4, 9);
    const names = (): string[] =>
      [...mapEntries(world.tip.map)].map(({ key }) => String.fromCharCode(...key).split('/')[0]!);
    const [id] = world.run([world.job(smallProgram)]);
    expect(names()).not.toContain('lane');
    expect(names()).toContain('nonce');
    for (let block = 0; block < 70; block++) world.block();
    const left = names();
    for (const gone of ['lane', 'open', 'ordered', 'nonce', 'expiry', 'expiries'])
      expect(left).not.toContain(gone);
    expect(left.filter((name) => name === 'job')).toHaveLength(1);
    expect(new StateCursor(world.tip.map).job(id!)!.state).toBe('settled');
  });
});

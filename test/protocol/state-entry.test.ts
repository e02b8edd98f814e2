// Goal: keys of the state have one text each, and what they hold is said as the ledger means it.
// Method: random bytes to text and back; every entry of a real ledger, and values that are none.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stateKeyOf } from '../../node/views/chain.ts';
import { concatBytes, hex, unhex, utf8 } from '../../protocol/brand.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { readStateEntry } from '../../protocol/ledger/entry.ts';
import { formatStateKey, readStateKey, stateKeyKinds } from '../../protocol/ledger/key.ts';
import { StateCursor, stateKeys } from '../../protocol/ledger/state.ts';
import { mapEntries, mapGet } from '../../protocol/merkle/map.ts';
import { fakeWorld, smallProgram } from '../support/ledger-world.ts';

const id = hash('dev', 'a job');
const shown = hex(id);

/** The only key that a text can be of. */
function bytesOf(text: string): Uint8Array {
  const [kind = '', ...parts] = text.split('/');
  if (!(stateKeyKinds as readonly string[]).includes(kind)) return unhex(text)!;
  const front = utf8(parts.length === 0 ? kind : `${kind}/`);
  const numbers = parts.map((part) =>
    part.length === 64 ? unhex(part)! : unhex(BigInt(part).toString(16).padStart(16, '0'))!,
  );
  return concatBytes(front, ...numbers);
}

describe('keys as text', () => {
  test.each<[Uint8Array, string]>([
    [stateKeys.job(id), `job/${shown}`],
    [stateKeys.lane(id, 3), `lane/${shown}/3`],
    [stateKeys.account(id), `account/${shown}`],
    [stateKeys.seat(4_095), 'seat/4095'],
    [stateKeys.recent(8_193), 'recent/1'],
    [stateKeys.nonce(id, 2n ** 64n - 1n), `nonce/${shown}/18446744073709551615`],
    [stateKeys.expiries(1_700_000_000), 'expiries/1700000000'],
    [stateKeys.expiry(1_700_000_000, 2), 'expiry/1700000000/2'],
    [stateKeys.ordered(), 'ordered'],
    [stateKeys.open(), 'open'],
  ])('%#: as `state get` takes them', (key, text) => {
    expect(formatStateKey(key)).toBe(text);
    expect(stateKeyOf(text)).toEqual(key);
  });

  test.each(['', 'job', 'job/short', 'job/', 'opens', `Job/${shown.slice(0, 32)}`])(
    'of "%s", which the ledger never writes to, in hexadecimal',
    (other) => {
      expect(formatStateKey(utf8(other))).toBe(hex(utf8(other)));
      expect(readStateKey(utf8(other))).toBeNull();
    },
  );

  test('every kind that the ledger writes is known', () => {
    expect([...stateKeyKinds].sort()).toEqual(Object.keys(stateKeys).sort());
  });

  test('any bytes have one text', () => {
    const front = fc.constantFrom('', ...stateKeyKinds.flatMap((kind) => [kind, `${kind}/`]));
    const tails = fc.oneof(
      fc.uint8Array({ maxLength: 50 }),
      ...[8, 16, 32, 40].map((length) => fc.uint8Array({ minLength: length, maxLength: length })),
    );
    fc.assert(
      fc.property(front, tails, (kind, tail) => {
        const key = Uint8Array.from([...utf8(kind), ...tail]);
        expect(bytesOf(formatStateKey(key))).toEqual(key);
      }),
      { numRuns: 500 },
    );
  });
});

describe('what is held', () => {
  const world = fakeWorld(4);
  world.block();
  const jobs = [world.job(smallProgram), world.job(smallProgram)];
  const [first] = world.run([jobs[0]!]);
  world.block([{ kind: 'job', signed: jobs[1]! }]);
  world.block();
  const { map, header } = world.tip;
  const read = (key: Uint8Array) => readStateEntry(key, mapGet(map, key), header.height);
  const cursor = new StateCursor(map);
  const submitter = world.keys.account(0).publicKey;

  test('is said of every entry of a ledger that somebody may ask for', () => {
    const said = new Map<string, number>();
    for (const { key } of mapEntries(map)) {
      const { kind } = readStateKey(key)!;
      if (read(key) !== null) said.set(kind, (said.get(kind) ?? 0) + 1);
      else expect(kind).toMatch(/^expir/);
    }
    expect([...said.keys()].sort()).toEqual(
      ['account', 'job', 'lane', 'nonce', 'open', 'recent', 'seat'].sort(),
    );
    expect(said.get('seat')).toBe(4);
    expect(said.get('recent')).toBeGreaterThan(5);
  });

  test('is what the ledger means', () => {
    expect(read(stateKeys.account(submitter))).toEqual({
      kind: 'account',
      tokens: cursor.tokens(submitter),
    });
    const { includedHeight, ended } = cursor.job(first!)!;
    expect(read(stateKeys.job(first!))).toEqual({
      ...{ kind: 'job', state: 'settled', reason: 'JOB_SETTLED' },
      ...{ includedHeight, endedHeight: ended },
    });
    const [open] = cursor.open();
    expect(read(stateKeys.open())).toEqual({ kind: 'jobs', ids: [open] });
    expect(read(stateKeys.ordered())).toEqual({ kind: 'jobs', ids: [] });
    expect(read(stateKeys.lane(open!, 0))).toMatchObject({ kind: 'lane', outcome: 'open' });
    expect(read(stateKeys.seat(2))).toEqual({
      kind: 'seat',
      publicKey: world.genesis.seats[2]!.publicKey,
    });
    expect(read(stateKeys.recent(3))).toMatchObject({
      ...{ kind: 'recent', height: 3, hash: world.chains[3]!.hash },
    });
    expect(read(stateKeys.nonce(submitter, 1n))).toEqual({ kind: 'nonce', used: true });
  });

  test('of the recent blocks, is one of the last two heights at its place', () => {
    const value = (height: number): Uint8Array => mapGet(map, stateKeys.recent(height))!;
    const at = (place: number, height: number): number | undefined => {
      const entry = readStateEntry(stateKeys.recent(place), value(3), height);
      return entry?.kind === 'recent' ? entry.height : undefined;
    };
    expect([at(3, 3), at(3, 4), at(3, 8_194), at(3, 8_195)]).toEqual([3, 3, 3, 3]);
    expect([at(3, 2), at(4, 9), at(3, 3 + 3 * 8_192)]).toEqual([undefined, undefined, undefined]);
  });

  test('is nothing, or no tokens, where there is nothing', () => {
    expect(read(stateKeys.account(id))).toEqual({ kind: 'account', tokens: 0n });
    expect(read(stateKeys.nonce(id, 1n))).toEqual({ kind: 'nonce', used: false });
    for (const key of [stateKeys.job(id), stateKeys.lane(id, 0), stateKeys.seat(4), utf8('x')])
      expect(read(key)).toBeNull();
  });

  test('is not said of values that no ledger writes', () => {
    const keys = [
      ...[stateKeys.job(id), stateKeys.lane(id, 0), stateKeys.account(id), stateKeys.seat(0)],
      ...[stateKeys.recent(0), stateKeys.nonce(id, 1n), stateKeys.open(), stateKeys.ordered()],
    ];
    for (const key of keys)
      for (const value of [utf8('nonsense'), new Uint8Array(), new Uint8Array([0xf6])])
        expect(readStateEntry(key, value, 5), formatStateKey(key)).toBeNull();
  });
});

// Goal: the example programs give the same values rewritten as they are, with fuel that is exact.
// Method: both are called as the host calls them, with their originals beside them; every call is
// repeated with its own fuel, with a unit less, and with nine lower limits.
import { describe, expect, test } from 'vitest';
import { depthLimit } from '../../protocol/execution/outcome.ts';
import {
  exampleProgram,
  type Metered,
  meter,
  openPlain,
  type Run,
  rewritten,
} from '../support/modules.ts';

const plenty = 10n ** 15n;

describe('the example programs', () => {
  const encode = (value: string): Uint8Array => new TextEncoder().encode(value);
  const lines = Array.from({ length: 400 }, (_, at) => `word${at % 37} and ${at * at} more`);
  type Call = {
    readonly name: string;
    readonly arguments: readonly Uint8Array[];
    readonly index?: bigint;
  };

  /** Calls a metered instance as the host does: an allocation and a copy for each argument. */
  const callMetered = (it: Metered, { name, arguments: given, index }: Call): Run => {
    const values: (number | bigint)[] = [];
    for (const bytes of given) {
      if (bytes.length === 0) {
        values.push(0, 0);
        continue;
      }
      const { value, outcome } = it.call('anw_alloc', bytes.length);
      if (outcome !== 'ok') return { outcome, value: undefined, left: 0n, depth: 0 };
      it.memory().set(bytes, value as number);
      values.push(value as number, bytes.length);
    }
    if (index !== undefined) values.push(index);
    return it.call(name, ...values);
  };
  const resultOf = (it: Metered, run: Run): Uint8Array => {
    const packed = BigInt.asUintN(64, run.value as bigint);
    const pointer = Number(packed >> 32n);
    return it.memory().slice(pointer, pointer + Number(packed & 0xffff_ffffn));
  };
  const none = new Uint8Array(0);
  const parameters = encode('{"from": 2, "to": 20000}');
  const item = (index: bigint): Uint8Array => {
    const it = openPlain(exampleProgram('primes'));
    return it.read(it.call('anw_item', [parameters], index));
  };

  test.each([
    ['wordcount', () => encode(lines.join('\n'))],
    ['primes', () => item(0n)],
  ] as const)('%s gives the same values, with fuel that is exact', (name, input) => {
    const original = exampleProgram(name);
    const bytes = rewritten(original);
    const plain = (call: Call): Uint8Array => {
      const it = openPlain(original);
      return it.read(it.call(call.name, call.arguments, call.index));
    };
    const given = name === 'primes' ? parameters : none;
    const map: Call = { name: 'anw_map', arguments: [given, input()] };
    const value = plain(map);
    expect(value.length).toBeGreaterThan(0);
    const calls: Call[] = [map, { name: 'anw_combine', arguments: [value, value] }];
    for (const call of calls) {
      const it = meter(bytes, plenty);
      const run = callMetered(it, call);
      expect(run).toMatchObject({ outcome: 'ok', depth: depthLimit });
      expect(resultOf(it, run)).toEqual(plain(call));
      const used = plenty - run.left;
      expect(used).toBeGreaterThan(0n);
      expect(callMetered(meter(bytes, used), call).outcome).toBe('ok');
      const limits = [1n, 2n, 3n, 5n, 7n, 11n, 50n, 500n, used].map(
        (part) => used - (used / part || 1n),
      );
      for (const limit of [used - 1n, ...limits])
        expect(callMetered(meter(bytes, limit), call).outcome, `${limit} of ${used}`).toBe(
          'out-of-fuel',
        );
    }
  });
});

// Goal: in a fold each combine has the limit of one or what those before it left, whichever is less,
// and nobody can tell where the fold was broken off and taken up again.
// Method: folds under any two limits against the same, value by value, in plain sums.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { foldValues, type Step } from '../../protocol/execution/evaluate.ts';
import { linesBut } from '../support/execution-lines.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('execution', linesBut(70, 98));

describe('a fold', () => {
  test('has one limit, wherever it is broken off', () => {
    const values = fc.array(fc.uint8Array({ maxLength: 3 }), { maxLength: 12 });
    const combine = (a: Uint8Array, b: Uint8Array, limit: bigint): Step => {
      const fuel = BigInt(10 + a.length + b.length);
      const value = Uint8Array.from([...a, ...b]);
      return limit < fuel ? { ok: false, class: 'out-of-fuel' } : { ok: true, value, fuel };
    };
    fc.assert(
      fc.property(values, fc.nat(12), fc.bigInt({ min: -2n, max: 2n }), (all, at, spare) => {
        const within = (some: readonly Uint8Array[], fold: bigint) =>
          foldValues(some, { combine: 10_000n, fold }, combine);
        const whole = within(all, 10_000n);
        if (!whole.ok) throw new Error(whole.class);
        const limit = whole.fuel + spare;
        const once = within(all, limit);
        expect(once.ok).toBe(spare >= 0n || whole.fuel === 0n);
        const first = within(all.slice(0, at), limit);
        const twice = first.ok
          ? within([first.value, ...all.slice(at)], limit - first.fuel)
          : first;
        expect(twice.ok).toBe(once.ok);
        if (!twice.ok || !first.ok) return;
        expect(twice.value).toEqual(whole.value);
        expect(first.fuel + twice.fuel).toBe(whole.fuel);
      }),
    );
  });

  test('gives each combine the limit of one, or what is left, wherever it is broken off', () => {
    // Costs differ: now one limit binds, now the other, now a combine fails by itself.
    const values = fc.array(fc.uint8Array({ maxLength: 3 }), { maxLength: 12 });
    const limits = fc.record({
      combine: fc.bigInt({ min: 1n, max: 40n }),
      fold: fc.bigInt({ min: 1n, max: 160n }),
    });
    const given: bigint[] = [];
    const combine = (a: Uint8Array, b: Uint8Array, limit: bigint): Step => {
      given.push(limit);
      const fuel = BigInt(1 + a.length + 2 * b.length);
      if (b[0] === 7) return { ok: false, class: 'trap' };
      const value = Uint8Array.from([...a, ...b]);
      return limit < fuel ? { ok: false, class: 'out-of-fuel' } : { ok: true, value, fuel };
    };
    /** Value by value, and nothing but the rule. */
    const plainly = (all: readonly Uint8Array[], each: bigint, fold: bigint) => {
      let [sum, left]: [number[], bigint] = [[], fold];
      for (const value of all) {
        if (sum.length > 0 && value.length > 0) {
          const cost = BigInt(1 + sum.length + 2 * value.length);
          const limit = each < left ? each : left;
          if (value[0] === 7) return { class: 'trap', limit };
          if (cost > limit) return { class: 'out-of-fuel', limit };
          left -= cost;
        }
        sum = [...sum, ...value];
      }
      return { value: Uint8Array.from(sum), fuel: fold - left };
    };
    fc.assert(
      fc.property(values, fc.nat(12), limits, (all, at, fuel) => {
        given.length = 0;
        const once = foldValues(all, fuel, combine);
        expect(given.every((limit) => limit <= fuel.combine && limit <= fuel.fold)).toBe(true);
        const { ok, ...rest } = once;
        expect(rest).toEqual(plainly(all, fuel.combine, fuel.fold));
        expect(ok).toBe('value' in rest);
        const first = foldValues(all.slice(0, at), fuel, combine);
        if (!first.ok) {
          expect(first).toEqual(once);
          return;
        }
        const left = { ...fuel, fold: fuel.fold - first.fuel };
        const then = foldValues([first.value, ...all.slice(at)], left, combine);
        expect(then.ok ? { ...then, fuel: first.fuel + then.fuel } : then).toEqual(once);
      }),
      { numRuns: 1_000 },
    );
    // The dearest combine costs 4 + 2 * 3 + 1: as much suffices, a unit less does not.
    const all = [4, 3, 1].map((length) => new Uint8Array(length));
    const within = (each: bigint) => foldValues(all, { combine: each, fold: 1_000n }, combine);
    expect(within(11n)).toMatchObject({ ok: true, fuel: 21n });
    expect(within(10n)).toEqual({ ok: false, class: 'out-of-fuel', limit: 10n });
  });
});

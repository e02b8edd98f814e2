// Goal: that small loops are written out changes nothing that a program or its host can see.
// Method: loops in the shapes of compilers, with stores; each limit of fuel, both ways rewritten.
import { describe, expect, test } from 'vitest';
import { validateModule } from '../../node/executor/engine.ts';
import { linesBut } from '../support/execution-lines.ts';
import { reachEveryLine } from '../support/lines.ts';
import { i32, meter, moduleOf, type Run, rewritten } from '../support/modules.ts';
import { bodyOf, codeOf, interpret, numbers, type Statement } from '../support/small-code.ts';

reachEveryLine('execution', linesBut(90));

const plenty = 10n ** 12n;

const get = (local: number) => ({ kind: 'get', local }) as const;
const constant = (value: number) => ({ kind: 'const', value }) as const;
const more = { kind: 'lt', a: get(1), b: get(0) } as const;
const advance: Statement = {
  kind: 'set',
  local: 1,
  to: { kind: 'add', a: get(1), b: constant(1) },
};

/** Statements of a round: what leaves them leads to the round's end at most. */
function roundOf(pick: (below: number) => number, depth: number): Statement[] {
  return Array.from({ length: 1 + pick(3) }, (): Statement => {
    const inside = (): Statement[] => (depth > 1 ? [] : roundOf(pick, depth + 1));
    const sum = { kind: 'add', a: get(2), b: get(pick(3)) } as const;
    const test = { kind: 'lt', a: get(pick(3)), b: constant(pick(5)) } as const;
    switch (pick(6)) {
      case 0:
        return { kind: 'if', test, taken: inside(), other: pick(2) === 0 ? null : inside() };
      case 1:
        return {
          kind: 'block',
          body: [...inside(), { kind: 'brIf', label: 0, test }, ...inside()],
        };
      case 2:
        // A loop that is never repeated is no loop.
        return { kind: 'loop', body: inside() };
      case 3: {
        const guard = { kind: 'lt', a: constant(4), b: get(2) } as const;
        return { kind: 'if', test: guard, taken: [{ kind: 'unreachable' }], other: null };
      }
      default:
        return { kind: 'set', local: 2, to: pick(2) === 0 ? sum : constant(pick(5)) };
    }
  });
}

/** The loop in the ways in which compilers, and people, write it. */
function shapes(round: Statement[], last: Statement[]): Record<string, Statement> {
  const again: Statement = { kind: 'brIf', label: 0, test: more };
  const go: Statement = { kind: 'br', label: 1 };
  const whether = (taken: Statement[], other: Statement[] | null): Statement => ({
    ...{ kind: 'if', test: more, taken, other },
  });
  return {
    'the branch at the end': { kind: 'loop', body: [...round, advance, again] },
    'the test in front': { kind: 'loop', body: [whether([...round, advance, go], null)] },
    'something before and behind': {
      kind: 'loop',
      body: [...last, whether([advance, ...round, go], null), ...last],
    },
    'an else': { kind: 'loop', body: [whether([...round, advance, go], last)] },
    'two ways around': {
      kind: 'loop',
      body: [advance, { ...again, test: { kind: 'lt', a: get(2), b: get(1) } }, ...round, again],
    },
    'a way around from deep inside': {
      kind: 'loop',
      body: [
        whether([advance, { kind: 'block', body: [...round, { kind: 'br', label: 2 }] }], null),
      ],
    },
    'a way around in a maybe': {
      kind: 'loop',
      body: [advance, whether([{ ...again, label: 1 }, ...round], null), ...last],
    },
    'nothing behind it': {
      kind: 'block',
      body: [{ kind: 'loop', body: [...round, advance, again] }],
    },
    // Found by a review: a round that goes on by the other way has not entered the arm.
    'two arms': {
      kind: 'loop',
      body: [
        advance,
        { kind: 'if', test: { kind: 'lt', a: get(1), b: constant(3) }, taken: [go], other: null },
        whether([...round, go], null),
      ],
    },
    'an arm behind another way around': {
      kind: 'loop',
      body: [
        advance,
        { ...again, test: { kind: 'lt', a: get(1), b: constant(3) } },
        whether([...round, go], null),
      ],
    },
    'a way out': {
      kind: 'block',
      body: [{ kind: 'loop', body: [{ ...again, label: 1, test: more }, ...round, again] }],
    },
    'an end of all amid it': {
      kind: 'loop',
      body: [
        ...round,
        advance,
        {
          kind: 'if',
          test: { kind: 'lt', a: constant(2), b: get(1) },
          taken: [{ kind: 'return' }],
          other: null,
        },
        again,
      ],
    },
    'around for ever': { kind: 'loop', body: [...round, { kind: 'br', label: 0 }] },
  };
}

function modules(statements: readonly Statement[]) {
  // Memory holds the second local of each round, by the first one: what is done too often, shows.
  const address = [0x20, 1, 0x41, 0x3f, 0x71, 0x41, 2, 0x74];
  const store = [...address, 0x20, 2, 0x36, 2, 0];
  const body = [0x02, 0x40, ...codeOf(statements, store), 0x0b, 0x20, 0];
  const of = (code: readonly number[]) =>
    moduleOf([{ name: 'run', params: [i32], results: [i32], locals: [i32, i32], body: [...code] }]);
  const source = of(bodyOf(statements));
  return {
    written: rewritten(source),
    once: rewritten(source, { limits: { unrolledBytes: 0 } }),
    spied: rewritten(of(body)),
    spiedOnce: rewritten(of(body), { limits: { unrolledBytes: 0 } }),
  };
}

type Seen = Run & { readonly memory: string };
function look(bytes: Uint8Array, fuel: bigint, argument: number): Seen {
  const metered = meter(bytes, fuel);
  const run = metered.call('run', argument);
  return { ...run, memory: Buffer.from(metered.memory().subarray(0, 256)).toString('hex') };
}

describe('loops that are written out', () => {
  test('name no label outside of them, in dead code neither', () => {
    // A block of an i32 around; where it is named, a copy would name another one of no operand.
    const looping = (labels: readonly number[]): Uint8Array => {
      const dead = [0x02, 0x40, 0x0c, 0, 0x41, 0, ...labels, 0x0b];
      const loop = [0x03, 0x40, ...dead, 0x41, 0, 0x0d, 0, 0x0b];
      const body = [0x02, 0x40, 0x02, i32, ...loop, 0x41, 5, 0x0b, 0x1a, 0x0b, 0x41, 1];
      return moduleOf([{ name: 'run', results: [i32], body }]);
    };
    const sizes = [
      [0x1a], // dropped: the twin that is written out
      [0x0d, 1, 0x1a, 0x41, 0, 0x1a],
      [0x0d, 3],
      [0x0e, 2, 0, 3, 3],
      [0x0e, 1, 3, 0],
    ].map((labels) => {
      const source = looping(labels);
      expect(validateModule(source), `${labels}`).toBe(true);
      const bytes = rewritten(source);
      expect(validateModule(bytes), `${labels}`).toBe(true);
      expect(meter(bytes, plenty).call('run')).toMatchObject({ outcome: 'ok', value: 1 });
      return bytes.length - source.length;
    });
    expect(sizes[0]).toBeGreaterThan(sizes[2]! + 20);
  });

  test('end as the interpreter says, at its fuel, with one unit less and with all others', () => {
    const seen: Record<string, number> = {};
    let grown = 0;
    for (let seed = 0; seed < 6; seed++) {
      const pick = numbers(seed);
      const round = roundOf(pick, 0);
      const last: Statement[] = [{ kind: 'set', local: 2, to: constant(pick(5)) }];
      for (const [name, loop] of Object.entries(shapes(round, last))) {
        const statements = [loop, ...last];
        const { written, once, spied, spiedOnce } = modules(statements);
        if (written.length > once.length) grown += 1;
        for (const argument of [0, 1, 3, 4, 5, 9]) {
          const words = `seed ${seed}, ${name}, ${argument} rounds`;
          const expected = told(() =>
            interpret([statements], { budget: 3_000, calls: 9 })(0, argument),
          );
          seen[expected.outcome] = (seen[expected.outcome] ?? 0) + 1;
          const { outcome, left } = look(
            written,
            expected.outcome === 'out-of-fuel' ? 500n : plenty,
            argument,
          );
          expect(outcome, words).toBe(expected.outcome);
          const used = expected.outcome === 'ok' ? plenty - left : 60n;
          if (expected.outcome === 'ok') expect(used, words).toBe(BigInt(expected.fuel));
          for (let fuel = 0n; fuel <= used + 2n; fuel += 1n + used / 16n) {
            const [a, b] = [look(written, fuel, argument), look(once, fuel, argument)];
            expect(a, `${words}, ${fuel} fuel`).toEqual(b);
            if (expected.outcome === 'ok') expect(a.outcome === 'ok', words).toBe(fuel >= used);
          }
          for (const fuel of [used / 2n, used, plenty])
            if (expected.outcome !== 'out-of-fuel' || fuel < plenty)
              expect(look(spied, fuel, argument), words).toEqual(look(spiedOnce, fuel, argument));
        }
      }
    }
    expect(grown).toBeGreaterThan(17);
    expect(Object.keys(seen).sort()).toEqual(['ok', 'out-of-fuel', 'trap']);
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(10);
  });
});

function told(run: () => { fuel: number }): { outcome: string; fuel: number } {
  try {
    return { outcome: 'ok', fuel: run().fuel };
  } catch (error) {
    return {
      outcome: (error as Error).constructor.name === 'Trap' ? 'trap' : 'out-of-fuel',
      fuel: 0,
    };
  }
}

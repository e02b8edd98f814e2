// Goal: what fails on this machine, as it would on every other one, is told before anybody pays:
// which item, where it lies, why and in which function; and what only lacked fuel is no failure.
// Method: laws of the pure parts, names of functions in modules that mean harm; then programs that
// fail in each way, in the real sandbox, by quote, bench and check, with sound ones beside them.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { programBench } from '../../node/cli/commands/program-bench.ts';
import { programCheck } from '../../node/cli/commands/program-check.ts';
import { quote } from '../../node/cli/commands/quote.ts';
import { measureWarnings, refusedJob } from '../../node/cli/foreseen-words.ts';
import { untestedLines } from '../../node/cli/law-gate.ts';
import { ClientError } from '../../node/client/error.ts';
import { foreseenFailures, openEnds, refuseForeseen } from '../../node/client/foreseen.ts';
import { chooseLimits, type FuelLimits } from '../../node/client/fuel.ts';
import type { Measured, MeasuredItem } from '../../node/client/measure.ts';
import { functionNames, trapPlace } from '../../node/executor/trap-place.ts';
import { quickBounds } from '../../node/laws/check.ts';
import type { FailureClass } from '../../node/ports.ts';
import { packProgram } from '../../protocol/execution/manifest.ts';
import { custom, i32, i64, op, program, unsigned } from '../fixtures/programs/assemble.ts';
import { eightByteProgram, sampledProgram } from '../fixtures/programs/lawless.ts';
import { newPlace } from '../support/anwansi-process.ts';
import { runWords } from '../support/command-line.ts';
import { bytes, openSandbox } from '../support/sandbox.ts';

const classes: readonly FailureClass[] = ['trap', 'bad-value', 'out-of-fuel', 'too-deep'];
const had = 2n ** 33n;
const limits: FuelLimits = { item: had, combine: had, fold: had, render: had };
const nothing: Measured = {
  limits,
  items: [],
  combine: null,
  combineMs: 0,
  render: null,
  unrun: null,
};

const unseen = { lines: null, memoryBytes: 0 };
function item(index: number, failure: FailureClass | null, fuel = had): MeasuredItem {
  const place = { start: 7, bytes: 100, head: bytes('a line\u0007') };
  return { index, bytes: 100, class: failure, said: 'it broke', place, ...unseen, fuel, ms: 1 };
}

describe('what is foreseen', () => {
  test('is each failure, but for what ran out of less fuel than its job has', () => {
    const units = fc.bigInt({ min: 1n, max: 2n ** 36n });
    fc.assert(
      fc.property(fc.constantFrom(...classes), units, units, (failure, fuel, limit) => {
        const sure = failure !== 'out-of-fuel' || fuel >= limit;
        const all = { item: limit, combine: limit, fold: limit, render: limit };
        const given = { item: fuel, combine: fuel, fold: fuel, render: fuel };
        const said = { class: failure, said: null };
        const measured: Measured = {
          ...{ limits: given, items: [item(0, null, 1n), item(4, failure, fuel)], unrun: null },
          combine: { count: 0, least: 0n, most: 0n, ...said, index: 4 },
          combineMs: 1,
          render: { fuel, ...said },
        };
        const found = foreseenFailures(measured, all);
        expect(found.map(({ what }) => what)).toEqual(sure ? ['item', 'combine', 'render'] : []);
        expect(openEnds(measured, all).length).toBe(sure ? 0 : 3);
        const refuse = () => refuseForeseen(measured, all);
        if (sure) expect(refuse).toThrow(ClientError);
        else expect(refuse).not.toThrow();
      }),
    );
    expect(foreseenFailures({ ...nothing, items: [item(0, null)] }, limits)).toEqual([]);
  });

  test('is sure where the limits follow from what failed, and open where others are dearer', () => {
    const endless = { ...nothing, items: [item(0, 'out-of-fuel')] };
    expect(foreseenFailures(endless, chooseLimits({}, endless))).toHaveLength(1);
    const dear = { ...nothing, items: [item(0, null, 2n ** 32n), item(1, 'out-of-fuel')] };
    const chosen = chooseLimits({}, dear);
    expect(chosen.item).toBe(2n ** 36n);
    expect(foreseenFailures(dear, chosen)).toEqual([]);
    expect(measureWarnings(dear, chosen)).toEqual([
      'item 1 takes more than the 8.58G units of fuel within which it is measured; ' +
        'the job gives it 68.7G',
    ]);
  });

  test('names the lowest failing item, where it lies and how it begins, and what to look at', () => {
    const measured = { ...nothing, items: [item(2, 'trap'), item(5, 'bad-value')] };
    expect(foreseenFailures(measured, limits)).toMatchObject([
      { what: 'item', item: 2, class: 'trap', tried: 2, failed: 2 },
    ]);
    const error = thrownBy(() => refuseForeseen(measured, limits));
    expect(error).toMatchObject({ code: 'ITEM_FAILED' });
    expect((error as Error).message).toBe(
      'item 2, bytes 7 to 106 of the input, 0x61206c696e6507…, failed here: trap (it broke)',
    );
    const job = { program: 'mean', input: '/a file', params: '{"colum":1}' };
    const told = refusedJob(error, job, { name: 'mean', bundled: true } as never) as {
      detail: { hint: string; exitCode: number };
    };
    expect(told.detail.exitCode).toBe(8);
    for (const part of [
      'Nothing was submitted',
      'Every item that was tried (2) failed',
      'programs/README.md tells what mean takes',
      `anwansi program bench mean --item 2 --input '/a file' --params '{"colum":1}'`,
      '--unchecked',
      'More: anwansi explain ITEM_FAILED',
    ])
      expect(told.detail.hint).toContain(part);
    const some = { ...nothing, items: [item(0, null), item(1, 'trap')] };
    const other = refusedJob(
      thrownBy(() => refuseForeseen(some, limits)),
      job,
      { name: 'mean', bundled: true } as never,
    ) as { detail: { hint: string } };
    expect(other.detail.hint).not.toContain('parameters');
    const stranger = new Error('another one');
    expect(refusedJob(stranger, job, {} as never)).toBe(stranger);
  });
});

describe('laws that could not be tested', () => {
  const none = { commutative: 0, associative: 0, canonical: 0, identity: 0, order: 0, replay: 0 };
  const values = { items: 3, made: 0, samples: 0, folds: 0, doubled: 0 };
  const report = { bounds: quickBounds, tried: none, failedAlike: 0, pool: values };
  const check = { blob: {}, notTried: ['the rest: this machine cannot run it (killed: no)'] };
  const job = { program: './my.wasm', input: '/a file', params: undefined };
  const told = (changes: object, word: object = {}): readonly string[] =>
    untestedLines({ report: { ...report, ...changes }, check, late: false, ...word } as never, job);

  test.each([
    ['time', told({}, { late: true }), 'ends after 3 seconds'],
    ['machine', told({}, { check: { ...check, blob: null } }), 'this machine cannot run it'],
    ['items', told({ pool: { ...values, items: 0 } }), 'no item that was tried gave a value'],
    [
      'combine',
      told({ failedAlike: 4, tried: { ...none, associative: 4 } }),
      'no two values that were tried could be combined',
    ],
    ['fuel', told({ tried: { ...none, associative: 9 } }), '268M units of fuel, all of them'],
    ['memory', told({}, { check: null }), '268M units of fuel, all of them'],
  ])('for want of %s are told as such, with what to do', (_, lines, why) => {
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^not tested: whether the order in which values are combined /);
    expect(lines[0]).toContain(why);
    expect(lines[1]).toContain(`anwansi program check ./my.wasm --input '/a file'`);
  });
});

function thrownBy(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

const text = (value: string): number[] => [...unsigned(bytes(value).length), ...bytes(value)];
/** A name section; the first functions are `anw_abi_v1`, `anw_alloc`, `anw_map`, `anw_combine`. */
const named = (names: readonly (readonly [number, string])[]) => {
  const list = [
    ...unsigned(names.length),
    ...names.flatMap(([at, name]) => [...unsigned(at), ...text(name)]),
  ];
  return { id: 0, content: custom('name', [0, 2, 1, 0x61, 1, ...unsigned(list.length), ...list]) };
};
const frames = (...indices: number[]): string =>
  indices.map((index) => `    at wasm://wasm/ab:wasm-function[${index}]:0x12\n`).join('');

describe('names of functions', () => {
  test('come from the name section, else from the exports, else they are numbers', () => {
    const inner = { name: null, params: [], results: [], body: [] };
    const raw = [
      named([
        [2, 'source/map'],
        [5, 'shared/fail'],
        [9, 'nobody'],
      ]),
    ];
    const nameOf = functionNames(program({}, [inner, inner], { raw }));
    expect([2, 3, 4, 5, 6, 9].map(nameOf)).toEqual([
      'source/map',
      'anw_combine',
      'function 4',
      'shared/fail',
      null,
      null,
    ]);
    expect(trapPlace(`RuntimeError: x\n${frames(5, 9, 4, 4, 2, 3)}`, nameOf)).toBe(
      ' in shared/fail, called by function 4, called by source/map',
    );
    expect(trapPlace('RuntimeError: unreachable\n    at file.js:1:2', nameOf)).toBe('');
    const started = functionNames(program({}, [inner], { raw: [named([[4, '~start']])] }));
    expect(started(4)).toBe('the start function (initial values of globals)');
  });

  test('are bounded, and never an exception, whatever the module says', () => {
    const endless = functionNames(program({}, [], { raw: [named([[2, 'm'.repeat(100_000)]])] }));
    expect(endless(2)).toBe('m'.repeat(48));
    const sound = program({}, [], {
      raw: [
        named([
          [2, 'map'],
          [3, 'combine'],
        ]),
      ],
    });
    const start = sound.length - 24;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(40), fc.nat(255)), { maxLength: 6 }),
        fc.nat(sound.length),
        (changes, length) => {
          const spoiled = sound.slice(0, length < 60 ? length : sound.length);
          for (const [at, byte] of changes)
            if (start + at < spoiled.length) spoiled[start + at] = byte;
          const nameOf = functionNames(spoiled);
          for (const index of [0, 2, 3, 7, 2 ** 31])
            expect((nameOf(index) ?? '').length).toBeLessThan(60);
        },
      ),
    );
  });
});

/** Values by chance, of which no two can be combined. */
const sampleBody = [...op.get(0), 0xad, ...op.i64(32n), 0x86, ...op.i64(8n), 0x84];
const failingSamples = program({ anw_combine: op.unreachable }, [
  { name: 'anw_sample', params: [i32], results: [i64], body: sampleBody },
]);

const { run } = openSandbox();

describe('a failure in the sandbox', () => {
  const said = async (body: readonly number[], rest = {}): Promise<string | undefined> => {
    const outcome = await run(program({ anw_map: body }, [], rest), ['one', 'two']);
    return outcome.kind === 'done' ? outcome.said : outcome.reason;
  };
  const divided = [...op.i32(1), ...op.i32(0), 0x6d, ...op.drop, ...op.i64(0n)];
  const beyond = [...op.i32(-8), 0x29, 0, 0];

  test('says its kind and the function; a sound subtask says nothing', async () => {
    expect(await said(op.unreachable)).toBe('anw_map trapped: unreachable in anw_map');
    expect(await said(divided)).toBe('anw_map trapped: divide by zero in anw_map');
    expect(await said(beyond)).toBe('anw_map trapped: memory access out of bounds in anw_map');
    expect(await said([...op.loopForever, ...op.unreachable])).toBe(
      'anw_map used up its fuel in anw_map',
    );
    expect(await said(op.i64(0x7000_0000_0000_0001n))).toBe(
      'a result of 1 bytes lies outside of the memory',
    );
    expect(await said(op.pack(2, 3))).toBeUndefined();
    const raw = [named([[2, 'source/counted']])];
    expect(await said(op.unreachable, { raw })).toBe(
      'anw_map trapped: unreachable in source/counted',
    );
  });

  test('is a line without control characters, at most 200 letters long', async () => {
    const raw = [named([[2, '\u001b[31mred\n\u202eevil'.padEnd(5_000, 'x')]])];
    const line = (await said(op.unreachable, { raw }))!;
    expect(line).toMatch(/^anw_map trapped: unreachable in +\[31mred +evilx+$/);
    expect(line.length).toBeLessThanOrEqual(200);
  });

  test('says it of the lowest failing item, and of a combine where no item failed', async () => {
    const either = [
      ...op.ifItemStartsWith(0x74, op.unreachable),
      ...op.ifItemStartsWith(0x6f, [...op.i32(1), ...op.i32(0), 0x6d, ...op.drop]),
      ...op.pack(2, 3),
    ];
    for (const plan of [
      [0, 1, -1],
      [1, 0, -1],
    ]) {
      const outcome = await run(program({ anw_map: either }), ['one', 'two'], { plan });
      expect(outcome).toMatchObject({ said: 'anw_map trapped: divide by zero in anw_map' });
    }
    const combining = await run(program({ anw_combine: op.unreachable }), ['one', 'two']);
    expect(combining).toMatchObject({
      ...{ combineFailed: true, said: 'anw_combine trapped: unreachable in anw_combine' },
    });
  });
});

describe('whoever asks', () => {
  const place = newPlace();
  afterAll(() => place.remove());
  writeFileSync(join(place.directory, 'text'), 'a,1\nb,2\n');
  writeFileSync(join(place.directory, 'numbers'), new Uint8Array(32).fill(1));
  const file = (name: string, content: Uint8Array): string => {
    writeFileSync(join(place.directory, `${name}.wasm`), content);
    return `./${name}.wasm`;
  };
  const fixed = { kind: 'fixed', bytes: 8 } as const;
  const ask = (...words: string[]) =>
    runWords([quote, programBench, programCheck], words, { directory: place.directory });
  const eight = (bodies: Parameters<typeof program>[0]) => packed(program(bodies));
  const packed = (bare: Uint8Array) =>
    packProgram(bare, { abi: 1, name: 'fixture', version: '1', cut: fixed });
  const failing = [
    ['an item', eight({ anw_map: op.unreachable }), 'ITEM_FAILED', 'bytes 0 to 7 of the input'],
    ['a combine', eight({ anw_combine: op.unreachable }), 'COMBINE_FAILED', 'Look at the combine'],
  ] as const;

  const asking = [
    ['quote'],
    ['program', 'bench'],
    ['program', 'check', '--seed', '1', '--runs', '40'],
  ];

  test.each(failing)('of %s that fails is told so first, and the exit is 8', async (...row) => {
    const [what, module, code, says] = row;
    const name = file(what.replace(' ', '-'), module);
    for (const words of asking) {
      const line = [...words, name, '--input', 'numbers'];
      const told = await ask(...line);
      expect(told.exitCode, told.err).toBe(8);
      const [first] = told.out.split('\n');
      expect(first).toMatch(/^(fails|FAIL) .*failed here: trap \(anw_\w+ trapped: unreachable in /);
      expect(told.out).toContain(says);
      if (words.includes('check')) expect(told.out).toContain(`FAILED: ${code}`);
      // The document of each command is looked at for one of the two.
      if (words.includes('check') !== (code === 'COMBINE_FAILED')) continue;
      const { data, success } = (await ask(...line, '--json')).document;
      expect(success).toBe(false);
      const [failure] = (data.job ?? data).failures;
      expect(failure).toMatchObject({ class: 'trap', item: code === 'ITEM_FAILED' ? 0 : 1 });
    }
  });

  test('of a sound program is told nothing of the kind, and the exit is 0', async () => {
    const name = file('sum', eightByteProgram('sum'));
    for (const words of asking) {
      const told = await ask(...words, name, '--input', 'numbers');
      expect(told.exitCode, told.err + told.out).toBe(0);
      expect(told.out).not.toMatch(/fail/i);
    }
  });

  test('of parameters that a program cannot use is shown where to read what it takes', async () => {
    for (const [name, parameters] of [
      ['mean', '{"colum":2}'],
      ['matmul', '{"rows":0}'],
      ['topwords', '{"top":"ten"}'],
    ] as const) {
      const told = await ask('quote', name, '--params', parameters, '--input', 'text');
      expect(told.exitCode, name).toBe(8);
      expect(told.out).toContain(`programs/README.md tells what ${name} takes`);
      expect(told.out).toMatch(/^4 .* - /m);
    }
  });

  test('of a combine that fails on any two values, without an input, is not told that all is well', async () => {
    const name = file('samples', packed(failingSamples));
    const told = await ask('program', 'check', name, '--seed', '1', '--runs', '40');
    expect(told.exitCode, told.out).toBe(8);
    expect(told.out).toContain('FAILED: COMBINE_FAILED');
    expect(told.out).toMatch(/^none {2}commutative/m);
    expect(told.out).not.toMatch(/^ok .*(commutative|associative)/m);
    const sound = file('sound-samples', sampledProgram('sum'));
    const green = await ask('program', 'check', sound, '--seed', '1', '--runs', '40');
    expect(green.exitCode, green.out).toBe(0);
  });

  test('of a combine that fails one way is told to look at the combine, not to add', async () => {
    const name = file('one-way', eightByteProgram('trap in one order', fixed));
    writeFileSync(
      join(place.directory, 'rising'),
      Uint8Array.from({ length: 64 }, (_, at) => at),
    );
    const told = await ask(
      ...['program', 'check', name, '--input', 'rising', '--seed', '1', '--runs', '100'],
    );
    expect([4, 8]).toContain(told.exitCode);
    expect(told.out).toMatch(/Combine fails on one way|Look at the combine/);
    expect(told.out).not.toContain('Let both sides count alike');
  });
});

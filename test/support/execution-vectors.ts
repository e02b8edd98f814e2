/** Ask the questions whose answers stand in spec/vectors/execution.json. */
import {
  type CallQuestion,
  type CallVector,
  type EngineVectors,
  foundByCall,
  foundByRun,
  type RunQuestion,
  type RunVector,
} from '../../node/executor/examine.ts';
import { type FunctionSource, i32, i64, op, program } from '../fixtures/programs/assemble.ts';
import { type Extra, f64, moduleOf, type Source } from './modules.ts';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const bytesOf = (text: string): string => Buffer.from(text).toString('hex');
const plenty = `${10n ** 12n}`;

type Run = { readonly name: string; readonly timed?: true } & RunQuestion;

const run = (
  name: string,
  functions: readonly Source[],
  given: readonly string[] = [],
  fuel = plenty,
  extra: Extra = {},
): Run => ({
  ...{ name, module: base64(moduleOf(functions, extra)), export: 'run' },
  ...{ arguments: given, fuel },
});

/** Counts the first parameter down to zero, in a local behind it. */
const repeat = (body: readonly number[]): number[] => [
  ...[0x20, 0, 0x21, 1, 0x03, 0x40, ...body],
  ...[0x20, 1, 0x41, 1, 0x6b, 0x22, 1, 0x0d, 0, 0x0b],
];
const looped = (body: readonly number[]): Source => ({
  ...{ name: 'run', params: [i32], locals: [i32], body: repeat(body) },
});
const leaf: Source = { params: [i32], results: [i32], body: [0x20, 0, 0x41, 1, 0x6a] };
const table = { 4: [1, 0x70, 0, 1], 9: [1, 0, 0x41, 0, 0x0b, 1, 0] };
const gives = (results: readonly number[], body: readonly number[]): Source => ({
  ...{ name: 'run', results, body },
});

const double = (value: number): number[] => [
  ...[0x44, ...new Uint8Array(new Float64Array([value]).buffer)],
];
const doubleBits = (bits: bigint): number[] => [
  ...[0x44, ...new Uint8Array(new BigUint64Array([bits]).buffer)],
];
const singleBits = (bits: number): number[] => [
  ...[0x43, ...new Uint8Array(new Uint32Array([bits]).buffer)],
];
/** NaNs whose payloads an operation may keep, quiet, or exchange for another. */
const strange = doubleBits(0x7ff8_0000_0000_0abcn);
const signaling = doubleBits(0xfff0_0000_0000_0001n);
const asInteger = 0xbd;

const nans: readonly (readonly [name: string, body: readonly number[]])[] = [
  ['f64.add of two NaNs', [...strange, ...signaling, 0xa0]],
  ['f64.sub of infinities', [...double(1 / 0), ...double(1 / 0), 0xa1]],
  ['f64.mul of zero and infinity', [...double(0), ...double(-1 / 0), 0xa2]],
  ['f64.div of zeros', [...double(0), ...double(-0), 0xa3]],
  ['f64.min of a number and a NaN', [...double(1), ...signaling, 0xa4]],
  ['f64.max of a NaN and a number', [...strange, ...double(-1), 0xa5]],
  ['f64.sqrt of minus one', [...double(-1), 0x9f]],
  ['f64.nearest of a signaling NaN', [...signaling, 0x9e]],
  ['f64.neg of a made NaN', [...double(0), ...double(0), 0xa3, 0x9a]],
  ['f64.abs keeps a payload', [...signaling, 0x99]],
  ['f64.copysign keeps a payload', [...strange, ...double(-1), 0xa6]],
  ['f64.promote of a NaN', [...singleBits(0xffa0_0001), 0xbb]],
];

/** The deepest frames for what they cost: twenty arguments. */
const recursion: Source = {
  name: 'run',
  params: new Array<number>(20).fill(i64),
  results: [i64],
  body: [...Array.from({ length: 20 }, (_, at) => op.get(at)).flat(), ...op.call(0), 0x42, 1, 0x7c],
};
const recursionArguments = Array.from({ length: 20 }, (_, at) => `i64:${at}`);
const small: Source = { name: 'run', body: [...op.call(0)] };
const factorial: Source = {
  ...{ name: 'run', params: [i64], results: [i64] },
  body: [
    ...[0x20, 0, 0x50, 0x04, i64, 0x42, 1, 0x05],
    ...[0x20, 0, 0x20, 0, 0x42, 1, 0x7d, ...op.call(0), 0x7e, 0x0b],
  ],
};

const subnormal: Source = {
  ...{ name: 'run', params: [i32], locals: [i32, f64] },
  body: [
    ...[0x44, ...new Uint8Array(new Float64Array([1e-310]).buffer), 0x21, 2],
    ...repeat(Array.from({ length: 32 }, () => [0x20, 2, ...double(0.999), 0xa2, 0x21, 2]).flat()),
    ...[0x20, 2, ...double(0), 0x61, 0x1a],
  ],
};
const fill = [0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 11, 0];
const growNothing = [0x41, 0, 0x40, 0, 0x1a];

/** A global that the start function makes seven before it does the rest. */
const started = (body: readonly number[]): readonly [Source[], Extra] => [
  [gives([i32], [0x23, 0]), { body: [...op.i32(7), 0x24, 0, ...body] }],
  { 6: [1, i32, 1, 0x41, 0, 0x0b], 8: [1] },
];

function startRuns(): readonly Run[] {
  const of = (name: string, body: readonly number[], fuel = plenty): Run => {
    const [functions, extra] = started(body);
    return run(name, functions, [], fuel, extra);
  };
  return [
    of('an export behind a start function', []),
    of('a start function that traps', op.unreachable),
    of('a start function that never ends', op.loopForever, '1000000'),
    of('a start function that calls itself', op.call(1)),
    of('a start function that leaves just enough', [], '2'),
    of('a start function that leaves too little', [], '1'),
    of('a start function that runs out behind its end', [], '0'),
  ];
}

function runs(): readonly Run[] {
  return [
    run('a loop of a thousand turns', [looped([])], ['i32:1000']),
    run('a loop that has just enough', [looped([])], ['i32:1000'], '3000'),
    run('a loop that lacks one unit', [looped([])], ['i32:1000'], '2999'),
    run('an endless loop', [{ name: 'run', body: op.loopForever }], [], '1000000'),
    run('a leaf paid by its caller', [leaf, looped([0x20, 1, ...op.call(0), 0x1a])], ['i32:7']),
    run(
      'an indirect call',
      [leaf, { ...gives([i32], [0x41, 5, 0x41, 0, 0x11, 0, 0]) }],
      [],
      plenty,
      table,
    ),
    run('a reference of a function', [gives([i32], [0xd2, 0, 0xd1])]),
    ...startRuns(),
    run('memory.fill of 999 bytes', [gives([], [0x41, 0, 0x41, 7, ...op.i32(999), 0xfc, 11, 0])]),
    run('memory.grow by 15 pages', [gives([i32], [...op.i32(15), ...op.grow])]),
    run('memory.grow beyond the maximum', [gives([i32], [...op.i32(16), ...op.grow])]),
    run(
      'memory.grow that cannot be paid',
      [gives([i32], [...op.i32(15), ...op.grow])],
      [],
      '1014999',
    ),
    run('a factorial', [factorial], ['i64:20']),
    run('recursion without end', [small]),
    run('recursion without end, of large frames', [recursion], recursionArguments),
    run('an unreachable place', [gives([], op.unreachable)]),
    run('a division by zero', [gives([i32], [0x41, 1, 0x41, 0, 0x6d])]),
    run('a load outside of the memory', [gives([i32], [...op.i32(65_533), 0x28, 2, 0])]),
    run('a conversion of what is too large', [gives([i32], [...double(1e10), 0xaa])]),
    run('a saturating conversion', [gives([i32], [...double(1e10), 0xfc, 2])]),
    ...nans.map(([name, body]) => run(name, [gives([i64], [...body, asInteger])])),
    run('f32.demote of a NaN', [gives([i32], [...strange, 0xb6, 0xbc])]),
    run('f32.trunc of a NaN', [gives([i32], [...singleBits(0xff80_0001), 0x8f, 0xbc])]),
    { ...run('memory.fill of nothing', [looped(fill)], ['i32:4000']), timed: true },
    { ...run('memory.grow by nothing', [looped(growNothing)], ['i32:400']), timed: true },
    { ...run('products of subnormal numbers', [subnormal], ['i32:1500']), timed: true },
  ];
}

const value = (
  name: string,
  params: readonly number[],
  body: readonly number[],
): FunctionSource => ({
  ...{ name, params, results: [i64], body },
});
const four = [i32, i32, i32, i32];
/** Items of one to three bytes, from where the parameters lie. */
const generating = [
  value('anw_count', [i32, i32], op.i64(3n)),
  value(
    'anw_item',
    [i32, i32, i64],
    [...[0x20, 0, 0xad, 0x42, 32, 0x86, 0x20, 2, 0x42, 1, 0x7c, 0x84]],
  ),
];
const sampling = value(
  'anw_sample',
  [i32],
  [...[...op.get(0), 0xad, ...op.i64(32n), 0x86, ...op.i64(8n), 0x84]],
);
/** Holds where the item's length is the value's. */
const checking: FunctionSource = {
  ...{ name: 'anw_check', params: [...four, i32, i32, i32], results: [i32] },
  body: [0x20, 3, 0x20, 5, 0x46],
};
const endless = [...op.loopForever, ...op.unreachable];

type Call = { readonly name: string } & CallQuestion;
const asked = (
  name: string,
  bytes: Uint8Array,
  call: CallVector['call'],
  given: Partial<Omit<CallQuestion, 'program' | 'call'>> = {},
): Call => ({
  ...{ name, program: base64(bytes), call, parameters: bytesOf('{}'), item: '', values: [] },
  ...{ seed: '', fuel: plenty, ...given },
});

function calls(): readonly Call[] {
  const plain = program();
  const item = bytesOf('an item');
  const values = ['one', 'two', '', 'three'].map(bytesOf);
  const seed = bytesOf('seed'.repeat(8));
  const made = program({}, generating);
  const data = { raw: [{ id: 11, content: [1, 0, ...op.i32(0), 0x0b, 5, 1, 2, 3, 4, 5] }] };
  const rich = program({}, [sampling, checking, value('anw_render', four, op.pack(0, 1))]);
  const whole = BigInt(foundByCall(asked('', plain, 'map', { item })).used!);
  const shared = BigInt(foundByCall(asked('', made, 'map', { item: '#2' })).used!);
  const folded = BigInt(foundByCall(asked('', plain, 'fold', { values })).used!);
  // The second combine is as dear as the first, or dearer by what its longer arguments cost.
  const pair = [values[0]!, values[3]!];
  const dearest = foundByCall(asked('', plain, 'fold', { values: pair })).used!;
  return [
    asked('an item', plain, 'map', { item }),
    asked('an item that has just enough', plain, 'map', { item, fuel: `${whole}` }),
    asked('an item that lacks one unit', plain, 'map', { item, fuel: `${whole - 1n}` }),
    asked('an empty item, no parameters', plain, 'map', { parameters: '' }),
    asked('a limit that does not pay for the instance', plain, 'map', { item, fuel: '16000' }),
    asked('an item of a program with data', program({}, [], data), 'map', { item }),
    asked('data that lies outside of the memory', outside(), 'map', { item }),
    asked('an item that the program makes', made, 'map', { item: '#2' }),
    asked('the same with just enough', made, 'map', { item: '#2', fuel: `${shared}` }),
    asked('the same without one unit', made, 'map', { item: '#2', fuel: `${shared - 1n}` }),
    asked('an item that never ends', program({ anw_map: endless }), 'map', {
      item,
      fuel: '999999',
    }),
    asked('a result outside of the memory', program({ anw_map: op.i64(-1n) }), 'map', { item }),
    asked('an allocation outside', program({ anw_alloc: op.i32(-8) }), 'map', { item }),
    asked('an item that traps', program({ anw_map: op.unreachable }), 'map', { item }),
    ...startCalls(),
    asked('a fold of four values, one empty', plain, 'fold', { values }),
    asked('the same with just enough', plain, 'fold', { values, fuel: `${folded}` }),
    asked('the same without one unit', plain, 'fold', { values, fuel: `${folded - 1n}` }),
    asked('a fold whose combines have just enough', plain, 'fold', {
      values,
      fuelCombine: dearest,
    }),
    asked('the same without one unit of a combine', plain, 'fold', {
      ...{ values, fuelCombine: `${BigInt(dearest) - 1n}` },
    }),
    asked('combines that may use more than their fold', plain, 'fold', {
      ...{ values, fuel: `${folded - 1n}`, fuelCombine: plenty },
    }),
    asked('a fold of what can never be combined', program({ anw_combine: endless }), 'fold', {
      ...{ values, fuelCombine: '999999' },
    }),
    asked('a fold of one value', plain, 'fold', { values: [item], fuel: '1' }),
    asked('a count', made, 'count'),
    asked('a value by chance', rich, 'sample', { seed }),
    asked('a check that holds', rich, 'check', { item, values: [bytesOf('7 bytes')], seed }),
    asked('a check that refutes', rich, 'check', { item, values: [bytesOf('6 byte')], seed }),
    asked('a render', rich, 'render', { values: [item] }),
    asked('a render of a program without one', plain, 'render', { values: [item], fuel: '1' }),
  ];
}

/** Programs that move where they allocate before they do, and one whose data does not fit. */
function startCalls(): readonly Call[] {
  const started = (body: readonly number[], data: readonly number[] = []): Uint8Array => {
    const start: FunctionSource = { name: null, params: [], results: [], body };
    const segment = data.length === 0 ? [] : [{ id: 11, content: data }];
    return program({}, [start], { raw: [{ id: 8, content: [4] }, ...segment] });
  };
  const moving = started([...op.i32(65_530), 0x24, 0]);
  const given = { item: bytesOf('item'), parameters: '' };
  const ask = (name: string, bytes: Uint8Array, more = {}): Call =>
    asked(name, bytes, 'map', { ...given, ...more });
  const whole = BigInt(foundByCall(ask('', moving)).used!);
  const values = ['one', 'two', 'three'].map(bytesOf);
  return [
    ask('a start function before the allocation', moving),
    ask('the same with just enough', moving, { fuel: `${whole}` }),
    ask('the same without one unit', moving, { fuel: `${whole - 1n}` }),
    ask('a start function that leaves no room', moving, { item: bytesOf('longer') }),
    asked('a start function before each combine', moving, 'fold', { values }),
    ask('a start function before a map of nothing', started(op.unreachable), { item: '' }),
    ask(
      'data that does not fit before a start function that never ends',
      started(endless, [1, 0, ...op.i32(65_535), 0x0b, 2, 1, 2]),
    ),
    ask(
      'a start function that sees the data',
      // The byte at 0 becomes where allocation begins: 5 * 1 000.
      started(
        [...op.i32(0), 0x2d, 0, 0, ...op.i32(1_000), 0x6c, 0x24, 0],
        [1, 0, ...op.i32(0), 0x0b, 1, 5],
      ),
    ),
  ];
}

function outside(): Uint8Array {
  const raw = [{ id: 11, content: [1, 0, ...op.i32(65_535), 0x0b, 2, 1, 2] }];
  return program({}, [], { raw });
}

/** All vectors, with what is found here. */
export function makeVectors(): EngineVectors {
  return {
    runs: runs().map(({ timed, ...question }): RunVector => {
      const { outcome, used, left = null, value } = foundByRun(question);
      const found = { ...question, outcome, used, left, value };
      return timed === true ? { ...found, timed } : found;
    }),
    calls: calls().map(
      ({ name, ...question }): CallVector => ({ name, ...question, ...foundByCall(question) }),
    ),
  };
}

/** Rewrite mutants by the thousand, and run what is left of them on two compilers at once. */
import { setFlagsFromString } from 'node:v8';
import { type Exports, engine, validateModule } from '../../node/executor/engine.ts';
import { instrument } from '../../protocol/execution/instrument.ts';
import { depthLimit, runOutcome } from '../../protocol/execution/outcome.ts';
import { wide } from '../support/modules.ts';
import { numbers } from '../support/small-code.ts';
import { type EngineCase, exampleModules, plainCases } from './cases.ts';
import { mutate, type Pick } from './mutate.ts';

/** What became of mutants. */
export type FuzzFigures = {
  mutants: number;
  invalidRefused: number;
  invalidTaken: number;
  validRefused: number;
  validTaken: number;
  /** Calls of functions of valid ones that both compilers ran alike, by how they ended. */
  readonly calls: Record<string, number>;
};

const fuelOfCall = 20_000n;
/** No function of a mutant is given more than this: a value for each parameter, all alike. */
const callsMax = 4;

/** Modules to begin with: small enough to be changed a thousand times a second. */
export function seeds(): readonly Uint8Array[] {
  const small = (one: EngineCase): boolean => one.module.length < 4_000;
  const unlike = new Map(
    plainCases()
      .filter(small)
      .map((one) => [one.module.join(), one.module]),
  );
  return [...exampleModules(), ...unlike.values()];
}

export type FuzzOptions = {
  readonly rewrite?: typeof instrument;
  /** Depth units of a call; less where the stack of this process is not that of a sandbox. */
  readonly depth?: number;
};

/** Runs mutants until `count` are done; says how the first fault came about by throwing it. */
export function fuzz(
  count: number,
  seed: number,
  modules: readonly Uint8Array[],
  options: FuzzOptions = {},
): FuzzFigures {
  const pick = numbers(seed);
  const figures: FuzzFigures = {
    ...{ mutants: 0, invalidRefused: 0, invalidTaken: 0, validRefused: 0, validTaken: 0 },
    calls: {},
  };
  for (; figures.mutants < count; figures.mutants++) {
    const mutant = mutate(modules[pick(modules.length)]!, pick);
    try {
      judge(mutant, pick, figures, options);
    } catch (error) {
      const bytes = Buffer.from(mutant).toString('base64');
      throw new Error(`mutant ${figures.mutants} of seed ${seed}: ${bytes}`, { cause: error });
    }
  }
  return figures;
}

function judge(
  mutant: Uint8Array,
  pick: Pick,
  figures: FuzzFigures,
  { rewrite = instrument, depth = depthLimit }: FuzzOptions,
): void {
  const valid = validateModule(mutant);
  const free = pick(2) === 0;
  const made = rewrite(
    mutant,
    free ? { limits: { ...wide, unrolledBytes: 128 }, imports: 'any' } : {},
  );
  if (made.kind === 'rejected') {
    if (made.offset < 0 || made.offset > mutant.length) throw new Error(`offset ${made.offset}`);
    figures[valid ? 'validRefused' : 'invalidRefused'] += 1;
    return;
  }
  figures[valid ? 'validTaken' : 'invalidTaken'] += 1;
  if (!valid) return;
  if (!validateModule(made.bytes)) throw new Error('what was valid became invalid');
  // A table or memory of its own that is too large for many instances is not run.
  if (free) return;
  const plain = rewrite(mutant, { limits: { unrolledBytes: 0 } });
  if (plain.kind === 'rejected') throw new Error('refused without unrolled loops only');
  compareCompilers([plain.bytes, made.bytes], figures, depth);
}

const tiers = ['--liftoff-only', '--no-liftoff'] as const;

/**
 * Calls the exported functions on both compilers, the baseline one without unrolled loops, which
 * nobody may see. The bytes always differ a little, or both would share one code.
 */
function compareCompilers(bytes: readonly Uint8Array[], figures: FuzzFigures, depth: number): void {
  const [baseline, optimized] = tiers.map((tier, at) => {
    setFlagsFromString('--liftoff');
    setFlagsFromString('--no-liftoff-only');
    setFlagsFromString(tier);
    const marked = Uint8Array.from([...bytes[at]!, 0, 2, 1, 0x61 + at]);
    return callAll(new engine.Module(marked) as object, depth);
  });
  setFlagsFromString('--liftoff');
  setFlagsFromString('--no-liftoff-only');
  if (baseline!.join('\n') !== optimized!.join('\n'))
    throw new Error(`compilers differ: ${baseline!.join()} and ${optimized!.join()}`);
  for (const line of baseline!) {
    const outcome = line.split(' ')[0]!;
    figures.calls[outcome] = (figures.calls[outcome] ?? 0) + 1;
  }
}

function callAll(module: object, depth: number): string[] {
  const lines: string[] = [];
  const names = engine.Module.exports(module as never).map(({ name }) => name);
  for (const name of names.slice(0, callsMax)) {
    let exports: Exports;
    try {
      exports = new engine.Instance(module as never, {}).exports;
    } catch (error) {
      return [`${error instanceof engine.RuntimeError ? 'trap' : String(error)} of the instance`];
    }
    const call = exports[name] as unknown;
    if (typeof call === 'function') lines.push(`${callOne(exports, call as Call, depth)} ${name}`);
  }
  return lines;
}

type Call = ((...values: unknown[]) => unknown) & { readonly length: number };

function callOne(exports: Exports, call: Call, units: number): string {
  const counters = exports as unknown as Record<string, { value: bigint | number }>;
  counters.__anw_fuel!.value = fuelOfCall;
  counters.__anw_depth!.value = units;
  let [result, returned] = ['', true];
  try {
    (exports.__anw_start as (() => void) | undefined)?.();
    // An i64 takes no number: then each parameter is tried as one.
    result = String(call(...new Array<number>(call.length).fill(3)));
  } catch (error) {
    if (error instanceof TypeError) return 'untyped';
    if (!(error instanceof engine.RuntimeError)) return String(error);
    returned = false;
  }
  const fuel = counters.__anw_fuel!.value as bigint;
  const depth = counters.__anw_depth!.value as number;
  const memory = exports.memory as { buffer?: ArrayBuffer } | undefined;
  const sum = memory?.buffer === undefined ? 0 : sumOf(memory.buffer);
  return `${runOutcome({ returned, fuel, depth })} ${result} ${fuel} ${depth} ${sum}`;
}

/** Enough to tell apart what two compilers left in the first pages of a memory. */
function sumOf(buffer: ArrayBuffer): number {
  let sum = 0;
  for (const word of new Int32Array(buffer, 0, Math.min(buffer.byteLength, 131_072) >> 2))
    sum = (Math.imul(sum, 31) + word) | 0;
  return sum;
}

if (process.argv[1]?.endsWith('fuzz.ts')) {
  const start = performance.now();
  const [count, seed] = [Number(process.argv[2]), Number(process.argv[3])];
  const { mutants, calls, ...kinds } = fuzz(count, seed, seeds());
  const seconds = Math.round((performance.now() - start) / 1_000);
  const list = (of: object): string =>
    Object.entries(of)
      .map(([name, times]) => `${name} ${times}`)
      .join(', ');
  console.log(list(kinds));
  console.log(`calls: ${list(calls)}`);
  console.log(`${mutants} mutants, seed ${seed}, ${seconds} s`);
}

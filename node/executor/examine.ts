/** Show, inside a child, whether this machine's engine does what the vectors say. */
import { startExport } from '../../protocol/execution/abi.ts';
import { instrument } from '../../protocol/execution/instrument.ts';
import { depthLimit, type RunOutcome, runOutcome } from '../../protocol/execution/outcome.ts';
import { type Exports, engine, type Global, type Module } from './engine.ts';
import type { CallResult } from './instance.ts';
import { check, combine, count, fold, mapItem, openProgram, render, sample } from './program.ts';

/** A run of one export of a module. Integers are texts: `i32:1`, `i64:-1`, fuel `1000`. */
export type RunVector = {
  readonly name: string;
  /** Base64 of the module before it is rewritten. */
  readonly module: string;
  readonly export: string;
  readonly arguments: readonly string[];
  readonly fuel: string;
  readonly outcome: string;
  /** Fuel that it used; null unless it is `ok`. */
  readonly used: string | null;
  /** Fuel left behind where it ran out of it; null otherwise. */
  readonly left: string | null;
  readonly value: string | null;
  /** The dearest instructions for what they are charged: the run is timed. */
  readonly timed?: true;
};

/** A call of a program, as a host makes it. Bytes are hexadecimal. */
export type CallVector = {
  readonly name: string;
  /** Base64 of the program. */
  readonly program: string;
  readonly call: 'map' | 'combine' | 'fold' | 'render' | 'count' | 'sample' | 'check';
  readonly parameters: string;
  /** Bytes of an item, or `#` and the index of one that the program makes. */
  readonly item: string;
  readonly values: readonly string[];
  readonly seed: string;
  readonly fuel: string;
  /** What each combine of a fold may use; as much as all of them, unless given. */
  readonly fuelCombine?: string;
  readonly outcome: string;
  readonly used: string | null;
  readonly value: string | null;
};

/** A vector without what is to be found. */
export type RunQuestion = Pick<RunVector, 'module' | 'export' | 'arguments' | 'fuel'>;
export type CallQuestion = Omit<CallVector, 'name' | 'outcome' | 'used' | 'value'>;

export type EngineVectors = {
  readonly runs: readonly RunVector[];
  readonly calls: readonly CallVector[];
};

/** What an examination came to. */
export type EngineReport = {
  /** The first vector that this machine does not meet; null if it meets all. */
  readonly fault: {
    readonly vector: string;
    readonly expected: string;
    readonly found: string;
  } | null;
  /** Picoseconds of processor time that a unit of fuel took in the dearest of the timed runs. */
  readonly picosecondsPerFuel: number;
  readonly dearest: string;
};

/** What a vector says that shall be found, or what was. */
export type Found = Pick<RunVector, 'outcome' | 'used' | 'value'> & {
  readonly left?: string | null;
};

/** Times that a timed run is repeated: the quickest counts. */
const timedRunCount = 3;

/** Runs all vectors, and the timed ones again and again. Never throws. */
export function examineEngine({ runs, calls }: EngineVectors): EngineReport {
  let fault: EngineReport['fault'] = null;
  let slowest = { picosecondsPerFuel: 0, dearest: '' };
  const compare = (name: string, expected: Found, find: () => Found): void => {
    const [wanted, found] = [shown(expected), shown(attempt(find))];
    if (wanted !== found) fault ??= { vector: name, expected: wanted, found };
  };
  for (const vector of runs) {
    const { name, outcome, used, left, value } = vector;
    let leastUs = Number.POSITIVE_INFINITY;
    compare(name, { outcome, used, left, value }, () => {
      const module = rewritten(vector.module);
      let found = runOnce(module, vector);
      for (let time = 0; vector.timed === true && time < timedRunCount; time++) {
        const before = process.cpuUsage();
        found = runOnce(module, vector);
        const { user, system } = process.cpuUsage(before);
        leastUs = Math.min(leastUs, user + system);
      }
      return found;
    });
    if (vector.timed !== true || used === null) continue;
    const picosecondsPerFuel = Math.ceil((leastUs * 1_000_000) / Number(used));
    if (picosecondsPerFuel > slowest.picosecondsPerFuel)
      slowest = { picosecondsPerFuel, dearest: name };
  }
  for (const vector of calls) {
    const { name, outcome, used, value } = vector;
    compare(name, { outcome, used, value }, () => foundByCall(vector));
  }
  return { fault, ...slowest };
}

function shown({ outcome, used, left = null, value }: Found): string {
  const parts = [
    outcome,
    used && `${used} used`,
    left && `${left} left`,
    value && `value ${value}`,
  ];
  return parts.filter((part) => part !== null).join(', ');
}

/** What ends a run otherwise than by its counters is found as well. */
function attempt(find: () => Found): Found {
  try {
    return find();
  } catch (error) {
    const { name, message } = error as Error;
    return { outcome: `${name}: ${message}`, used: null, value: null };
  }
}

const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

function rewritten(module: string): Module {
  const made = instrument(fromBase64(module));
  if (made.kind === 'rejected') throw new Error(`${made.code} at byte ${made.offset}`);
  return new engine.Module(made.bytes);
}

/** What comes of a run. */
export function foundByRun(vector: RunQuestion): Found {
  return runOnce(rewritten(vector.module), vector);
}

function runOnce(module: Module, { export: name, arguments: given, fuel }: RunQuestion): Found {
  const exports: Exports = new engine.Instance(module, {}).exports;
  const [fuelLeft, depthLeft] = [exports.__anw_fuel, exports.__anw_depth] as [Global, Global];
  fuelLeft.value = BigInt(fuel);
  depthLeft.value = depthLimit;
  const values = given.map((text) =>
    text.startsWith('i64:') ? BigInt(text.slice(4)) : Number(text.slice(4)),
  );
  let result: number | bigint | undefined;
  const enter = (entry: string, values: (number | bigint)[]): RunOutcome => {
    let returned = true;
    try {
      const run = exports[entry] as (...values: (number | bigint)[]) => typeof result;
      result = run(...values);
    } catch (error) {
      if (!(error instanceof engine.RuntimeError)) throw error;
      returned = false;
    }
    const [fuel, depth] = [BigInt(fuelLeft.value), Number(depthLeft.value)];
    return runOutcome({ returned, fuel, depth });
  };
  const begun = exports[startExport] === undefined ? 'ok' : enter(startExport, []);
  const outcome = begun === 'ok' ? enter(name, values) : begun;
  const left = BigInt(fuelLeft.value);
  const type = typeof result === 'bigint' ? 'i64' : 'i32';
  return {
    outcome,
    used: outcome === 'ok' ? `${BigInt(fuel) - left}` : null,
    left: outcome === 'out-of-fuel' ? `${left}` : null,
    value: outcome === 'ok' && result !== undefined ? `${type}:${result}` : null,
  };
}

/** What comes of a call. */
export function foundByCall(vector: CallQuestion): Found {
  const result = callOnce(vector);
  return result.ok
    ? { outcome: 'ok', used: `${result.fuel}`, value: Buffer.from(result.value).toString('hex') }
    : { outcome: result.class, used: null, value: null };
}

function callOnce(vector: CallQuestion): CallResult {
  const program = openProgram(fromBase64(vector.program));
  const fuel = BigInt(vector.fuel);
  const [parameters, seed] = [fromHex(vector.parameters), fromHex(vector.seed)];
  const item = vector.item.startsWith('#') ? BigInt(vector.item.slice(1)) : fromHex(vector.item);
  const values = vector.values.map(fromHex);
  const [value = new Uint8Array(0), other = value] = values;
  switch (vector.call) {
    case 'map':
      return mapItem(program, parameters, item, fuel);
    case 'combine':
      return combine(program, value, other, fuel);
    case 'fold':
      return fold(program, values, { combine: BigInt(vector.fuelCombine ?? fuel), fold: fuel });
    case 'render':
      return render(program, parameters, value, fuel);
    case 'count':
      return count(program, parameters, fuel);
    case 'sample':
      return sample(program, seed, fuel);
    case 'check':
      return check(program, { parameters, item, value, seed }, fuel);
  }
}

/** Run every case at every limit on the engine of this process, and say all that can be seen. */
import { createHash } from 'node:crypto';
import { type Exports, engine } from '../../node/executor/engine.ts';
import { instrument } from '../../protocol/execution/instrument.ts';
import { depthLimit, runOutcome } from '../../protocol/execution/outcome.ts';
import { type EngineCase, exampleCalls, exampleNames, plainCases } from './cases.ts';
import { driverOf } from './driver.ts';

/** What can be seen of a run; integers as text. */
export type Observation = {
  readonly limit: string;
  /** Depth units at its beginning. */
  readonly units: number;
  /** As `runOutcome` says; `stack` where the engine's own stack was full. */
  readonly outcome: string;
  readonly returned: boolean;
  readonly value: string;
  readonly fuel: string;
  readonly depth: number;
  readonly pages: number;
  /** Of the memory, as it is then. */
  readonly sha256: string;
  readonly digest: string;
};
export type Observed = {
  readonly name: string;
  /** Of the rewritten module. */
  readonly sha256: string;
  readonly runs: readonly Observation[];
};

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export function rewrite(one: EngineCase): Uint8Array {
  const made = instrument(one.module);
  if (made.kind === 'rejected') throw new Error(`${one.name}: ${made.code}: ${made.reason}`);
  return made.bytes;
}

type Driver = Readonly<Record<string, (fuel?: bigint, depth?: number) => bigint | number>>;

/** Depth for which the value stack of wabt's interpreter, 32 768 values, is enough. */
const shallowUnits = 25_000;

function runOnce(rewritten: object, driver: object, limit: bigint, units = depthLimit) {
  const instance = (module: object, imports: object): Exports =>
    new engine.Instance(module as never, imports).exports;
  let program: Exports;
  try {
    program = instance(rewritten, {});
  } catch (error) {
    // Segments that do not fit: there is nothing that could be looked at.
    if (!(error instanceof engine.RuntimeError)) throw error;
    return { seen: unmade(limit), memory: new Uint8Array(0) };
  }
  const it = instance(driver, { p: program }) as unknown as Driver;
  it.set!(limit, units);
  let [value, returned, full] = [0n, true, false];
  try {
    value = it.run!() as bigint;
  } catch (error) {
    if (!(error instanceof engine.RuntimeError) && !(error instanceof RangeError)) throw error;
    full = error instanceof RangeError;
    returned = false;
  }
  const [fuel, depth] = [it.fuel!() as bigint, it.depth!() as number];
  const memory = new Uint8Array((program.memory as { buffer: ArrayBuffer }).buffer);
  const outcome = full ? 'stack' : runOutcome({ returned, fuel, depth });
  const seen: Observation = {
    ...{ limit: `${limit}`, units, outcome, returned, value: `${BigInt.asUintN(64, value)}` },
    ...{ fuel: `${fuel}`, depth, pages: it.pages!() as number, sha256: sha256(memory) },
    digest: `${BigInt.asUintN(64, it.digest!() as bigint)}`,
  };
  return { seen, memory };
}

const unmade = (limit: bigint): Observation => ({
  ...{ limit: `${limit}`, units: 0, outcome: 'trap', returned: false, value: '0', fuel: '0' },
  depth: 0,
  ...{ pages: -1, sha256: '', digest: '' },
});

/** Runs a case with its largest limit, and then with lower ones that follow from what it used. */
export function observe(one: EngineCase): Observed & { readonly result: Uint8Array | null } {
  const bytes = rewrite(one);
  const rewritten = new engine.Module(bytes);
  const driver = new engine.Module(driverOf(one));
  const { seen, memory } = runOnce(rewritten, driver, one.fuel);
  const ends = seen.outcome !== 'out-of-fuel';
  const used = ends ? one.fuel - BigInt(seen.fuel) : one.fuel - 1n;
  const parts = [2n, 3n, 5n, 7n, 11n].map((part) => used / part);
  const limits = [used, used - 1n, ...parts, 1_000n, 100n, 0n];
  const again = [
    ...limits.map((limit) => () => runOnce(rewritten, driver, limit)),
    () => runOnce(rewritten, driver, one.fuel, shallowUnits),
  ];
  const runs = seen.pages < 0 ? [] : again.map((run) => run().seen);
  const packed = BigInt(seen.value);
  const at = Number(packed >> 32n);
  const result =
    seen.outcome === 'ok' ? memory.slice(at, at + Number(packed & 0xffff_ffffn)) : null;
  return { name: one.name, sha256: sha256(bytes), runs: [seen, ...runs], result };
}

/** All cases, with the calls of the example programs made one after another. */
export function observeAll(): { readonly cases: readonly EngineCase[]; readonly all: Observed[] } {
  const all: Observed[] = [];
  const keep = (one: EngineCase): Uint8Array | null => {
    const { result, ...observed } = observe(one);
    all.push(observed);
    return result;
  };
  const countIsValue = (one: EngineCase): Uint8Array | null => {
    const result = keep(one);
    // The count is the result itself, not a place where bytes lie.
    return one.call === 'anw_count' ? new Uint8Array(8) : result;
  };
  const examples = exampleNames().flatMap((name) => exampleCalls(name, countIsValue));
  const others = plainCases();
  for (const one of others) keep(one);
  return { cases: [...examples, ...others], all };
}

if (process.argv[2] === '--print') console.log(JSON.stringify(observeAll().all));

/** Run WebAssembly's own test suite, first as it is, then rewritten: the same must come out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Exports, engine } from '../../node/executor/engine.ts';
import { instrument } from '../../protocol/execution/instrument.ts';
import { depthLimit, type RunOutcome, runOutcome } from '../../protocol/execution/outcome.ts';
import { wide } from '../support/modules.ts';
import { type Callee, callExactly, gave, type NanCount, type SpecValue } from './spec-values.ts';

type Action = {
  readonly type: 'invoke' | 'get';
  readonly module?: string;
  readonly field: string;
  readonly args?: readonly SpecValue[];
};
type Command = {
  readonly type: string;
  readonly line: number;
  readonly name?: string;
  readonly as?: string;
  readonly filename?: string;
  readonly module_type?: string;
  readonly text?: string;
  readonly action?: Action;
  readonly expected?: readonly SpecValue[];
};

/** Assertions that held, by kind, and what did not. */
export type SuiteFigures = {
  readonly modules: number;
  readonly returns: number;
  readonly traps: number;
  readonly exhaustions: number;
  /** Modules that must not be: refused by this engine, or younger than the suite. */
  readonly refused: number;
  readonly younger: number;
  readonly nans: NanCount;
  /** `file:line: what was expected, what came`. */
  readonly deviations: readonly string[];
};

type Counters = { fuel: { value: bigint }; depth: { value: number } };
type Run = {
  readonly folder: string;
  readonly rewrites: boolean;
  readonly figures: { -readonly [K in keyof SuiteFigures]: SuiteFigures[K] };
  readonly instances: Map<string, Exports>;
  readonly registered: Record<string, unknown>;
  readonly counters: Counters[];
  last: Exports | null;
};

const plenty = 2n ** 62n;
/** Ends of a run beside those of a program: the engine's own stack, or a module it cannot link. */
type End = RunOutcome | 'stack' | 'link';

/** Runs the files that `wast2json` made of one text; `name` is the file without its ending. */
export function runSpecFile(folder: string, name: string, rewrites: boolean): SuiteFigures {
  const { commands } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
  const run: Run = {
    folder,
    rewrites,
    figures: {
      ...{ modules: 0, returns: 0, traps: 0, exhaustions: 0, refused: 0, younger: 0 },
      nans: { canonical: 0, negative: 0, other: 0 },
      deviations: [],
    },
    instances: new Map(),
    registered: { spectest: spectest() },
    counters: [],
    last: null,
  };
  const deviations: string[] = [];
  for (const command of commands as Command[]) {
    let found: string | null;
    try {
      found = perform(run, command);
    } catch (error) {
      found = `${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
    }
    if (found !== null) deviations.push(`${name}.wast:${command.line}: ${command.type}: ${found}`);
  }
  return { ...run.figures, deviations };
}

/** What the suite lets its modules import. */
function spectest(): object {
  const web = globalThis as unknown as {
    WebAssembly: Record<'Global' | 'Table' | 'Memory', new (...given: unknown[]) => object>;
  };
  const { Global, Table, Memory } = web.WebAssembly;
  const print = (): void => {};
  return {
    ...{ print, print_i32: print, print_i64: print, print_f32: print, print_f64: print },
    ...{ print_i32_f32: print, print_f64_f64: print },
    global_i32: new Global({ value: 'i32' }, 666),
    global_i64: new Global({ value: 'i64' }, 666n),
    global_f32: new Global({ value: 'f32' }, 666.6),
    global_f64: new Global({ value: 'f64' }, 666.6),
    table: new Table({ initial: 10, maximum: 20, element: 'anyfunc' }),
    memory: new Memory({ initial: 1, maximum: 2 }),
  };
}

/** Says what went otherwise; null if nothing did. */
function perform(run: Run, command: Command): string | null {
  switch (command.type) {
    case 'module': {
      const { end, exports } = instantiate(run, readModule(run, command));
      run.figures.modules += 1;
      run.last = exports;
      if (exports !== null && command.name !== undefined) run.instances.set(command.name, exports);
      return end === 'ok' ? null : `instantiation ended with ${end}`;
    }
    case 'register': {
      const exports = command.name === undefined ? run.last : run.instances.get(command.name);
      run.registered[command.as!] = exports;
      return exports == null ? 'no such module' : null;
    }
    case 'action':
    case 'assert_return':
    case 'assert_trap':
    case 'assert_exhaustion':
      return act(run, command);
    case 'assert_unlinkable':
    case 'assert_uninstantiable': {
      const { end } = instantiate(run, readModule(run, command));
      if (end === 'trap' && command.type !== 'assert_unlinkable') run.figures.traps += 1;
      else if (end === 'ok') return 'it was instantiated';
      else run.figures.refused += 1;
      return null;
    }
    case 'assert_invalid':
    case 'assert_malformed':
      return refuse(run, command);
    default:
      return 'a command that is not known';
  }
}

const readModule = ({ folder }: Run, { filename }: Command): Uint8Array =>
  new Uint8Array(readFileSync(join(folder, filename!)));

/** A module that must not be: the engine refuses it, and the rewriter answers all the same. */
function refuse(run: Run, command: Command): string | null {
  if (command.module_type !== 'binary') return null;
  const bytes = readModule(run, command);
  const made = instrument(bytes, { limits: wide, imports: 'any' });
  if (!engine.validate(bytes)) run.figures.refused += 1;
  else {
    run.figures.younger += 1;
    if (made.kind === 'ok' && !engine.validate(made.bytes)) return 'a module became invalid';
  }
  return null;
}

/** Sets the counters of all instances, runs, and reads them. */
function metered(run: Run, body: () => void): End {
  for (const { fuel, depth } of run.counters) {
    fuel.value = plenty;
    depth.value = depthLimit;
  }
  let returned = true;
  try {
    body();
  } catch (error) {
    if (error instanceof RangeError) return 'stack';
    if (error instanceof engine.LinkError) return 'link';
    if (!(error instanceof engine.RuntimeError)) throw error;
    returned = false;
  }
  const ends = run.counters.map(({ fuel, depth }) =>
    runOutcome({ returned, fuel: fuel.value, depth: depth.value }),
  );
  const worst = ends.find((end) => end !== 'ok' && end !== 'trap') ?? (returned ? 'ok' : 'trap');
  const unwound = run.counters.every(({ depth }) => depth.value === depthLimit);
  if (worst === 'ok' && !unwound) throw new Error('the depth was not given back');
  return worst;
}

function instantiate(run: Run, bytes: Uint8Array): { end: End; exports: Exports | null } {
  let code = bytes;
  if (run.rewrites) {
    const made = instrument(bytes, { limits: wide, imports: 'any' });
    if (made.kind === 'rejected') throw new Error(`${made.code}: ${made.reason}`);
    code = made.bytes;
  }
  let exports: Exports | null = null;
  const end = metered(run, () => {
    exports = new engine.Instance(new engine.Module(code), run.registered).exports;
  });
  if (exports === null || !run.rewrites) return { end, exports };
  const own = exports as unknown as Record<string, never>;
  run.counters.push({ fuel: own.__anw_fuel!, depth: own.__anw_depth! });
  const start = own.__anw_start as unknown as (() => void) | undefined;
  return { end: start === undefined ? end : metered(run, start), exports };
}

function act(run: Run, { type, action, expected = [] }: Command): string | null {
  const { figures } = run;
  const { module, field, args = [], type: kind } = action!;
  const exports = module === undefined ? run.last : run.instances.get(module);
  const target = exports?.[field] as unknown;
  if (target == null) return `${field} is not exported`;
  if (kind === 'get') {
    figures.returns += 1;
    return sameGlobal((target as { value: unknown }).value, expected[0]!) ? null : 'another value';
  }
  let right = true;
  const end = metered(run, () => {
    const given = callExactly(target as Callee, args, expected);
    right = type === 'assert_return' ? gave(given, expected, figures.nans) : true;
  });
  if (type === 'action') return end === 'ok' ? null : `it ended with ${end}`;
  if (type === 'assert_return') {
    figures.returns += 1;
    return end !== 'ok' ? `it ended with ${end}` : right ? null : 'another value';
  }
  if (type === 'assert_trap') {
    figures.traps += 1;
    return end === 'trap' ? null : `it ended with ${end}`;
  }
  figures.exhaustions += 1;
  return end === (run.rewrites ? 'too-deep' : 'stack') ? null : `it ended with ${end}`;
}

/** A global is read as JavaScript reads it: that is enough for numbers that are no NaN. */
function sameGlobal(found: unknown, { type, value }: SpecValue): boolean {
  if (type.endsWith('ref')) return (found === null) === (value === 'null');
  const view = new DataView(new ArrayBuffer(8));
  const bits = BigInt(value as string);
  if (type === 'i64') return BigInt.asUintN(64, found as bigint) === bits;
  if (type === 'i32') return (found as number) >>> 0 === Number(bits);
  if (type === 'f32') view.setFloat32(4, found as number);
  else view.setFloat64(0, found as number);
  return view.getBigUint64(0) === bits;
}

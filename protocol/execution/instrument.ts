/** Rewrite a module: its fuel and depth are counted, its values the same on any machine. */
import { mark } from '../assert.ts';
import { utf8 } from '../brand.ts';
import { depthExport, fuelExport, startExport } from './abi.ts';
import { type Anatomy, type ImportRule, readAnatomy } from './anatomy.ts';
import { emitBody, type Scheme } from './emit.ts';
import { planCalls, summarize } from './graph.ts';
import { engineLimits, type InstrumentLimits, protocolLimits } from './limits.ts';
import { limit, moduleMagic } from './module.ts';
import { emitGrow } from './pieces.ts';
import { Reader } from './reader.ts';
import { ProgramError, type ProgramRejectionCode } from './rejection.ts';
import { limitOperands, walkBody } from './walk.ts';
import { Writer } from './writer.ts';

export type Instrumented =
  | { readonly kind: 'ok'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'rejected';
      readonly code: ProgramRejectionCode;
      /** Byte of the module at which the reason shows. */
      readonly offset: number;
      readonly reason: string;
    };

export type InstrumentOptions = {
  /** Caps of the module; those of programs where nothing else is said. */
  readonly limits?: Partial<InstrumentLimits>;
  /** `none` for programs; `any` to run modules of other origin, which import what they like. */
  readonly imports?: ImportRule;
};

/**
 * Rewrites a module: the same bytes and options give the same bytes on every host. Total: any
 * bytes give a module or a rejection, in time linear in their count.
 *
 * The engine's validation of the original is the caller's business. Of a valid module the result
 * is valid; of another one it may be anything. It exports what the original does, and
 * `__anw_fuel` and `__anw_depth`, which the caller sets before each run, in this order:
 * instantiate, set both, call `__anw_start` where there is one.
 * @see spec/protocol/execution.md X35 to X61
 */
export function instrument(
  bytes: Uint8Array,
  { limits: wished = protocolLimits, imports = 'none' }: InstrumentOptions = {},
): Instrumented {
  const limits = { ...protocolLimits, ...wished };
  try {
    const module = readAnatomy(bytes, limits, imports);
    return { kind: 'ok', bytes: rewrite(module, limits) };
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    mark('X35');
    return { kind: 'rejected', ...error.detail };
  }
}

/** What is appended to the sections of the module. */
type Additions = {
  readonly types: Writer;
  typeCount: number;
  /** Types of the functions behind the module's own. */
  readonly functionTypes: number[];
  readonly bodies: Writer;
};

function rewrite(module: Anatomy, limits: InstrumentLimits): Uint8Array {
  const { functions, importedFunctions, bodies, types } = module;
  const escaping = module.escaping.slice();
  let grows = false;
  let operands = 0;
  // Each body is walked twice, so that no more than one is held in memory.
  const summaries = bodies.map((_, at) => {
    const walk = walkBody(module, importedFunctions + at, limits);
    for (const index of walk.references) escaping[index] = 1;
    operands += walk.blockOperands;
    limitOperands(walk.codeEnd, operands, limits);
    grows ||= walk.grows;
    return summarize(walk);
  });
  const plan = planCalls(module, summaries, escaping, limits);
  const added: Additions = {
    types: new Writer(),
    typeCount: 0,
    functionTypes: [],
    bodies: new Writer(),
  };
  const clones = new Int32Array(functions.length).fill(-1);
  const resultsTypes = new Map<number, number>();
  const scheme: Scheme = {
    plan,
    clones,
    fuelGlobal: module.globals,
    depthGlobal: module.globals + 1,
    growFunction: functions.length,
    importedFunctions,
    unrolledBytes: limits.unrolledBytes,
    resultsType: (type) => {
      const known = resultsTypes.get(type) ?? addType(module, added, [], types[type]!.results);
      resultsTypes.set(type, known);
      return known;
    },
  };
  const body = new Writer();
  if (grows) {
    mark('X52');
    added.functionTypes.push(addType(module, added, [0x7f], [0x7f]));
    emitGrow(body, module.pagesMax!, scheme.fuelGlobal, scheme.depthGlobal);
    added.bodies.sized(body.written);
  }
  functions.forEach((type, index) => {
    if (plan.prepaid[index]! < 0 || escaping[index] === 0) return;
    clones[index] = functions.length + added.functionTypes.length;
    added.functionTypes.push(type);
  });
  const code = new Writer(module.bytes.length);
  bodies.forEach((range, at) => {
    const index = importedFunctions + at;
    const walk = walkBody(module, index, limits);
    for (let call = 0; call < walk.calls.length; call += 2) {
      const payer = walk.slotPayers[walk.calls[call]!]!;
      const total = plan.prepaid[walk.calls[call + 1]!]!;
      if (payer >= 0 && total > 0) walk.slotCosts[payer]! += total;
    }
    const emit = (into: Writer, raw: boolean): void => {
      body.length = 0;
      emitBody(body, module, index, walk, scheme, raw);
      if (body.length > engineLimits.functionBytes)
        limit(range.start, `${body.length} rewritten bytes`, engineLimits.functionBytes);
      into.sized(body.written);
    };
    emit(code, plan.prepaid[index]! >= 0 && clones[index]! < 0);
    if (clones[index]! >= 0) emit(added.bodies, true);
  });
  return assemble(module, added, code);
}

function addType(
  { types }: Anatomy,
  added: Additions,
  parameters: ArrayLike<number>,
  results: ArrayLike<number>,
): number {
  added.types.byte(0x60);
  added.types.sized(Uint8Array.from(parameters));
  added.types.sized(Uint8Array.from(results));
  added.typeCount += 1;
  return types.length + added.typeCount - 1;
}

/** Sections in their order; custom sections and the start section are left out. */
function assemble(module: Anatomy, added: Additions, code: Writer): Uint8Array {
  const out = new Writer(code.length + module.bytes.length);
  out.copy(moduleMagic);
  const section = new Writer();
  for (const id of [1, 2, 3, 4, 5, 6, 7, 9, 12, 10, 11]) {
    section.length = 0;
    switch (id) {
      case 1:
        extend(section, module, id, added.typeCount);
        section.copy(added.types.written);
        break;
      case 3:
        extend(section, module, id, added.functionTypes.length);
        for (const type of added.functionTypes) section.unsigned(type);
        break;
      case 6:
        extend(section, module, id, 2);
        section.op(0x7e, 0x01, 0x42, 0x00, 0x0b, 0x7f, 0x01, 0x41, 0x00, 0x0b);
        break;
      case 7:
        addExports(section, module);
        break;
      case 10:
        section.unsigned(module.bodies.length + added.functionTypes.length);
        section.copy(code.written);
        section.copy(added.bodies.written);
        break;
      default: {
        const range = module.sections.get(id);
        if (range !== undefined) section.copy(module.bytes, range.start, range.end);
      }
    }
    const empty = section.length === 0 || (section.length === 1 && section.bytes[0] === 0);
    if (empty && !module.sections.has(id)) continue;
    out.byte(id);
    out.sized(section.written);
  }
  mark('X60');
  return out.written.slice();
}

/** A section of the module as the beginning of a larger one. */
function extend(out: Writer, module: Anatomy, id: number, count: number): void {
  const range = module.sections.get(id);
  if (range === undefined) {
    out.unsigned(count);
    return;
  }
  const reader = new Reader(module.bytes, range.start, range.end);
  out.unsigned(reader.u32() + count);
  out.copy(module.bytes, reader.at, range.end);
}

function addExports(out: Writer, module: Anatomy): void {
  const { globals, start } = module;
  extend(out, module, 7, start === null ? 2 : 3);
  out.sized(utf8(fuelExport));
  out.op(0x03);
  out.unsigned(globals);
  out.sized(utf8(depthExport));
  out.op(0x03);
  out.unsigned(globals + 1);
  if (start === null) return;
  mark('X39');
  out.sized(utf8(startExport));
  out.op(0x00);
  out.unsigned(start);
}

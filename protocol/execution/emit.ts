/** Write a function's body with its charges, its depth and its canonical NaNs. */
import { mark } from '../assert.ts';
import type { Anatomy } from './anatomy.ts';
import type { CallPlan } from './graph.ts';
import { cost, shape } from './opcodes.ts';
import { event, eventStride, type Walk } from './slots.ts';
import type { Writer } from './writer.ts';

/** What the rewriter adds to the module, by index; and what it knows of all functions. */
export type Scheme = {
  readonly plan: CallPlan;
  readonly fuelGlobal: number;
  readonly depthGlobal: number;
  readonly growFunction: number;
  /** Index of the raw clone of a prepaid function that can be called by the host; else -1. */
  readonly clones: Int32Array;
  /** Index of the type without parameters and with the results of a type. */
  readonly resultsType: (type: number) => number;
};

/** Where a function's fuel is kept while it runs, if it charges at all. */
type Mode = 'raw' | 'global' | 'local';

type Emission = {
  readonly out: Writer;
  readonly walk: Walk;
  readonly scheme: Scheme;
  readonly mode: Mode;
  /** Depth units that it takes; 0 when it is not counted. */
  readonly weight: number;
  /** Locals that are added: fuel, a length, the depth, a NaN of each shape. */
  readonly fuel: number;
  readonly length: number;
  readonly depth: number;
  readonly nan: readonly number[];
  /** Whether its entry looks if fuel is left. */
  readonly checked: boolean;
};

/** Types of the locals that hold a NaN, by shape. */
const nanTypes = [0, 0x7d, 0x7c, 0x7b, 0x7b];
const quiet32 = [0x00, 0x00, 0xc0, 0x7f];
const quiet64 = [0, 0, 0, 0, 0, 0, 0xf8, 0x7f];

/**
 * Writes the locals and instructions of a function, without the length in front.
 * A raw one is paid by its callers: only NaNs are looked after.
 */
export function emitBody(
  out: Writer,
  module: Anatomy,
  index: number,
  walk: Walk,
  scheme: Scheme,
  raw: boolean,
): void {
  const emission = plan(out, index, walk, scheme, raw);
  emitLocals(emission, module.bytes);
  const { mode, weight } = emission;
  const wrapped = mode === 'local' || weight > 0;
  if (weight > 0) enterDepth(emission);
  if (mode === 'local') out.op(0x02, 0x40);
  if (wrapped) {
    out.byte(0x02);
    blockType(out, module, module.functions[index]!, scheme);
  }
  emitCode(emission, module.bytes, wrapped);
  if (wrapped) emitExit(emission);
}

function plan(out: Writer, index: number, walk: Walk, scheme: Scheme, raw: boolean): Emission {
  const { prepaid, weights } = scheme.plan;
  const mode = raw ? 'raw' : walk.loops ? 'local' : 'global';
  const weight = raw ? 0 : weights[index]!;
  const unpaid = walk.calls.some((callee, at) => at % 2 === 1 && prepaid[callee]! < 0);
  const checked = mode !== 'raw' && (walk.loops || unpaid || walk.indirect.size > 0);
  let next = walk.parameters + walk.locals;
  const local = (needed: boolean): number => (needed ? next++ : -1);
  return {
    out,
    walk,
    scheme,
    mode,
    weight,
    checked,
    fuel: local(mode === 'local' || checked || walk.bulk),
    length: local(walk.bulk),
    depth: local(weight > 0),
    nan: nanTypes.map((_, at) => local((walk.nanShapes & (1 << at)) !== 0)),
  };
}

function emitLocals({ out, walk, fuel, length, depth, nan }: Emission, bytes: Uint8Array): void {
  const added: number[] = [];
  if (fuel >= 0) added.push(0x7e);
  if (length >= 0) added.push(0x7f);
  if (depth >= 0) added.push(0x7f);
  nan.forEach((local, at) => {
    if (local >= 0) added.push(nanTypes[at]!);
  });
  out.unsigned(walk.groups + added.length);
  out.copy(bytes, walk.groupsStart, walk.codeStart);
  for (const type of added) out.op(1, type);
}

function blockType(out: Writer, module: Anatomy, type: number, scheme: Scheme): void {
  const { results } = module.types[type]!;
  if (results.length > 1) out.signed(scheme.resultsType(type));
  else out.byte(results[0] ?? 0x40);
}

function emitCode(emission: Emission, bytes: Uint8Array, wrapped: boolean): void {
  const { out, walk, scheme, mode } = emission;
  const { events } = walk;
  let from = walk.codeStart;
  for (let at = 0; at < events.length; at += eventStride) {
    const kind = events[at]!;
    if (kind === event.nanUnseen || (mode === 'raw' && kind === event.slot)) continue;
    out.copy(bytes, from, events[at + 1]!);
    from = events[at + 2]!;
    const start = events[at + 1]!;
    const value = events[at + 3]!;
    switch (kind) {
      case event.slot:
        emitCharge(emission, value);
        break;
      case event.call:
        emitCall(emission, value);
        break;
      case event.callIndirect:
        storeFuel(emission);
        out.copy(bytes, start, from);
        loadFuel(emission);
        break;
      case event.return:
        if (wrapped) {
          out.byte(0x0c);
          out.unsigned(value - 1);
        } else out.copy(bytes, start, from);
        break;
      case event.memoryGrow:
        storeFuel(emission);
        out.byte(0x10);
        out.unsigned(scheme.growFunction);
        loadFuel(emission);
        break;
      case event.nan:
        emitNan(emission, value);
        break;
      default:
        emitBulk(emission, kind, value);
    }
  }
  out.copy(bytes, from, walk.codeEnd);
}

function one(out: Writer, opcode: number, index: number): void {
  out.byte(opcode);
  out.unsigned(index);
}

/** `i64.const fuel; i64.sub` */
function subtract(out: Writer, fuel: number): void {
  out.byte(0x42);
  out.signed(fuel);
  out.byte(0x7d);
}

/** Traps if the i64 on top is negative; in a function with its own fuel, by its common exit. */
function emitCheck({ out, mode }: Emission, exitLabel: number): void {
  out.op(0x42, 0x00, 0x53);
  if (mode === 'local') one(out, 0x0d, exitLabel);
  else out.op(0x04, 0x40, 0x00, 0x0b);
}

function emitCharge(emission: Emission, slot: number): void {
  const { out, walk, scheme, mode, checked } = emission;
  const fuel = walk.slotCosts[slot]!;
  if (mode === 'local') {
    if (slot === 0) {
      one(out, 0x23, scheme.fuelGlobal);
      if (fuel > 0) subtract(out, fuel);
    } else if (fuel > 0) {
      one(out, 0x20, emission.fuel);
      subtract(out, fuel);
    } else return;
    const check = fuel > 0 && (slot === 0 || walk.slotLoops[slot]! > 0);
    one(out, check ? 0x22 : 0x21, emission.fuel);
    if (check) emitCheck(emission, slot === 0 ? 1 : walk.slotLoops[slot]!);
    mark('X56');
    return;
  }
  if (fuel === 0) return;
  mark('X55');
  const check = checked && slot === 0;
  one(out, 0x23, scheme.fuelGlobal);
  subtract(out, fuel);
  if (check) one(out, 0x22, emission.fuel);
  one(out, 0x24, scheme.fuelGlobal);
  if (!check) return;
  one(out, 0x20, emission.fuel);
  emitCheck(emission, 0);
}

function storeFuel({ out, scheme, mode, fuel }: Emission): void {
  if (mode !== 'local') return;
  one(out, 0x20, fuel);
  one(out, 0x24, scheme.fuelGlobal);
}

function loadFuel({ out, scheme, mode, fuel }: Emission): void {
  if (mode !== 'local') return;
  one(out, 0x23, scheme.fuelGlobal);
  one(out, 0x21, fuel);
}

function emitCall(emission: Emission, callee: number): void {
  const { out, scheme } = emission;
  if (scheme.plan.prepaid[callee]! < 0) {
    storeFuel(emission);
    one(out, 0x10, callee);
    loadFuel(emission);
    return;
  }
  mark('X40');
  const clone = scheme.clones[callee]!;
  one(out, 0x10, clone < 0 ? callee : clone);
}

/** Charges a bulk instruction by the length on top of the stack, which stays there. */
function emitBulk(emission: Emission, kind: number, exitLabel: number): void {
  const { out, scheme, mode, fuel, length } = emission;
  mark('X51');
  one(out, 0x22, length);
  if (mode === 'local') one(out, 0x20, fuel);
  else one(out, 0x23, scheme.fuelGlobal);
  one(out, 0x20, length);
  // Bytes / 8, or elements * 8.
  out.op(0xad, 0x42, 0x03, kind === event.bulkBytes ? 0x88 : 0x86, 0x7d);
  one(out, 0x22, fuel);
  if (mode === 'global') {
    one(out, 0x24, scheme.fuelGlobal);
    one(out, 0x20, fuel);
  }
  emitCheck(emission, exitLabel);
}

/** Puts the canonical NaN in the place of any NaN on top of the stack. */
function emitNan({ out, nan }: Emission, made: number): void {
  const local = nan[made]!;
  one(out, 0x22, local);
  if (made === shape.f32) out.op(0x43, ...quiet32);
  else if (made === shape.f64) out.op(0x44, ...quiet64);
  else {
    const lanes = made === shape.f32x4 ? [...quiet32, ...quiet32] : quiet64;
    out.op(0xfd, 0x0c, ...lanes, ...lanes);
  }
  one(out, 0x20, local);
  one(out, 0x20, local);
  if (made === shape.f32) out.op(0x5b, 0x1b);
  else if (made === shape.f64) out.op(0x61, 0x1b);
  else out.op(0xfd, made === shape.f32x4 ? 0x41 : 0x47, 0xfd, 0x52);
}

function enterDepth({ out, scheme, weight, depth }: Emission): void {
  one(out, 0x23, scheme.depthGlobal);
  out.byte(0x41);
  out.signed(weight);
  out.byte(0x6b);
  one(out, 0x22, depth);
  one(out, 0x24, scheme.depthGlobal);
  one(out, 0x20, depth);
  out.op(0x41, 0x00, 0x48, 0x04, 0x40, 0x00, 0x0b);
}

/** Behind the body: gives fuel and depth back, and is where a function goes that has run out. */
function emitExit(emission: Emission): void {
  const { out, scheme, mode, weight, fuel } = emission;
  storeFuel(emission);
  if (weight > 0) {
    one(out, 0x23, scheme.depthGlobal);
    out.byte(0x41);
    out.signed(weight);
    out.byte(0x6a);
    one(out, 0x24, scheme.depthGlobal);
  }
  if (mode === 'local') {
    out.op(0x0f, 0x0b);
    one(out, 0x20, fuel);
    one(out, 0x24, scheme.fuelGlobal);
    out.byte(0x00);
  }
  out.byte(0x0b);
}

/**
 * The body of the function that takes the place of `memory.grow`: it answers -1 only where the
 * declared maximum or the cap says no. A machine without the memory ends the run, which shows as
 * the least depth: no program may see it.
 */
export function emitGrow(out: Writer, pagesMax: number, scheme: Scheme): void {
  const { fuelGlobal, depthGlobal } = scheme;
  out.op(0x00, 0x20, 0, 0xad, 0x3f, 0, 0xad, 0x7c, 0x42);
  out.signed(pagesMax);
  out.op(0x56, 0x04, 0x40, 0x41, 0x7f, 0x0f, 0x0b);
  one(out, 0x23, fuelGlobal);
  out.op(0x20, 0, 0xad, 0x42);
  out.signed(cost.page);
  out.op(0x7e, 0x7d);
  one(out, 0x24, fuelGlobal);
  one(out, 0x23, fuelGlobal);
  out.op(0x42, 0x00, 0x53, 0x04, 0x40, 0x00, 0x0b);
  out.op(0x20, 0, 0x40, 0, 0x22, 0, 0x41, 0x7f, 0x46, 0x04, 0x40);
  // The least i32.
  out.op(0x41, 0x80, 0x80, 0x80, 0x80, 0x78);
  one(out, 0x24, depthGlobal);
  out.op(0x00, 0x0b, 0x20, 0, 0x0b);
}

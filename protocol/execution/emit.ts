/** Write a function's body with its charges, its depth and its canonical NaNs. */
import { mark } from '../assert.ts';
import type { Anatomy } from './anatomy.ts';
import type { CallPlan } from './graph.ts';
import { emitNan, giveBack, one, subtract } from './pieces.ts';
import { event, eventStride, type SmallLoop, type Walk } from './slots.ts';
import type { Writer } from './writer.ts';

/** What the rewriter adds to the module, by index; and what it knows of all functions. */
export type Scheme = {
  readonly plan: CallPlan;
  readonly fuelGlobal: number;
  readonly depthGlobal: number;
  readonly growFunction: number;
  /** Index of the raw clone of a prepaid function that can be called by the host; else -1. */
  readonly clones: Int32Array;
  /** Functions below this index are the host's, who may call back. */
  readonly importedFunctions: number;
  /** Bytes of the largest loop that is unrolled. */
  readonly unrolledBytes: number;
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
  /** It calls what may call back, or may do so by an indirect call. */
  readonly leaves: boolean;
  readonly nan: readonly number[];
  /** Whether its entry looks if fuel is left. */
  readonly checked: boolean;
  readonly unrolled: ReadonlySet<number>;
};

/** Types of the locals that hold a NaN, by shape. */
const nanTypes = [0, 0x7d, 0x7c, 0x7b, 0x7b];
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
  else if (emission.leaves) {
    one(out, 0x23, scheme.depthGlobal);
    one(out, 0x21, emission.depth);
  }
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
  const { importedFunctions } = scheme;
  const imported = walk.calls.some((callee, at) => at % 2 === 1 && callee < importedFunctions);
  const leaves = imported || (importedFunctions > 0 && walk.indirect.size > 0);
  let next = walk.parameters + walk.locals;
  const local = (needed: boolean): number => (needed ? next++ : -1);
  return {
    out,
    walk,
    scheme,
    mode,
    weight,
    checked,
    unrolled: mode === 'local' ? unrolledSlots(walk, scheme) : new Set(),
    fuel: local(mode === 'local' || checked || walk.bulk),
    length: local(walk.bulk),
    depth: local(weight > 0 || leaves),
    leaves,
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
  const { codeStart, codeEnd, events } = emission.walk;
  const whole = { start: codeStart, end: codeEnd, firstEvent: 0, endEvent: events.length };
  emitStretch(emission, bytes, whole, wrapped);
}

/** Copies a stretch of instructions, with what its events put in or exchange. */
function emitStretch(
  emission: Emission,
  bytes: Uint8Array,
  stretch: Omit<SmallLoop, 'slot' | 'repeatSlot'>,
  wrapped: boolean,
  paidSlot = -1,
): void {
  const { out, walk, scheme, mode } = emission;
  const { events } = walk;
  let from = stretch.start;
  for (let at = stretch.firstEvent; at < stretch.endEvent; at += eventStride) {
    const kind = events[at]!;
    if (kind === event.nanUnseen) continue;
    if (kind === event.slot && (mode === 'raw' || events[at + 3] === paidSlot)) continue;
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
        if (emission.leaves) restoreDepth(emission);
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
        emitNan(out, emission.nan[value]!, value);
        break;
      case event.loop:
        if (isUnrolled(emission, value)) emitUnrolled(emission, bytes, walk.smallLoops[value]!);
        break;
      case event.loopEnd:
        if (isUnrolled(emission, value)) out.byte(0x0b);
        break;
      default:
        emitBulk(emission, kind, value);
    }
  }
  out.copy(bytes, from, stretch.end);
}

/** Rounds of a small loop that are paid and checked at once. */
const roundsAtOnce = 4;
/** Loops of a function for which that is done. */
const unrolledLoopsMax = 64;
/** More locals than this make each construct dear to compile. */
const unrolledLocalsMax = 256;

/** Slots of the loops that are unrolled. */
function unrolledSlots(walk: Walk, { plan, unrolledBytes }: Scheme): Set<number> {
  const slots = new Set<number>();
  if (walk.parameters + walk.locals > unrolledLocalsMax) return slots;
  const { events } = walk;
  const plain = (at: number): boolean => {
    const kind = events[at]!;
    if (kind === event.call) return plan.prepaid[events[at + 3]!]! >= 0;
    return kind === event.slot || kind === event.nan || kind === event.nanUnseen;
  };
  for (const { slot, start, end, firstEvent, endEvent } of walk.smallLoops) {
    if (end - start > unrolledBytes || slots.size >= unrolledLoopsMax) continue;
    let at = firstEvent;
    while (at < endEvent && plain(at)) at += eventStride;
    if (at === endEvent) slots.add(slot);
  }
  return slots;
}

function isUnrolled({ walk, unrolled }: Emission, place: number): boolean {
  return place >= 0 && unrolled.has(walk.smallLoops[place]!.slot);
}

/**
 * Writes a small loop a second time, in front of itself, for as long as fuel is left for some
 * rounds whatever arms they take: these are paid at once, and what was not run is given back at
 * the loop's end. The loop itself follows for the last rounds, so that the fuel at each place
 * where it is looked at is the same as without this.
 */
function emitUnrolled(emission: Emission, bytes: Uint8Array, loop: SmallLoop): void {
  const { out, walk, fuel } = emission;
  const { slot, repeatSlot } = loop;
  mark('X90');
  let most = walk.slotCosts[slot]!;
  for (let at = loop.firstEvent; at < loop.endEvent; at += eventStride)
    if (walk.events[at] === event.slot) most += walk.slotCosts[walk.events[at + 3]!]!;
  // What a round costs that is not the last one, as far as all such rounds do.
  const unless = repeatSlot < 0 ? 0 : walk.slotCosts[repeatSlot]!;
  const round = walk.slotCosts[slot]! + unless;
  // block $done, block $last, loop $again
  out.op(0x02, 0x40, 0x02, 0x40, 0x03, 0x40);
  one(out, 0x20, fuel);
  out.byte(0x42);
  out.signed(roundsAtOnce * most);
  out.op(0x53, 0x0d, 0x01);
  one(out, 0x20, fuel);
  subtract(out, roundsAtOnce * round);
  one(out, 0x21, fuel);
  for (let left = roundsAtOnce - 1; left >= 0; left--) {
    // In a block, a branch back to the loop leads to the next round.
    if (left > 0) out.op(0x02, 0x40);
    emitStretch(emission, bytes, loop, true, repeatSlot);
    giveBack(out, fuel, left * round + unless);
    // br $done
    if (left > 0) out.op(0x0c, 0x03, 0x0b);
    else out.op(0x0c, 0x02, 0x0b, 0x0b);
  }
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
    // The exit of an unrolled loop is one block further out.
    const around = emission.unrolled.has(slot) ? 1 : 0;
    if (check) emitCheck(emission, slot === 0 ? 1 : walk.slotLoops[slot]! + around);
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

/** What a host called back may have trapped, and the host may have caught that. */
function restoreDepth({ out, scheme, depth }: Emission): void {
  mark('X92');
  one(out, 0x20, depth);
  one(out, 0x24, scheme.depthGlobal);
}

function emitCall(emission: Emission, callee: number): void {
  const { out, scheme } = emission;
  if (scheme.plan.prepaid[callee]! < 0) {
    storeFuel(emission);
    one(out, 0x10, callee);
    loadFuel(emission);
    if (callee < scheme.importedFunctions) restoreDepth(emission);
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

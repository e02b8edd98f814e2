/** Keep the operands and the charged slots of a function's body while it is walked. */
import { mark } from '../assert.ts';
import type { Anatomy } from './anatomy.ts';
import { engineLimits, type InstrumentLimits } from './limits.ts';
import { limit, readValueType } from './module.ts';
import { costs, form, makes, pops, prefixed, pushes, shape, tolerates } from './opcodes.ts';
import { Reader } from './reader.ts';

/** A place of the body where something is put in or exchanged. */
export const event = {
  /** A slot begins; the value is its index. */
  slot: 0,
  /** A direct call, and an indirect one; the value is the function. */
  call: 1,
  callIndirect: 2,
  /** A return; the value is the count of constructs that are open. */
  return: 3,
  memoryGrow: 4,
  /** A bulk instruction, charged by bytes / 8 or elements * 8; the value as for a return. */
  bulkBytes: 5,
  bulkElements: 6,
  /** A NaN that nobody looks at, and one that has to be made canonical; the value is its shape. */
  nanUnseen: 7,
  nan: 8,
  /** A small loop begins, in front of its opcode, or ends; the value is its place in `smallLoops`. */
  loop: 9,
  loopEnd: 10,
} as const;

/** Numbers per event in {@link Walk.events}: kind, first byte, byte behind, value. */
export const eventStride = 4;

/**
 * A loop that is repeated, takes and leaves no operands, has no loop inside that is repeated, and
 * that nothing leaves but by its end.
 */
export type SmallLoop = {
  readonly slot: number;
  /** The slot of an arm that ends a round by going back to the loop; -1 without one. */
  readonly repeatSlot: number;
  /** Its instructions, and their events: from behind its own slot to in front of its end. */
  readonly start: number;
  readonly end: number;
  readonly firstEvent: number;
  readonly endEvent: number;
};

export const slotKind = { function: 0, loop: 1, arm: 2 } as const;

/** What a walk found. All places are places in the module. */
export type Walk = {
  readonly parameters: number;
  readonly locals: number;
  /** Where the groups of locals begin, how many they are, and where the instructions begin. */
  readonly groupsStart: number;
  readonly groups: number;
  readonly codeStart: number;
  readonly codeEnd: number;
  readonly events: number[];
  /** Fuel of each slot, without what its prepaid callees add; 0 where it went to another. */
  readonly slotCosts: number[];
  /** The slot that pays for this one: itself, the one in front of an unrepeated loop, or -1. */
  readonly slotPayers: number[];
  /** Loops are charged each time around, with this many constructs open; 0 for other slots. */
  readonly slotLoops: number[];
  readonly smallLoops: SmallLoop[];
  /** Direct calls, two numbers each: slot and function. */
  readonly calls: number[];
  /** Types of its indirect calls. */
  readonly indirect: Set<number>;
  /** Functions that it names as values. */
  readonly references: number[];
  /** It has a loop that is repeated; an instruction charged by an operand; an indirect call. */
  readonly loops: boolean;
  readonly bulk: boolean;
  readonly grows: boolean;
  /** Shapes whose NaNs it makes canonical, one bit each. */
  readonly nanShapes: number;
  /** Depth units of its frame. */
  readonly frame: number;
  readonly tableChanges: number;
  /** Parameters and results of the types of its constructs. */
  readonly blockOperands: number;
};

/** A construct that is open. */
export type Frame = {
  /** Opcode form that opened it; `end` for the function itself. */
  kind: number;
  /** Slot that was charged before it, the loop's own, and that of an `if`. */
  readonly slot: number;
  readonly loopSlot: number;
  readonly armSlot: number;
  /** Slot of the `if` inside this loop that is entered just when the loop goes around again. */
  repeatSlot: number;
  /** The outermost construct that a branch inside it leads to. */
  target: number;
  /** The outermost construct that a label inside it names, in dead code too; `return` names none. */
  named: number;
  /** Branches that lead back to this loop, or behind this construct. */
  branches: number;
  /** Event of a loop's begin; -1 for other constructs. */
  readonly begin: number;
  /** A loop inside it is repeated. */
  holdsLoop: boolean;
  /** Operands below its own. */
  readonly base: number;
  readonly parameters: number;
  readonly results: number;
  /** It lies in dead code. */
  readonly dead: boolean;
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
/** A walk under way. */
export type State = Mutable<Walk> & {
  readonly reader: Reader;
  readonly module: Anatomy;
  readonly limits: InstrumentLimits;
  readonly frames: Frame[];
  top: Frame;
  slot: number;
  dead: boolean;
  height: number;
  heightMax: number;
  /** Operands that may be NaNs as they come: their heights, and the events of what made them. */
  readonly nanHeights: number[];
  readonly nanEvents: number[];
  readonly slotKinds: number[];
  readonly slotFree: boolean[];
  /** Instructions of each slot that cost nothing. */
  readonly slotIdle: number[];
  /** It holds vectors, or may be given some: an operand may take the place of two. */
  vectors: boolean;
  constructs: number;
};

/** Instructions of a slot that may cost nothing, and how many of those behind them cost 1. */
const idleFree = 32;
const idlePerFuel = 8;

export function enter(module: Anatomy, index: number, limits: InstrumentLimits): State {
  const { start, end } = module.bodies[index - module.importedFunctions]!;
  const type = module.types[module.functions[index]!]!;
  const reader = new Reader(module.bytes, start, end);
  const groupCount = reader.u32();
  const groupsStart = reader.at;
  let locals = 0;
  let vectors = 0;
  for (let i = 0; i < groupCount; i++) {
    const offset = reader.at;
    const count = reader.u32();
    const vector = readValueType(reader) === 'v';
    locals += count;
    if (vector) vectors += count;
    const max = Math.min(limits.locals, engineLimits.locals - type.parameters.length - 8);
    if (locals > max) limit(offset, `${locals} locals in one function`, max);
  }
  for (const parameter of type.parameters) if (parameter === 0x7b) vectors += 1;
  const top: Frame = {
    kind: form.end,
    slot: 0,
    loopSlot: -1,
    armSlot: -1,
    repeatSlot: -1,
    target: 0,
    named: 0,
    branches: 0,
    begin: -1,
    holdsLoop: false,
    base: 0,
    parameters: 0,
    results: type.results.length,
    dead: false,
  };
  const state: State = {
    parameters: type.parameters.length,
    locals,
    groupsStart,
    groups: groupCount,
    codeStart: reader.at,
    codeEnd: end,
    events: [],
    slotCosts: [],
    slotPayers: [],
    slotLoops: [],
    smallLoops: [],
    calls: [],
    indirect: new Set(),
    references: [],
    loops: false,
    bulk: false,
    grows: false,
    nanShapes: 0,
    frame: 8 + type.parameters.length + locals + vectors,
    tableChanges: 0,
    blockOperands: 0,
    reader,
    module,
    limits,
    frames: [top],
    top,
    slot: 0,
    dead: false,
    height: 0,
    heightMax: 0,
    nanHeights: [],
    nanEvents: [],
    slotKinds: [],
    slotFree: [],
    slotIdle: [],
    vectors: module.vectors || vectors > 0,
    constructs: 0,
  };
  openSlot(state, slotKind.function);
  // Locals are made anew by each call.
  state.slotIdle[0]! += locals + vectors;
  return state;
}

export function note(state: State, kind: number, start: number, end: number, value: number): void {
  state.events.push(kind, start, end, value);
}

/** Charges from here on to a slot of its own. */
export function openSlot(state: State, kind: number): void {
  const { at } = state.reader;
  const slot = (state.slot = state.slotCosts.length);
  state.slotCosts.push(0);
  state.slotPayers.push(slot);
  state.slotKinds.push(kind);
  state.slotLoops.push(kind === slotKind.loop ? state.frames.length : 0);
  state.slotFree.push(false);
  state.slotIdle.push(0);
  note(state, event.slot, at, at, slot);
}

/** Takes operands; NaNs among them are seen, unless they are of the shape that is tolerated. */
export function pop(state: State, count: number, tolerated: number): void {
  const height = state.height - count;
  if (height < state.top.base) state.reader.malformed('an operand is missing');
  state.height = height;
  const { nanHeights, nanEvents } = state;
  while (nanHeights.length > 0 && nanHeights[nanHeights.length - 1]! >= height) {
    nanHeights.pop();
    see(state, nanEvents.pop()!, tolerated);
  }
}

function see(state: State, at: number, tolerated: number): void {
  const made = state.events[at + 3]!;
  if (tolerated === shape.any || tolerated === made) {
    mark('X54');
    return;
  }
  mark('X53');
  state.events[at] = event.nan;
  state.nanShapes |= 1 << made;
}

export function push(state: State, count: number): void {
  state.height += count;
  if (state.height > state.heightMax) state.heightMax = state.height;
}

/** Forgets the operands above a height, seen or not. */
export function cutBack(state: State, height: number): void {
  const { nanHeights, nanEvents } = state;
  state.height = height;
  while (nanHeights.length > 0 && nanHeights[nanHeights.length - 1]! >= height) {
    nanHeights.pop();
    nanEvents.pop();
  }
}

export function pay(state: State, fuel: number): void {
  state.slotCosts[state.slot]! += fuel;
}

/** Lets each slot be paid where it belongs. */
export function leave(state: State): Walk {
  const { slotCosts, slotPayers, slotFree, slotIdle } = state;
  for (let slot = slotCosts.length - 1; slot >= 0; slot--) {
    const payer = slotPayers[slot]!;
    if (slotFree[slot]!) slotCosts[slot] = 0;
    else if (payer !== slot) {
      slotCosts[payer]! += slotCosts[slot]!;
      slotIdle[payer]! += slotIdle[slot]!;
      slotCosts[slot] = 0;
    } else {
      const least = Math.floor((slotIdle[slot]! - idleFree) / idlePerFuel);
      if (least <= slotCosts[slot]!) continue;
      mark('X91');
      slotCosts[slot] = least;
    }
  }
  for (let slot = 0; slot < slotCosts.length; slot++) {
    const payer = slotPayers[slot]!;
    if (slotFree[slot]!) slotPayers[slot] = -1;
    else if (payer !== slot) slotPayers[slot] = slotPayers[payer]!;
  }
  state.frame += state.vectors ? 2 * state.heightMax : state.heightMax;
  return state;
}

export function plain(state: State, opcode: number): void {
  pop(state, pops[opcode]!, tolerates[opcode]!);
  push(state, pushes[opcode]!);
  const fuel = costs[opcode]!;
  if (fuel === 0) state.slotIdle[state.slot]! += 1;
  else state.slotCosts[state.slot]! += fuel;
  if (opcode >= prefixed[0xfd]) state.vectors = true;
  const made = makes[opcode]!;
  if (made === shape.none) return;
  const { at } = state.reader;
  state.nanHeights.push(state.height - 1);
  state.nanEvents.push(state.events.length);
  note(state, event.nanUnseen, at, at, made);
}

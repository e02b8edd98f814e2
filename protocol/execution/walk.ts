/** Walk a function's body once: cut it into charged slots and note what has to be rewritten. */
import { mark } from '../assert.ts';
import type { Anatomy } from './anatomy.ts';
import { noSuchInstruction, passOver, readBlockType, readOpcode } from './immediates.ts';
import type { InstrumentLimits } from './limits.ts';
import { limit } from './module.ts';
import { cost, costs, form, forms, shape } from './opcodes.ts';
import {
  cutBack,
  enter,
  event,
  eventStride,
  type Frame,
  leave,
  note,
  openSlot,
  pay,
  plain,
  pop,
  push,
  type State,
  slotKind,
  type Walk,
} from './slots.ts';

/** @throws {@link ProgramError} when the body cannot be read, is not allowed or passes a cap. */
export function walkBody(module: Anatomy, index: number, limits: InstrumentLimits): Walk {
  const state = enter(module, index, limits);
  const { reader } = state;
  while (state.frames.length > 0) {
    const at = reader.at;
    const opcode = readOpcode(reader);
    const kind = forms[opcode]!;
    if (kind === 0) noSuchInstruction(at, opcode);
    if (kind >= form.unreachable) ruled(state, kind, opcode, at);
    else {
      passOver(reader, kind, state);
      if (!state.dead) plain(state, opcode);
    }
  }
  reader.finish();
  return leave(state);
}

function die(state: State): void {
  cutBack(state, state.top.base);
  state.dead = true;
}

function ruled(state: State, kind: number, opcode: number, at: number): void {
  // A loop is paid inside, each time around; from `memory.grow` on, the operands move as usual.
  if (kind < form.memoryGrow && kind !== form.loop && !state.dead) pay(state, costs[opcode]!);
  switch (kind) {
    case form.block:
    case form.loop:
    case form.if:
      open(state, kind, at);
      break;
    case form.else:
      otherwise(state);
      break;
    case form.end:
      close(state, at);
      break;
    case form.unreachable:
      trap(state);
      break;
    case form.branch:
    case form.branchIf:
      branch(state, kind);
      break;
    case form.branchTable:
      branchTable(state);
      break;
    case form.return:
      giveBack(state, at);
      break;
    case form.call:
      call(state, at);
      break;
    case form.callIndirect:
      callIndirect(state, at);
      break;
    default:
      memoryOrTable(state, kind, opcode, at);
      break;
  }
}

/** Types of many operands are short to name and dear to validate. @throws {@link ProgramError} */
export function limitOperands(
  offset: number,
  operands: number,
  { blockOperands }: InstrumentLimits,
): void {
  if (operands <= blockOperands) return;
  mark('X94');
  limit(offset, `${operands} operands of blocks`, blockOperands);
}

function open(state: State, kind: number, at: number): void {
  if (kind === form.block && !state.dead) state.slotIdle[state.slot]! += 1;
  const { reader, frames, limits } = state;
  const [parameters, results] = readBlockType(reader, state.module.types);
  if (frames.length > limits.nesting) {
    mark('X43');
    limit(reader.at, `constructs nested ${frames.length} deep`, limits.nesting);
  }
  state.blockOperands += parameters + results;
  limitOperands(reader.at, state.blockOperands, limits);
  state.constructs += 1;
  const product = (state.parameters + state.locals) * (state.constructs + 1);
  if (product > limits.localsByConstructs) {
    mark('X44');
    limit(reader.at, `${product} as (locals) * (constructs + 1)`, limits.localsByConstructs);
  }
  if (!state.dead) {
    if (kind === form.if) pop(state, 1, shape.none);
    pop(state, parameters, shape.none);
  }
  const { slot, dead, height: base } = state;
  const begin = kind === form.loop && !dead ? noteLoop(state, at) : -1;
  if (!dead) {
    push(state, parameters);
    if (kind !== form.block) openInside(state, kind);
  }
  const target = frames.length;
  const loopSlot = kind === form.loop && !dead ? state.slot : -1;
  const armSlot = kind === form.if && !dead ? state.slot : -1;
  const slots = { slot, loopSlot, armSlot, repeatSlot: -1 };
  const flags = { branches: 0, holdsLoop: false, dead };
  const leads = { target, named: target };
  frames.push(
    (state.top = { kind, ...slots, ...leads, begin, base, parameters, results, ...flags }),
  );
}

/** Notes where a loop begins, as one that is not small; returns the event. */
function noteLoop(state: State, at: number): number {
  note(state, event.loop, at, at, -1);
  return state.events.length - eventStride;
}

/** The slot inside a loop or an `if`: loops are charged as if one construct more were open. */
function openInside(state: State, kind: number): void {
  openSlot(state, kind === form.loop ? slotKind.loop : slotKind.arm);
  if (kind !== form.loop) return;
  state.slotLoops[state.slot]! += 1;
  pay(state, costs[0x03]!);
}

/** The result operands of the construct on top leave it. */
function yieldResults(state: State): void {
  if (!state.dead) pop(state, state.top.results, shape.none);
}

function otherwise(state: State): void {
  const { top } = state;
  if (top.kind !== form.if) state.reader.malformed('an else without its if');
  yieldResults(state);
  top.kind = form.else;
  state.dead = top.dead;
  if (top.dead) return;
  cutBack(state, top.base);
  push(state, top.parameters);
  openSlot(state, slotKind.arm);
}

function close(state: State, at: number): void {
  const { frames } = state;
  const fallsThrough = !state.dead;
  yieldResults(state);
  const frame = frames.pop()!;
  const outer = frames[frames.length - 1];
  if (outer === undefined) return;
  state.top = outer;
  outer.holdsLoop ||= frame.holdsLoop || (frame.loopSlot >= 0 && frame.branches > 0);
  outer.named = Math.min(outer.named, frame.named);
  state.dead = frame.dead;
  if (frame.dead) return;
  cutBack(state, frame.base);
  push(state, frame.results);
  outer.target = Math.min(outer.target, frame.target);
  if (frame.loopSlot >= 0) {
    if (frame.branches > 0) {
      mark('X48');
      state.loops = true;
      // In a copy, labels outside of it have other numbers: the engine minds them in dead code too.
      const outermost = Math.min(frame.target, frame.named);
      const closed = outermost >= frames.length && frame.parameters + frame.results === 0;
      if (closed && !frame.holdsLoop) noteSmallLoop(state, frame, at);
    } else {
      mark('X49');
      state.slotPayers[frame.loopSlot] = frame.slot;
      state.slotLoops[frame.loopSlot] = 0;
    }
  }
  // Nothing leaves this arm but a branch to the loop around it.
  const again = outer.loopSlot >= 0 && frame.target === frames.length - 1;
  if (frame.kind === form.if && again && !fallsThrough) outer.repeatSlot = frame.armSlot;
  if (frame.target >= frames.length) {
    // No branch leads out of it: what follows runs as often as what came before.
    mark('X46');
    state.slot = frame.slot;
  } else {
    mark('X47');
    openSlot(state, slotKind.arm);
  }
}

function noteSmallLoop(state: State, frame: Frame, end: number): void {
  const { events, smallLoops, reader } = state;
  const place = smallLoops.length;
  // Behind the loop's begin comes its slot, and then what is inside.
  const slotEvent = frame.begin + eventStride;
  events[frame.begin + 3] = place;
  const start = events[slotEvent + 1]!;
  const firstEvent = slotEvent + eventStride;
  const { loopSlot: slot, branches } = frame;
  // With a second way around, rounds may go on without the arm.
  const repeatSlot = branches === 1 ? frame.repeatSlot : -1;
  smallLoops.push({ slot, repeatSlot, start, end, firstEvent, endEvent: events.length });
  note(state, event.loopEnd, reader.at, reader.at, place);
}

function trap(state: State): void {
  if (state.dead) return;
  if (state.slotKinds[state.slot] === slotKind.arm) {
    mark('X50');
    state.slotFree[state.slot] = true;
  }
  die(state);
}

/** Reads a label and notes that a branch leads there; says how many operands it takes along. */
function aim(state: State): number {
  const { frames, reader } = state;
  const label = reader.index(frames.length, 'label');
  const target = frames.length - 1 - label;
  const frame = frames[target]!;
  state.top.named = Math.min(state.top.named, target);
  if (!state.dead) {
    state.top.target = Math.min(state.top.target, target);
    frame.branches += 1;
  }
  return frame.kind === form.loop ? frame.parameters : frame.results;
}

function branch(state: State, kind: number): void {
  const taken = aim(state);
  if (state.dead) return;
  if (kind === form.branchIf) pop(state, 1, shape.none);
  pop(state, taken, shape.none);
  if (kind === form.branch) die(state);
  else {
    push(state, taken);
    openSlot(state, slotKind.arm);
  }
}

function branchTable(state: State): void {
  const { reader, limits } = state;
  const offset = reader.at;
  const count = reader.u32();
  if (count > limits.branchLabels) {
    mark('X45');
    limit(offset, `${count} labels in one br_table`, limits.branchLabels);
  }
  for (let i = 0; i < count; i++) aim(state);
  const taken = aim(state);
  if (state.dead) return;
  pop(state, 1, shape.none);
  pop(state, taken, shape.none);
  die(state);
}

function giveBack(state: State, at: number): void {
  if (state.dead) return;
  state.top.target = 0;
  note(state, event.return, at, state.reader.at, state.frames.length);
  pop(state, state.frames[0]!.results, shape.none);
  die(state);
}

function call(state: State, at: number): void {
  const { module, reader } = state;
  const callee = reader.index(module.functions.length, 'function');
  if (state.dead) return;
  const { parameters, results } = module.types[module.functions[callee]!]!;
  pop(state, parameters.length, shape.none);
  push(state, results.length);
  if (callee < module.importedFunctions) pay(state, cost.import);
  state.calls.push(state.slot, callee);
  note(state, event.call, at, reader.at, callee);
}

function callIndirect(state: State, at: number): void {
  const { module, reader } = state;
  const type = reader.index(module.types.length, 'type');
  reader.index(module.tables, 'table');
  if (state.dead) return;
  const { parameters, results } = module.types[type]!;
  pop(state, parameters.length + 1, shape.none);
  push(state, results.length);
  state.indirect.add(type);
  note(state, event.callIndirect, at, reader.at, 0);
}

function memoryOrTable(state: State, kind: number, opcode: number, at: number): void {
  passOver(state.reader, kind, state);
  if (kind >= form.tableSet) {
    state.tableChanges += 1;
    if (state.tableChanges > state.limits.tableChanges) {
      mark('X42');
      limit(at, 'an instruction that changes a table', state.limits.tableChanges);
    }
  }
  if (state.dead) return;
  if (kind === form.memoryGrow) {
    state.grows = true;
    note(state, event.memoryGrow, at, state.reader.at, 0);
  } else if (kind !== form.tableSet) {
    state.bulk = true;
    const bytes = kind <= form.memoryInit;
    note(state, bytes ? event.bulkBytes : event.bulkElements, at, at, state.frames.length);
  }
  plain(state, opcode);
}

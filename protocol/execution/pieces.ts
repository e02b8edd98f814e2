/** Write the sequences of instructions that the rewriter puts into bodies. */
import { cost, shape } from './opcodes.ts';
import type { Writer } from './writer.ts';

const quiet32 = [0x00, 0x00, 0xc0, 0x7f];
const quiet64 = [0, 0, 0, 0, 0, 0, 0xf8, 0x7f];

/** An instruction with one index. */
export function one(out: Writer, opcode: number, index: number): void {
  out.byte(opcode);
  out.unsigned(index);
}

/** `i64.const fuel; i64.sub` */
export function subtract(out: Writer, fuel: number): void {
  out.byte(0x42);
  out.signed(fuel);
  out.byte(0x7d);
}

/** Adds fuel that was not used to the local that holds it. */
export function giveBack(out: Writer, fuel: number, unused: number): void {
  if (unused === 0) return;
  one(out, 0x20, fuel);
  out.byte(0x42);
  out.signed(unused);
  out.byte(0x7c);
  one(out, 0x21, fuel);
}

/** Puts the canonical NaN in the place of any NaN on top of the stack. */
export function emitNan(out: Writer, local: number, made: number): void {
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

/**
 * The body of the function that takes the place of `memory.grow`: it answers -1 only where the
 * declared maximum or the cap says no. A machine without the memory ends the run, which shows as
 * the least depth: no program may see it.
 */
export function emitGrow(
  out: Writer,
  pagesMax: number,
  fuelGlobal: number,
  depthGlobal: number,
): void {
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

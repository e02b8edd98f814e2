/**
 * Hand out memory and never take it back: the instance dies after its call.
 *
 * It begins where the library's memory begins, too: a program with strings, arrays, maps or objects
 * that come into being while it runs takes `template-as/source/memory.ts` instead.
 */

/** Pages of 64 KiB taken at once: growing is slow, whatever the step. */
const pagesStep: u32 = 64;
/** Bytes behind every region that may be read or written past its end, eight at a time. */
const slackBytes: u64 = 16;

let top: u64 = 0;

/** A region of `size` bytes, aligned to 16, all zero. Traps when there is none. */
export function allocate(size: u64): usize {
  if (top == 0) top = (u64(__heap_base) + 15) & ~15;
  const start = top;
  top = (start + size + slackBytes + 15) & ~15;
  const held = u64(memory.size()) << 16;
  if (top > held) {
    const wanted = <u32>((top - held + 0xffff) >> 16);
    if (top > u64(0xffffffff)) unreachable();
    if (memory.grow(max(wanted, pagesStep)) < 0 && memory.grow(wanted) < 0) unreachable();
  }
  return <usize>start;
}

/** A result as the node wants it: pointer in the high half, length in the low one. */
export function result(pointer: usize, length: usize): u64 {
  return (u64(pointer) << 32) | u64(length);
}

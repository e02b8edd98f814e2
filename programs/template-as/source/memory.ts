/** Hand out memory and never take it back: the instance dies after its call. */

/** Bytes behind every region that may be read or written past its end, eight at a time. */
const slackBytes: u64 = 16;
/** As much as `anwansi program build` lets a program have: 256 MiB. */
const bytesMax: usize = 1 << 28;
const pagesMax: i32 = 4096;

/**
 * A region of `size` bytes, aligned to 16, all zero. Traps in outOfMemory when there is none. It
 * comes from where strings, arrays and maps come from, so that none of them lies in another.
 */
export function allocate(size: u64): usize {
  const bytes = <usize>(min<u64>(size, bytesMax) + slackBytes);
  // Where the library's next region begins: it is given back at once.
  const next = heap.alloc(0);
  heap.free(next);
  if (next + bytes > bytesMax) refuse(next + bytes);
  // The library doubles the memory while it can, and then takes page by page, each time copying
  // all of it: so take what is left at once.
  const pages = memory.size();
  if (pages > pagesMax / 2 && pages < pagesMax) memory.grow(pagesMax - pages);
  const start = heap.alloc(bytes);
  // A string that was made smaller gives back its end, with what stood there.
  memory.fill(start, 0, bytes);
  return start;
}

/** A result as the node wants it: pointer in the high half, length in the low one. */
export function result(pointer: usize, length: usize): u64 {
  return (u64(pointer) << 32) | u64(length);
}

function outOfMemory(_bytes: usize): void {
  unreachable();
}

/** By a variable: the compiler would else put it into its callers, and a trap not tell its name. */
let refuse: (bytes: usize) => void = outOfMemory;

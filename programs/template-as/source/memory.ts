/** Hand out memory and never take it back: the instance dies after its call. */

/** Bytes behind every region that may be read or written past its end, eight at a time. */
const slackBytes: u64 = 16;
/** More than there ever is: an instance has at most 256 MiB. */
const bytesMax: u64 = 1 << 28;

/**
 * A region of `size` bytes, aligned to 16, all zero. Traps when there is none. It comes from where
 * strings, arrays and maps come from, so that none of them lies in another.
 */
export function allocate(size: u64): usize {
  if (size > bytesMax) unreachable();
  const bytes = <usize>(size + slackBytes);
  const start = heap.alloc(bytes);
  // A string that was made smaller gives back its end, with what stood there.
  memory.fill(start, 0, bytes);
  return start;
}

/** A result as the node wants it: pointer in the high half, length in the low one. */
export function result(pointer: usize, length: usize): u64 {
  return (u64(pointer) << 32) | u64(length);
}

/** Keep what is to happen in order of time, first come first served among equals. */

type Entry = { readonly at: number; readonly order: number; readonly act: () => void };

export type Queue = {
  readonly add: (at: number, act: () => void) => void;
  /** Takes the next event out, or null when none is left. */
  readonly next: () => { readonly at: number; readonly act: () => void } | null;
  readonly size: () => number;
};

/** A binary heap. */
export function queue(): Queue {
  const heap: Entry[] = [];
  let order = 0;
  const before = (a: Entry, b: Entry): boolean =>
    a.at < b.at || (a.at === b.at && a.order < b.order);

  const add = (at: number, act: () => void): void => {
    const entry = { at, order: order++, act };
    let hole = heap.length;
    heap.push(entry);
    while (hole > 0) {
      const up = (hole - 1) >> 1;
      if (!before(entry, heap[up]!)) break;
      heap[hole] = heap[up]!;
      hole = up;
    }
    heap[hole] = entry;
  };

  const next = (): Entry | null => {
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top ?? null;
    let hole = 0;
    for (;;) {
      let down = 2 * hole + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && before(heap[down + 1]!, heap[down]!)) down += 1;
      if (!before(heap[down]!, last)) break;
      heap[hole] = heap[down]!;
      hole = down;
    }
    heap[hole] = last;
    return top;
  };

  return { add, next, size: () => heap.length };
}

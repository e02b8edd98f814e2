/** Keep what is due when: the earliest first, among equals in the order in which they came. */

type Entry = { readonly at: number; readonly order: number; readonly key: string };

/** A binary heap. The same key may stand in it more than once: whoever takes it knows which counts. */
export type Agenda = { readonly heap: Entry[]; order: number };

export function emptyAgenda(): Agenda {
  return { heap: [], order: 0 };
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

export function addTo(agenda: Agenda, key: string, at: number): void {
  const { heap } = agenda;
  const entry = { at, order: agenda.order++, key };
  let hole = heap.length;
  heap.push(entry);
  while (hole > 0) {
    const up = (hole - 1) >> 1;
    if (!isBefore(entry, heap[up]!)) break;
    heap[hole] = heap[up]!;
    hole = up;
  }
  heap[hole] = entry;
}

/** What is due first; undefined when nothing is. */
export function firstOf({ heap }: Agenda): Entry | undefined {
  return heap[0];
}

export function dropFirst({ heap }: Agenda): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let hole = 0;
  for (let down = 1; down < heap.length; down = 2 * hole + 1) {
    if (down + 1 < heap.length && isBefore(heap[down + 1]!, heap[down]!)) down += 1;
    if (!isBefore(heap[down]!, last)) break;
    heap[hole] = heap[down]!;
    hole = down;
  }
  heap[hole] = last;
}

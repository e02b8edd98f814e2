/** Keep a map whose earlier versions stay as they were, and whose latest costs no copy. */
/** What an earlier version has in the place where the next one has something else. */
type Difference<K, V> = {
  readonly next: Versions<K, V>;
  readonly key: K;
  /** Undefined where it has nothing. */
  readonly value: V | undefined;
};

/**
 * One version of a map; it never changes. All versions of one line share one table, which belongs
 * to the version that was read or made last; the others know in which one entry they differ from
 * the next. So a state that is replaced ten thousand times is not copied ten thousand times, and
 * one that nobody refers to any more takes no room.
 */
export class Versions<K, V> {
  #table: Map<K, V> | null;
  #difference: Difference<K, V> | null = null;

  /** The first version of a line. The table is its own from now on. */
  constructor(table: Map<K, V> = new Map()) {
    this.#table = table;
  }

  get size(): number {
    return this.#whole().size;
  }

  get(key: K): V | undefined {
    return this.#whole().get(key);
  }

  has(key: K): boolean {
    return this.#whole().has(key);
  }

  /** Entries as they are now: what is made of this version meanwhile does not show. */
  entries(): readonly (readonly [K, V])[] {
    return [...this.#whole()];
  }

  keys(): readonly K[] {
    return [...this.#whole().keys()];
  }

  /** The next version: this one with one entry added or replaced. */
  with(key: K, value: V): Versions<K, V> {
    const table = this.#whole();
    const next = new Versions<K, V>(table);
    this.#table = null;
    this.#difference = { next, key, value: table.get(key) };
    table.set(key, value);
    return next;
  }

  /** The table, taken over from the version that has it. */
  #whole(): Map<K, V> {
    if (this.#table !== null) return this.#table;
    const older: Versions<K, V>[] = [];
    let holder: Versions<K, V> = this;
    while (holder.#table === null) {
      older.push(holder);
      holder = holder.#difference!.next;
    }
    const table = holder.#table;
    for (const version of older.reverse()) {
      const { key, value } = version.#difference!;
      holder.#difference = { next: version, key, value: table.get(key) };
      holder.#table = null;
      if (value === undefined) table.delete(key);
      else table.set(key, value);
      version.#difference = null;
      holder = version;
    }
    this.#table = table;
    return table;
  }
}

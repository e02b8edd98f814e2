/** Remember a bounded number of values; forget the one that was used longest ago. */
import { assert } from '../assert.ts';

/** A memory that can change how fast an answer comes, never which answer. */
export type Recent<V> = {
  readonly get: (key: string) => V | undefined;
  readonly set: (key: string, value: V) => void;
  /** Values remembered now, at most the limit given when it was made. */
  readonly count: () => number;
};

/** A memory of at most `countMax` values. */
export function recent<V>(countMax: number): Recent<V> {
  assert(countMax >= 1, 'a memory holds at least one value');
  // A Map walks its keys in the order of their insertion: the first is the stalest.
  const values = new Map<string, V>();
  return {
    get: (key) => {
      const value = values.get(key);
      if (value !== undefined) {
        values.delete(key);
        values.set(key, value);
      }
      return value;
    },
    set: (key, value) => {
      values.delete(key);
      values.set(key, value);
      for (const stalest of values.keys()) {
        if (values.size <= countMax) break;
        values.delete(stalest);
      }
    },
    count: () => values.size,
  };
}

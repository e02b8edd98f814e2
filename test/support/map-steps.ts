/** Count what work does with maps and sets: its growth, without a clock. */

const counted = ['get', 'set', 'has', 'delete'] as const;
type Step = (...given: unknown[]) => unknown;

/**
 * Reads, writes and steps of iterations of all maps and sets while `work` runs. Copying a map of n
 * entries is n steps; so is a walk through it.
 */
export function mapSteps(work: () => void): number {
  let steps = 0;
  const undo: (() => void)[] = [];
  const count = (owner: object, name: string): void => {
    const inner = Reflect.get(owner, name) as Step | undefined;
    if (inner === undefined) return;
    const outer = function (this: unknown, ...given: unknown[]): unknown {
      steps += 1;
      return inner.apply(this, given);
    };
    Object.defineProperty(owner, name, { value: outer, configurable: true, writable: true });
    undo.push(() =>
      Object.defineProperty(owner, name, { value: inner, configurable: true, writable: true }),
    );
  };
  for (const name of counted) for (const owner of [Map, Set]) count(owner.prototype, name);
  count(Set.prototype, 'add');
  for (const iterable of [new Map(), new Set()])
    count(Object.getPrototypeOf(iterable[Symbol.iterator]()), 'next');
  try {
    work();
  } finally {
    for (const back of undo) back();
  }
  return steps;
}

/** Keep one deadline that moves, and leave no timer behind. */

/** A signal that fires when the time set last is over. */
export type Deadline = {
  readonly signal: AbortSignal;
  /** The signal fires this many milliseconds from now; an earlier setting is forgotten. */
  readonly set: (ms: number) => void;
  readonly clear: () => void;
};

export function deadline(): Deadline {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | null = null;
  const clear = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  };
  const set = (ms: number): void => {
    clear();
    timer = setTimeout(() => controller.abort(new Error(`${Math.round(ms)} ms are over`)), ms);
    // It guards work that keeps the process alive by itself, or is not worth it.
    timer.unref();
  };
  return { signal: controller.signal, set, clear };
}

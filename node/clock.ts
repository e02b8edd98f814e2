/** Tell the time and wake up. */
import type { Clock } from './ports.ts';

/** Longest sleep: a clock that was set back must not leave the node asleep. */
const sleepMsMax = 5_000;

/** The machine's clock. */
export function systemClock(): Clock {
  let timer: NodeJS.Timeout | null = null;
  return {
    now: () => Date.now(),
    wake: (at, callback) => {
      if (timer !== null) clearTimeout(timer);
      const wait = Math.min(Math.max(at - Date.now(), 0), sleepMsMax);
      timer = setTimeout(() => {
        timer = null;
        callback();
      }, wait);
    },
    stop: () => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}

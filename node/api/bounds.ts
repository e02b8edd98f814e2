/** Bound how much is done at once, and for how long. */
import { ApiError } from './error.ts';

/** Does work while there is a place for it. @throws ApiError API_BUSY */
export type Places = <T>(work: () => Promise<T>) => Promise<T>;

/** Does at most so many things at once, and refuses the others. */
export function places(countMax: number, what: string): Places {
  let taken = 0;
  return async (work) => {
    if (taken >= countMax)
      throw new ApiError({ code: 'API_BUSY', what: `${countMax} ${what}`, retrySeconds: 1 });
    taken++;
    try {
      return await work();
    } finally {
      taken--;
    }
  };
}

/** What takes too long goes on without its asker. @throws ApiError API_TOO_SLOW */
export async function inTime<T>(made: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, refuse) => {
    timer = setTimeout(() => refuse(new ApiError({ code: 'API_TOO_SLOW', what })), ms);
  });
  try {
    return await Promise.race([made, late]);
  } finally {
    clearTimeout(timer);
  }
}

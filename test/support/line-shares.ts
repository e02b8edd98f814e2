/** Share the lines of one specification page among several test files. */
import { specLines } from './lines.ts';

/**
 * The lines of a page that are not in one of the `own` ranges (numbers, both ends included), as
 * `reachEveryLine` takes them: they are another file's to reach.
 */
export function linesElsewhere(
  page: string,
  own: readonly (readonly [first: number, last: number])[],
): Readonly<Record<string, string>> {
  const isOwn = (line: string): boolean =>
    own.some(([first, last]) => Number(line.slice(1)) >= first && Number(line.slice(1)) <= last);
  const others = specLines(page).filter((line) => !isOwn(line));
  return Object.fromEntries(others.map((line) => [line, `another ${page} test reaches it`]));
}

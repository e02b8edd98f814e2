/** Name the lines of the execution page that a test file leaves to others. */
import { specLines } from './lines.ts';

/** Every line but these numbers and ranges of numbers. */
export function linesBut(
  ...own: readonly (number | readonly [first: number, last: number])[]
): Readonly<Record<string, string>> {
  const mine = own.flatMap((entry) => {
    const [first, last] = typeof entry === 'number' ? [entry, entry] : entry;
    return Array.from({ length: last - first + 1 }, (_, at) => `X${first + at}`);
  });
  const others = specLines('execution').filter((line) => !mine.includes(line));
  return Object.fromEntries(others.map((line) => [line, 'another file of this page']));
}

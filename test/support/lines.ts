/** Demand that a test file reaches every numbered line of the specification pages it owns. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect } from 'vitest';
import { observeMarks } from '../../protocol/assert.ts';

/** The line names (`A3`, `A4`, …) that a page of `spec/protocol/` defines, in order. */
export function specLines(page: string): string[] {
  const text = readFileSync(new URL(`../../spec/protocol/${page}.md`, import.meta.url), 'utf8');
  return [...text.matchAll(/^- \*\*([A-Z]\d+)\*\*/gm)].map(([, line]) => line!);
}

/**
 * Call once at the top of a test file: after its tests, every line of the page must have been
 * reached. Lines that a test cannot reach alone are named in `elsewhere` with the reason.
 */
export function reachEveryLine(
  page: string,
  elsewhere: Readonly<Record<string, string>> = {},
): void {
  const reached = new Set<string>();
  beforeAll(() => observeMarks((line) => reached.add(line)));
  afterAll(() => {
    observeMarks(null);
    const missing = specLines(page).filter((line) => !reached.has(line) && !(line in elsewhere));
    expect(missing, `lines of spec/protocol/${page}.md that no test reached`).toEqual([]);
  });
}

// Goal: a program that never returns is voided also with the patience that users' networks have.
// Method: the real command line; every seat gives up on an item after 10 s.
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { programs } from '../fixtures/programs/hostile.ts';
import { anwansi, documentOf, newPlace } from '../support/anwansi-process.ts';

test('a program that never returns', async () => {
  const place = newPlace();
  try {
    writeFileSync(join(place.directory, 'endless.wasm'), programs.endless);
    const ended = await anwansi(['run', './endless.wasm', '--json'], { place });
    expect(ended.exitCode, ended.err).toBe(8);
    const { data, errors } = documentOf(ended);
    expect(data).toEqual({ job: expect.any(String), state: 'voided', result: null });
    expect(errors).toMatchObject([{ code: 'PROGRAM_TOO_SLOW', retryable: false }]);
    expect(readdirSync(place.temporary)).toEqual([]);
    console.log(`voided after ${ended.elapsedMs} ms`);
  } finally {
    place.remove();
  }
});

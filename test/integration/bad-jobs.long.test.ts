// Goal: a program that never returns fails, also with the fuel that users' jobs have.
// Method: the real command line, and nothing said of fuel: every seat uses up what an item has.
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { programs } from '../fixtures/programs/hostile.ts';
import { anwansi, documentOf, newPlace } from '../support/anwansi-process.ts';

test('a program that never returns', async () => {
  const place = newPlace();
  try {
    writeFileSync(join(place.directory, 'endless.wasm'), programs.endless);
    const refused = await anwansi(['run', './endless.wasm', '--json'], { place });
    expect(refused.exitCode, refused.err).toBe(8);
    expect(documentOf(refused).errors).toMatchObject([{ code: 'ITEM_FAILED' }]);
    expect(readdirSync(place.directory)).toEqual(['endless.wasm']);
    const ended = await anwansi(['run', './endless.wasm', '--unchecked', '--json'], { place });
    expect(ended.exitCode, ended.err).toBe(8);
    const { data, errors } = documentOf(ended);
    expect(data).toMatchObject({ job: expect.any(String), state: 'failed', result: null });
    expect(errors).toMatchObject([{ code: 'JOB_ITEM_FAILED', retryable: false }]);
    expect(errors[0].message).toContain('out-of-fuel in item 0');
    expect(readdirSync(place.temporary)).toEqual([]);
    console.log(`failed after ${ended.elapsedMs} ms`);
  } finally {
    place.remove();
  }
});

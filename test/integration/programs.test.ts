// Goal: the example programs give the exact result on a real network, on inputs of several items,
// and `run` prints the bytes of the result and nothing else.
// Method: the real command line; the known number of primes, and a count of words by ten other
// lines; 10^8, and 200 MB of words, are in programs.long.test.ts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countWords, renderedWords, writeWords } from '../fixtures/programs/words.ts';
import { anwansi, type Ended, newPlace } from '../support/anwansi-process.ts';

const patienceMs = 600_000;
const place = newPlace();
const file = (name: string): string => join(place.directory, name);
let primesJob: Promise<Ended>;
let wordsJob: Promise<Ended>;

beforeAll(async () => {
  await writeWords(file('text'), 1_500_000, 7);
  const out = ['--out', 'words.json', '--receipt', 'words.receipt', '--json'];
  primesJob = anwansi(['run', 'primes', '--params', '{"from":0,"to":20000000}', '--quiet'], {
    place,
  });
  // One after the other: each has all cores, and windows that were measured for them.
  wordsJob = primesJob.then(() =>
    anwansi(['run', 'wordcount', '--input', 'text', ...out], { place }),
  );
}, patienceMs);
afterAll(async () => {
  await Promise.all([wordsJob, primesJob]);
  place.remove();
}, patienceMs);

test(
  'primes below 2 * 10^7 are 1270607, and with --quiet nothing else is said',
  async () => {
    const { exitCode, out, err } = await primesJob;
    expect({ exitCode, out: new TextDecoder().decode(out), err }).toEqual({
      exitCode: 0,
      out: '1270607',
      err: '',
    });
  },
  patienceMs,
);

test(
  'words of 1.5 MB with bytes of every kind are counted as ten other lines count them',
  async () => {
    const { exitCode, err } = await wordsJob;
    expect(exitCode, err).toBe(0);
    const found = renderedWords(readFileSync(file('words.json'), 'utf8'));
    const counted = await countWords(file('text'));
    expect(found.size).toBe(counted.size);
    expect([...counted].filter(([word, count]) => found.get(word) !== count)).toEqual([]);
    // The text is what it is meant to be: many words, upper case, and bytes that are no UTF-8.
    expect(counted.size).toBeGreaterThan(10_000);
    expect(readFileSync(file('words.json'), 'utf8')).toMatch(/\\udc[89a-f]/);
  },
  patienceMs,
);

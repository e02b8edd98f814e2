// Goal: an input far larger than the memory that is allowed is counted exactly, in bounded memory;
// primes below 10^8 are counted exactly.
// Method: 200 MB through the real command line; the process tells its own high-water mark.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { countWords, renderedWords, writeWords } from '../fixtures/programs/words.ts';
import { anwansi, newPlace } from '../support/anwansi-process.ts';

/** Megabytes that the process with all seven nodes may ever hold. */
const residentMegabytesMax = 800;

test('words of 200 MB, below 800 MB of memory', async () => {
  const place = newPlace();
  const file = (name: string): string => join(place.directory, name);
  const tell = `
    import { writeSync } from 'node:fs';
    process.on('exit', () => writeSync(2, 'KILOBYTES ' + process.resourceUsage().maxRSS + '\\n'));`;
  try {
    await writeWords(file('text'), 200_000_000, 11);
    const { exitCode, err, elapsedMs } = await anwansi(
      ['run', 'wordcount', '--input', 'text', '--out', 'words.json'],
      { place, nodeOptions: ['--import', `data:text/javascript,${encodeURIComponent(tell)}`] },
    );
    expect(exitCode, err).toBe(0);
    const megabytes = Number(/KILOBYTES (\d+)/.exec(err)?.[1]) / 1_024;
    const size = statSync(file('text')).size;
    console.log(`${size} bytes in ${elapsedMs} ms, at most ${megabytes.toFixed(0)} MB of memory`);
    const found = renderedWords(readFileSync(file('words.json'), 'utf8'));
    expect(found).toEqual(await countWords(file('text')));
    expect(megabytes).toBeLessThan(residentMegabytesMax);
  } finally {
    place.remove();
  }
});

test('primes below 10^8 are 5761455', async () => {
  const place = newPlace();
  try {
    const words = ['run', 'primes', '--params', '{"from":0,"to":100000000}'];
    const { exitCode, err, out } = await anwansi(words, { place });
    expect(exitCode, err).toBe(0);
    expect(new TextDecoder().decode(out)).toBe('5761455');
  } finally {
    place.remove();
  }
});

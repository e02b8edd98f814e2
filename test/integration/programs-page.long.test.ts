// Goal: the commands of docs/programs.md, copied as they stand, print what the page says.
// Method: each block by a real shell and the real command line, on an embedded network.
import { afterAll, expect, test } from 'vitest';
import { anwansi, newPlace } from '../support/anwansi-process.ts';
import { pageCommands, wordsOf } from '../support/page-commands.ts';

const place = newPlace();
afterAll(() => place.remove());
const commands = pageCommands('programs.md');

test('the page has commands', () => {
  expect(commands.length).toBeGreaterThanOrEqual(6);
});

test.each(commands)('$text', async (command) => {
  const words = wordsOf(command, place.directory);
  const { exitCode, err, out } = await anwansi(words, { place });
  expect(exitCode, err).toBe(0);
  expect(Buffer.from(out).toString()).toBe(command.expected);
});

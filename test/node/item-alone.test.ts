// Goal: the one item that a job failed at can be run alone, by its number in the job, and is told
// like any other that fails; a number that the job does not have is refused.
// Method: a program that traps on one letter, and an input of which `bench` passes over that item.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { programBench } from '../../node/cli/commands/program-bench.ts';
import { packProgram } from '../../protocol/execution/manifest.ts';
import { op, program } from '../fixtures/programs/assemble.ts';
import { newPlace } from '../support/anwansi-process.ts';
import { runWords } from '../support/command-line.ts';

const place = newPlace();
afterAll(() => place.remove());
const [itemCount, failing] = [20, 7];
const items = Array.from({ length: itemCount }, (_, at) =>
  at === failing ? 'traps...' : 'sound...',
);
writeFileSync(join(place.directory, 'items'), items.join(''));
const map = [...op.ifItemStartsWith(0x74, op.unreachable), ...op.pack(2, 3)];
const cut = { kind: 'fixed', bytes: 8 } as const;
const manifest = { abi: 1, name: 'fixture', version: '1', cut } as const;
writeFileSync(
  join(place.directory, 'picky.wasm'),
  packProgram(program({ anw_map: map }), manifest),
);

const bench = (...options: string[]) =>
  runWords([programBench], ['program', 'bench', './picky.wasm', '--input', 'items', ...options], {
    directory: place.directory,
  });

test('an item that others passed over fails alone, with its place, and another does not', async () => {
  const some = await bench();
  expect(some.exitCode, some.out).toBe(0);
  const alone = await bench('--item', String(failing));
  expect(alone.exitCode, alone.err).toBe(8);
  expect(alone.out).toMatch(
    /^fails +item 7, bytes 56 to 63 of the input, "traps\.\.\.", failed here: trap \(anw_map trapped/,
  );
  expect(alone.out).toContain('A job that has this item fails at it.');
  // `run` would not have tried it, and nothing is said of all the others.
  expect(alone.out).not.toContain('parameters');
  expect(alone.out).not.toContain('would not submit');
  const sound = await bench('--item', '6');
  expect(sound.exitCode, sound.err).toBe(0);
  expect(sound.out).toMatch(/^items +20, 160 bytes; item 6 alone was run$/m);
  expect(sound.out).not.toMatch(/^all items/m);
  const { data } = (await bench('--item', String(failing), '--json')).document;
  expect(data).toMatchObject({ items: itemCount, run: 1, fuel: null });
  expect(data.failed).toMatchObject([{ index: failing, class: 'trap', start: 56, bytes: 8 }]);
});

test('a number that the job does not have is refused, and so are two wishes at once', async () => {
  const beyond = await bench('--item', '20', '--json');
  expect(beyond.exitCode).toBe(2);
  expect(beyond.document.errors[0]).toMatchObject({ code: 'ITEM_OUT_OF_RANGE' });
  expect(beyond.err).toContain('the job has no item 20: it has 20, 0 to 19');
  expect((await bench('--item', '19')).exitCode).toBe(0);
  const both = await bench('--item', '7', '--items', '3');
  expect([both.exitCode, both.err]).toEqual([2, expect.stringContaining('--items and --item')]);
});

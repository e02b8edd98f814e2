// Goal: whatever lies in a program's folder, the kit's commands end, and none calls it a bug.
// Method: links to folders, to nowhere and in circles, and pipes, among real sources and tests; the
// stamp still changes with what a link leads to.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { openProject, readCases } from '../../node/kit/project.ts';
import { builtModule, sourcesHash, stampPath, stampText } from '../../node/kit/stamp.ts';
import { program } from '../fixtures/programs/assemble.ts';
import { openKit } from '../support/kit-project.ts';

const { directory, project, remove } = openKit();
afterAll(remove);

const pipe = (path: string) => execFileSync('/usr/bin/mkfifo', [path]);
const module = program();
let count = 0;
let folder = '';

beforeEach(() => {
  const name = `odd-${count++}`;
  folder = join(directory, name);
  project(name, module, { 'source/program.ts': 'one', 'tests/a.expected': 'x' });
});

const stamped = async (): Promise<string> => {
  const opened = await openProject(folder);
  writeFileSync(stampPath(opened), stampText(module, await sourcesHash(opened)));
  return builtModule(opened);
};
const now = async () => builtModule(await openProject(folder));
const inSource = (name: string): string => join(folder, 'source', name);

describe('sources', () => {
  test('behind a link to a folder count as those in it', async () => {
    const shared = join(folder, 'shared');
    mkdirSync(shared);
    writeFileSync(join(shared, 'library.ts'), 'one');
    symlinkSync(shared, inSource('library'));
    expect(await stamped()).toMatch(/\.wasm$/);
    expect(await now()).toMatch(/\.wasm$/);
    writeFileSync(join(shared, 'library.ts'), 'two');
    await expect(now()).rejects.toMatchObject({ code: 'PROGRAM_STALE' });
  });

  test.each<[string, (path: string) => unknown]>([
    ['a link that leads nowhere', (path) => symlinkSync('nowhere', path)],
    ['a link to itself', (path) => symlinkSync(path, path)],
    ['a link to the folder around it', (path) => symlinkSync('..', path)],
    ['a pipe that nobody writes to', pipe],
    ['a link to a device without end', (path) => symlinkSync('/dev/zero', path)],
  ])('may have %s among them', async (_, make) => {
    make(inSource('odd.ts'));
    expect(await stamped()).toMatch(/\.wasm$/);
    // Without a stamp the times decide, of the same files.
    rmSync(stampPath(await openProject(folder)));
    await now().catch((error: unknown) => expect(error).toMatchObject({ code: 'PROGRAM_STALE' }));
    await stamped();
    writeFileSync(inSource('program.ts'), 'two');
    await expect(now()).rejects.toMatchObject({ code: 'PROGRAM_STALE' });
  });
});

test('a pipe is no test, and no program.json', async () => {
  pipe(join(folder, 'tests', 'b.expected'));
  pipe(join(folder, 'tests', 'a.json'));
  const { cases } = await readCases(await openProject(folder));
  expect(cases.map(({ name, parameters }) => [name, parameters])).toEqual([['a', '']]);
  rmSync(join(folder, 'program.json'));
  pipe(join(folder, 'program.json'));
  await expect(openProject(folder)).rejects.toMatchObject({ code: 'PROGRAM_PROJECT' });
});

// Goal: nothing of a program reaches the engine that our own caps refuse, by whichever door it came.
// Method: watch the engine's validation while files are loaded and judged; a module that passes the
// caps shows that the watch sees.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadProgram } from '../../node/client/program.ts';
import { judgeProgram } from '../../node/executor/admission.ts';
import { engine } from '../../node/executor/engine.ts';
import { openProgram } from '../../node/executor/program.ts';
import { refused } from '../fixtures/hostile/refused.ts';
import { program } from '../fixtures/programs/assemble.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-admission-'));
afterAll(() => rmSync(directory, { recursive: true }));
const validate = vi.spyOn(engine, 'validate');
beforeEach(() => {
  validate.mockClear();
});

const file = (name: string, bytes: Uint8Array): string => {
  const path = join(directory, `${name.replaceAll(/[^a-z0-9]/g, '-')}.wasm`);
  writeFileSync(path, bytes);
  return path;
};
const load = (name: string, bytes: Uint8Array) => loadProgram(file(name, bytes), (path) => path);
const capped = Object.entries(refused).filter(([, { code }]) =>
  ['PROGRAM_LIMIT', 'PROGRAM_TOO_LARGE', 'PROGRAM_UNSUPPORTED'].includes(code),
);

describe('a program beyond our caps', () => {
  test('there are such', () => {
    expect(capped.length).toBeGreaterThan(20);
  });

  test.each(capped)('%s: is refused before the engine sees it', async (name, { bytes, code }) => {
    expect(judgeProgram(bytes)).toMatchObject({ kind: 'rejected', code });
    expect(() => openProgram(bytes)).toThrow(code);
    await expect(load(name, bytes)).rejects.toMatchObject({
      ...{ code: 'PROGRAM_REJECTED', detail: { rejection: code } },
    });
    expect(validate).not.toHaveBeenCalled();
  });
});

test('one within them is validated, and what the engine refuses is refused', async () => {
  await load('harmless', program());
  expect(validate).toHaveBeenCalledTimes(1);
  const { bytes } = refused['a body with a type error']!;
  expect(judgeProgram(bytes)).toMatchObject({ kind: 'rejected', code: 'PROGRAM_NOT_WASM' });
  expect(validate).toHaveBeenCalledTimes(2);
});

// Goal: a program whose optimized code fills the stack is as deep as anywhere else.
// Method: real children that only optimize, and such a program; its twin keeps all in locals.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startProcess } from '../../node/executor/process.ts';
import { childCommand, probeHardening } from '../../node/executor/recipe.ts';
import { placeStates } from '../../node/executor/task.ts';
import { running } from '../fixtures/hostile/running.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-stack-'));
afterAll(() => rmSync(directory, { recursive: true }));
const parameters = new TextEncoder().encode('{}');
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
let fileCount = 0;
function file(content: Uint8Array): string {
  const path = join(directory, `file-${fileCount++}`);
  writeFileSync(path, content);
  return path;
}

test('a stack that optimized code fills: the child calls again in plain code', async () => {
  const hardening = await probeHardening();
  const engineFlags = [...hardening.engineFlags, '--no-liftoff'];
  const among = async (name: keyof typeof running) => {
    const { bytes: code, fuel } = running[name]!;
    const child = startProcess(childCommand({ ...hardening, engineFlags }, [directory]));
    await child.ready;
    const result = await child.run(
      {
        ...{ kind: 'subtask', programPath: file(code), parameters },
        ...{ items: [{ kind: 'file', path: file(bytes('item')) }], plan: Int32Array.of(0) },
        fuel: { item: fuel, combine: fuel },
      },
      { wallMs: 20_000, each: 'task' },
    );
    const worn = child.worn();
    child.kill();
    await child.exited;
    return { states: result.kind === 'subtask' ? [...result.states] : result, worn };
  };
  const tooDeep = [placeStates.indexOf('too-deep')];
  expect(await among('recursion over four thousand values that stay alive')).toEqual({
    states: tooDeep,
    worn: true,
  });
  expect(await among('a start function over four thousand values that stay alive')).toEqual({
    states: tooDeep,
    worn: true,
  });
  // The twin has all its frame in locals, which the depth counts.
  expect(await among('recursion with four thousand locals')).toEqual({
    states: tooDeep,
    worn: false,
  });
});

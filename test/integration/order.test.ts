// Goal: the documents are right about order: a program that keeps the first of two values settles
// where each item is a subtask, with the result of that cut, and its receipt verifies; where many
// items are one subtask, its seats come to different bytes.
// Method: the job as a user types it, on a network of four real hosts that do not look at laws; the
// plans of four seats in the sandbox.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runOn } from '../../node/cli/commands/run.ts';
import { verify } from '../../node/cli/commands/verify.ts';
import { type Embedded, startEmbedded } from '../../node/embedded.ts';
import { foldPlan, noiseSeed } from '../../protocol/algebra/noise.ts';
import { utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { eightByteProgram } from '../fixtures/programs/lawless.ts';
import { newPlace } from '../support/anwansi-process.ts';
import { runWords } from '../support/command-line.ts';
import { openSandbox } from '../support/sandbox.ts';

const patienceMs = 240_000;
const place = newPlace();
const itemCount = 64;
const sandbox = openSandbox();
let shared: Embedded;

beforeAll(async () => {
  const parameters = { commitWindowMs: 1_000, revealWindowMs: 500, openingWindowMs: 500 };
  const nonce = sha256(utf8('order.test'));
  const common = { faulty: 0, fault: null, readable: [], unchecked: true };
  shared = await startEmbedded({ seats: 4, nonce, ...common, parameters });
  writeFileSync(join(place.directory, 'first.wasm'), eightByteProgram('first'));
  const numbers = Float64Array.from({ length: itemCount }, (_, index) => index + 1);
  writeFileSync(join(place.directory, 'numbers'), new Uint8Array(numbers.buffer));
}, patienceMs);

afterAll(async () => {
  await shared?.stop();
  place.remove();
}, patienceMs);

function run(...rest: string[]) {
  const words = ['run', './first.wasm', '--input', 'numbers', '--receipt', 'a.receipt', ...rest];
  const environment = { ANWANSI_DATA_DIR: join(place.directory, 'data') };
  const world = { directory: place.directory, environment };
  return runWords([runOn(async () => shared), verify], words, world);
}

test('where an item is a subtask, no seat minds: the job settles and verifies', {
  timeout: patienceMs,
}, async () => {
  const { exitCode, err } = await run('--unchecked', '--out', 'result');
  expect(exitCode, err).toBe(0);
  expect(err).toContain('laws not looked at (--unchecked)');
  expect(err).not.toContain('dissenting');
  const result = readFileSync(join(place.directory, 'result'));
  expect(result.readDoubleLE()).toBe(1);
  const words = ['verify', 'a.receipt', '--trust', 'dev', '--json'];
  const verified = await runWords([verify], words, { directory: place.directory });
  expect(verified.exitCode, verified.err).toBe(0);
  expect(verified.document.success).toBe(true);
  // Who does not say --unchecked is not let through.
  const looked = await run();
  expect([looked.exitCode, looked.err]).toEqual([4, expect.stringContaining('LAW_COMMUTATIVE')]);
});

test('where items share a subtask, seats come to different bytes; where they do not, to the same', async () => {
  const items = Array.from({ length: itemCount }, (_, index) => `item ${index}`.padEnd(8));
  const beacon = sha256(utf8('a beacon'));
  const values = async (some: readonly string[]): Promise<number> => {
    const seen = new Set<string>();
    for (const seat of [0, 1, 2, 3]) {
      const seed = noiseSeed({ beacon, job: beacon, subtask: 0, wave: 0, seat });
      const plan = [...foldPlan(seed, some.length)];
      const outcome = await sandbox.run(eightByteProgram('first'), some, { plan });
      if (outcome.kind !== 'done') throw new Error(outcome.reason);
      seen.add(Buffer.from(outcome.value!).toString());
    }
    return seen.size;
  };
  expect(await values(items)).toBeGreaterThan(1);
  expect(await values(items.slice(0, 1))).toBe(1);
});

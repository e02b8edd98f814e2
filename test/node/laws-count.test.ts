// Goal: a program that makes more items than a job may have is refused by its count, never by a
// report of its laws that cannot be written.
// Method: the check before a job on programs with counts around the bound and around 2^63.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lawsBefore } from '../../node/client/laws.ts';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import { forgetful } from '../../node/laws/remembered.ts';
import { itemCountMax } from '../../protocol/params.ts';
import { i32, i64, op, program } from '../fixtures/programs/assemble.ts';
import { lawSubject } from '../support/law-subject.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-laws-count-'));
let executor: ChildPool;
beforeAll(async () => {
  executor = await createExecutor({ children: 1, readable: [directory] });
});
afterAll(async () => {
  await executor.close();
  rmSync(directory, { recursive: true });
});

/** Each item is the same eight bytes, and so is each fold. */
const counting = (items: bigint): Uint8Array =>
  program({}, [
    { name: 'anw_count', params: [i32, i32], results: [i64], body: op.i64(items) },
    {
      ...{ name: 'anw_item', params: [i32, i32, i64], results: [i64] },
      body: op.i64((8n << 32n) | 8n),
    },
  ]);
const looked = (items: bigint) => {
  const { program: subject, scratch, signal } = lawSubject(counting(items), directory, executor);
  const named = { ...subject, name: 'counting', bundled: false };
  return lawsBefore(
    { program: named, parameters: '', inputPath: null },
    { executor, scratch, remembered: forgetful, signal },
  );
};
const most = BigInt(itemCountMax);

test.each([most + 1n, 2n * most, 2n ** 31n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 0n])(
  'a count of %s is left to whoever prepares the job',
  async (items) => {
    expect(await looked(items)).toBeNull();
  },
);

test.each([1n, most])('a count of %s is looked at', async (items) => {
  const word = await looked(items);
  expect(word?.report.input).toMatchObject({ kind: 'generated' });
  expect(word?.report.input).toHaveProperty(
    'places',
    items === 1n ? [0] : [0, 2 ** 19, 2 ** 20 - 1],
  );
});

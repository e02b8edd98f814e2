// Goal: who gives no parameters, or wrong ones, is told that first, and where it stands what the
// program takes; a count of items is told as its author wrote it.
// Method: what an executor may say of a count, by the functions that ask it; the code's own words.
import { expect, test } from 'vitest';
import { codeEntry } from '../../node/cli/codes.ts';
import { submitJob } from '../../node/cli/run-job.ts';
import { countItems } from '../../node/client/measure.ts';
import { bytes, never } from '../support/sandbox.ts';

const counted = (outcome: object, parameters: string) =>
  countItems({
    executor: { count: async () => outcome } as never,
    ...{ programPath: '', parameters: bytes(parameters), signal: never },
  });
const trapped = { kind: 'failed', class: 'trap', reason: 'anw_count trapped' };
const items = (count: bigint) => {
  const value = new Uint8Array(8);
  new DataView(value.buffer).setBigInt64(0, count);
  return { kind: 'ok', value };
};

test('a program that cannot count without parameters is told to have been given none', async () => {
  await expect(counted(trapped, '')).rejects.toMatchObject({
    code: 'COUNT_FAILED',
    message: expect.stringMatching(/^no --params was given, .*: anw_count trapped$/),
  });
  await expect(counted(trapped, '{"a":1}')).rejects.toThrow(/from these parameters: anw_count/);
  expect(codeEntry('COUNT_FAILED')?.remedy).toMatch(/^Give it parameters .* anw_count\.$/);
});

test('a count is told with its sign', async () => {
  await expect(counted(items(-5n), '')).rejects.toThrow(
    'the program wants -5 items, expected 1 to',
  );
  await expect(counted(items(0n), '')).rejects.toThrow('wants 0 items');
  await expect(counted(items(2n ** 40n), '')).rejects.toThrow('wants 1099511627776 items');
  expect(await counted(items(5n), '')).toBe(5);
});

test('refused parameters name where it stands what the program takes', async () => {
  const refusal = async (name: string, bundled: boolean, parameters: string) => {
    const program = { name, bundled, bytes: bytes(''), exports: { generates: true }, manifest: {} };
    const wish = { program: { ...program, manifest: { cut: { kind: 'whole' } } }, parameters };
    const gateway = { putBlob: async () => bytes(''), file: async () => '' };
    const reason = 'anw_count refused these parameters';
    const executor = { count: async () => ({ ...trapped, class: 'bad-value', reason }) };
    const ground = { gateway, executor, scratch: '' };
    const context = { output: {}, signal: never };
    const full = { ...wish, inputPath: null };
    return submitJob(full as never, ground as never, context as never).then(
      () => ({ message: '', detail: { hint: '' } }),
      (error: unknown) => error as { message: string; detail: { hint: string } },
    );
  };
  const theirs = await refusal('primes', true, '[]');
  expect(theirs.message).toMatch(/^--params: anw_count refused/);
  expect(theirs.detail.hint).toContain('docs/programs.md says what primes expects');
  const own = await refusal('collatz', false, '');
  expect(own.message).toMatch(/^no --params was given: anw_count refused/);
  expect(own.detail.hint).toContain('what collatz expects, its author knows');
  expect(own.detail.hint).not.toContain('docs/programs.md');
});

test('names of JSON are said to stand in double quotes', () => {
  const { remedy } = codeEntry('PARAMETERS_NOT_JSON')!;
  expect(remedy).toContain('names in double quotes');
  expect(remedy).toContain(`'{"top":3}'`);
});

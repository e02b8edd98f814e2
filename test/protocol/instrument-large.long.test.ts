// Goal: that a real module of several megabytes behaves as before when it is rewritten.
// Method: AssemblyScript's compiler, which is 9 MB of C++, compiles kernels with and without.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { kernelNames } from '../../bench/kernels.ts';

const run = promisify(execFile);
const sources = fileURLToPath(new URL('../../bench/kernels/as/', import.meta.url));
const rewriting = fileURLToPath(new URL('../fixtures/instrumented-engine.ts', import.meta.url));
const compiler = fileURLToPath(import.meta.resolve('assemblyscript/bin/asc.js'));
const folder = mkdtempSync(join(tmpdir(), 'anwansi-large-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function compile(name: string, flags: readonly string[]) {
  const target = join(folder, `${name}-${flags.length}.wasm`);
  const text = `${target}.wat`;
  const asked = ['-O3', '--converge', '--runtime', 'stub', '--outFile', target, '--textFile', text];
  const { stderr } = await run(
    process.execPath,
    ['--no-warnings', ...flags, compiler, `${name}.ts`, ...asked],
    { cwd: sources },
  );
  return { bytes: readFileSync(target), text: readFileSync(text, 'utf8'), stderr };
}

describe('a compiler of 9 MB', () => {
  test.each(kernelNames)('makes the same of %s', { timeout: 120_000 }, async (name) => {
    const plain = await compile(name, []);
    const rewritten = await compile(name, ['--import', rewriting]);
    const [, bytes, fuel] = /rewritten (\d+) bytes, used (\d+) fuel/.exec(rewritten.stderr)!;
    expect(Number(bytes)).toBeGreaterThan(5_000_000);
    // It did run there, and not somewhere else.
    expect(Number(fuel)).toBeGreaterThan(1_000_000);
    expect(plain.stderr).not.toContain('rewritten');
    expect(rewritten.bytes.equals(plain.bytes)).toBe(true);
    expect(rewritten.text).toBe(plain.text);
  });
});

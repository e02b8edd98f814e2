// Goal: keys are made once, kept from others, and signed with by one process at a time.
// Method: real files with their modes; the lock among real processes that are killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLibp2pNetwork } from '../../node/network/libp2p.ts';
import { peerIdOf } from '../../node/network/peer-id.ts';
import { OperatorError, type OperatorErrorDetail } from '../../node/operator/error.ts';
import { writeOnce, writeWhole } from '../../node/operator/files.ts';
import { type LockWay, lockKey } from '../../node/operator/key-lock.ts';
import { makeKeys, readKey } from '../../node/operator/keys.ts';
import { type OperatorPaths, operatorPaths } from '../../node/operator/paths.ts';
import { hex } from '../../protocol/brand.ts';
import { packageRoot } from '../support/anwansi-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'anwansi-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let paths: OperatorPaths;
beforeEach(async () => {
  paths = await operatorPaths(mkdtempSync(join(folder, 'data-')));
});

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

async function refused(work: Promise<unknown>): Promise<OperatorErrorDetail & { message: string }> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(OperatorError);
  return { ...(error as OperatorError).detail, message: (error as OperatorError).message };
}

describe('keys', () => {
  test('are made for their owner alone, and never again', async () => {
    const { made, kept } = await makeKeys(paths);
    expect(made).toEqual([paths.seatKey, paths.peerKey, paths.apiToken]);
    expect(kept).toEqual([]);
    expect(modeOf(paths.keys)).toBe('700');
    const texts = made.map((file) => {
      expect(modeOf(file)).toBe('600');
      return readFileSync(file, 'utf8');
    });
    expect(new Set(texts).size).toBe(3);
    expect((await makeKeys(paths)).kept).toEqual(made);
    expect(made.map((file) => readFileSync(file, 'utf8'))).toEqual(texts);
    expect(readdirSync(paths.keys).sort()).toEqual(['peer.key', 'seat.key']);
    expect(hex(await readKey(paths, paths.seatKey))).toBe(texts[0]!.trim());
  });

  test('that are made by two at once are the same for both', async () => {
    const both = await Promise.all([makeKeys(paths), makeKeys(paths)]);
    expect(both.flatMap(({ made }) => made).length).toBe(3);
    expect(await readKey(paths, paths.seatKey)).toHaveLength(32);
  });

  test('that others could read are refused, with the line that mends it', async () => {
    await makeKeys(paths);
    for (const mode of [0o640, 0o604, 0o660, 0o602]) {
      chmodSync(paths.seatKey, mode);
      const detail = await refused(readKey(paths, paths.seatKey));
      expect(detail).toMatchObject({ code: 'KEY_MODE', mode: mode.toString(8), wanted: '600' });
      expect(detail.message).toContain(`chmod 600 '${paths.seatKey}'`);
    }
    chmodSync(paths.seatKey, 0o400);
    await readKey(paths, paths.seatKey);
    chmodSync(paths.keys, 0o750);
    const looser = await refused(readKey(paths, paths.seatKey));
    expect(looser).toMatchObject({ code: 'KEY_MODE', path: paths.keys, wanted: '700' });
    expect(await refused(makeKeys(paths))).toMatchObject({ code: 'KEY_MODE' });
  });

  test('that are none are refused, and what stands in the file is not told', async () => {
    await makeKeys(paths);
    const secret = 'ab'.repeat(32);
    await expect(readKey(paths, join(paths.keys, 'no.key'))).rejects.toMatchObject({
      detail: { code: 'KEY_MISSING' },
    });
    for (const text of ['', secret.slice(1), `${secret}00`, secret.toUpperCase(), ` ${secret}`]) {
      writeFileSync(paths.seatKey, text);
      const detail = await refused(readKey(paths, paths.seatKey));
      expect(detail.code).toBe('KEY_MALFORMED');
      expect(JSON.stringify(detail)).not.toContain('abab');
    }
    writeFileSync(paths.seatKey, 'x'.repeat(2_000));
    expect((await refused(readKey(paths, paths.seatKey))).code).toBe('KEY_MALFORMED');
    for (const end of ['', '\n', '\r\n']) {
      writeFileSync(paths.seatKey, secret + end);
      expect(hex(await readKey(paths, paths.seatKey))).toBe(secret);
    }
  });

  test('give the peer id that the network has', async () => {
    const seed = new Uint8Array(randomBytes(32));
    const network = await createLibp2pNetwork({
      network: new Uint8Array(32),
      privateKeySeed: seed,
    });
    expect(await peerIdOf(seed)).toBe(network.self);
    expect(await peerIdOf(new Uint8Array(32))).not.toBe(network.self);
  });

  // Root writes everywhere, whatever the modes are.
  test.skipIf(process.getuid?.() === 0)('a folder of somebody else is told', async () => {
    chmodSync(paths.data, 0o500);
    const detail = await refused(makeKeys(paths));
    expect(detail.code).toBe('DIRECTORY_UNUSABLE');
    expect(detail.message).toContain('chown');
  });

  test('files are whole or not there; a folder in the way is told', async () => {
    const file = join(paths.data, 'deep', 'file');
    await writeWhole(file, 'one');
    await writeWhole(file, 'two');
    expect(await writeOnce(file, 'three')).toBe(false);
    expect(readFileSync(file, 'utf8')).toBe('two');
    mkdirSync(join(paths.data, 'taken', 'x'), { recursive: true });
    expect(await refused(writeWhole(join(paths.data, 'taken'), 'a'))).toMatchObject({
      code: 'DIRECTORY_UNUSABLE',
    });
    expect(readdirSync(join(paths.data, 'deep')), 'no draft is left').toEqual(['file']);
    expect(readdirSync(paths.data).filter((name) => name.endsWith('draft'))).toEqual([]);
  });
});

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** A process that takes the lock, says so, and stays; resolves with what it said. */
function holder(seed: Uint8Array, way: LockWay): Promise<{ child: ChildProcess; said: string }> {
  const code = `
    import { lockKey } from ${JSON.stringify(join(packageRoot, 'node/operator/key-lock.ts'))};
    try {
      await lockKey(Buffer.from('${hex(seed)}', 'hex'), '/its/data', '${way}');
      console.log('held');
      setInterval(() => {}, 1000);
    } catch (error) {
      console.log(error.code);
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.stdout!.once('data', (text) => resolve({ child, said: String(text).trim() }));
    child.once('exit', () => reject(new Error('it ended without a word')));
  });
}

describe.each<LockWay>(['name', 'folder'])('the lock of a key, by %s', (way) => {
  const runtime = join(folder, `runtime-${way}`);
  const before = process.env.XDG_RUNTIME_DIR;
  beforeEach(() => {
    mkdirSync(runtime, { recursive: true, mode: 0o700 });
    process.env.XDG_RUNTIME_DIR = runtime;
  });
  afterEach(() => {
    if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
    else process.env.XDG_RUNTIME_DIR = before;
  });

  test('is held by one process until that ends, in whatever way', async () => {
    const seed = new Uint8Array(randomBytes(32));
    const first = await holder(seed, way);
    expect(first.said).toBe('held');
    const detail = await refused(lockKey(seed, '/ours', way));
    expect(detail).toMatchObject({ code: 'KEY_LOCKED', processId: first.child.pid });
    expect(detail.message).toContain(`process ${first.child.pid}`);
    if (way === 'name') expect(detail).toMatchObject({ directory: '/its/data' });
    // Another key is another lock.
    const other = await lockKey(new Uint8Array(randomBytes(32)), '/ours', way);
    await other.release();

    const gone = new Promise((resolve) => first.child.once('exit', resolve));
    first.child.kill('SIGKILL');
    await gone;
    const lock = await lockKey(seed, '/ours', way);
    expect((await holder(seed, way)).said).toBe('KEY_LOCKED');
    expect((await refused(lockKey(seed, '/ours', way))).code).toBe('KEY_LOCKED');
    await lock.release();
    await (await lockKey(seed, '/ours', way)).release();
  });

  test('is given to one of many that ask at once', async () => {
    const seed = new Uint8Array(randomBytes(32));
    const asked = await Promise.allSettled(
      Array.from({ length: 8 }, () => lockKey(seed, '/ours', way)),
    );
    const locks = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(locks.length).toBe(1);
    await locks[0]!.release();
  });
});

test('a holder that says nothing, or nonsense, still holds', async () => {
  const seed = new Uint8Array(randomBytes(32));
  const lock = await lockKey(seed, '/evil\u001b[31m/dir', 'name');
  const detail = await refused(lockKey(seed, '/ours', 'name'));
  expect(detail).toMatchObject({ code: 'KEY_LOCKED', processId: process.pid, directory: null });
  await lock.release();

  const { child } = await holder(seed, 'name');
  child.kill('SIGSTOP');
  expect(await refused(lockKey(seed, '/ours', 'name'))).toMatchObject({
    code: 'KEY_LOCKED',
    processId: null,
  });
});

test('a folder for locks that others may enter, or have laid, is not used', async () => {
  const before = process.env.XDG_RUNTIME_DIR;
  const runtime = join(folder, 'unsafe');
  mkdirSync(join(runtime, 'anwansi'), { recursive: true });
  process.env.XDG_RUNTIME_DIR = runtime;
  try {
    const seed = new Uint8Array(randomBytes(32));
    chmodSync(join(runtime, 'anwansi'), 0o777);
    expect((await refused(lockKey(seed, '/ours', 'folder'))).code).toBe('DIRECTORY_UNSAFE');
    chmodSync(join(runtime, 'anwansi'), 0o700);
    await (await lockKey(seed, '/ours', 'folder')).release();
    rmSync(join(runtime, 'anwansi'), { recursive: true });
    mkdirSync(join(runtime, 'elsewhere'), { mode: 0o700 });
    symlinkSync(join(runtime, 'elsewhere'), join(runtime, 'anwansi'));
    expect((await refused(lockKey(seed, '/ours', 'folder'))).code).toBe('DIRECTORY_UNSAFE');
    expect(readdirSync(join(runtime, 'elsewhere'))).toEqual([]);
  } finally {
    if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
    else process.env.XDG_RUNTIME_DIR = before;
  }
});

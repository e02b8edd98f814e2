// Goal: the store in memory and the store on disk keep the same laws; the one on disk survives
// kill -9, belongs to one network, one schema and one process, and reports a bad disk by name.
// Method: one suite for both; real child processes for the lock and for the kill.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ClassicLevel } from 'classic-level';
import { afterEach, expect, test } from 'vitest';
import type { Store } from '../../node/ports.ts';
import { openLevelStore, storeSchema } from '../../node/storage/level.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { utf8 } from '../../protocol/brand.ts';
import { put, storeLaws } from './store.ts';

const network = new Uint8Array(32).fill(7);
const root = fileURLToPath(new URL('../..', import.meta.url));
const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function folder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'anwansi-store-'));
  cleanUps.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function opened(directory: string, id: Uint8Array = network): Promise<Store> {
  const store = await openLevelStore({ directory, network: id });
  cleanUps.push(store.close);
  return store;
}

storeLaws('the store in memory', async () => ({
  store: openMemoryStore(),
  remove: async () => {},
}));

storeLaws('the store on disk', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'anwansi-store-'));
  const store = await openLevelStore({ directory, network });
  return { store, remove: () => rm(directory, { recursive: true, force: true }) };
});

test('on disk, what was written is there after a restart', async () => {
  const directory = join(await folder(), 'made', 'on', 'the', 'way');
  const first = await opened(directory);
  await first.batch([put('vote', 'key', Uint8Array.of(1))], { durable: true });
  await first.batch([put('vote', 'other', Uint8Array.of(2))], { durable: false });
  await first.close();
  const second = await opened(directory);
  expect(await second.range('vote', {})).toHaveLength(2);
  expect(await second.range('meta', {}), 'what the store knows of itself is hidden').toEqual([]);
});

test('a database of another network or schema is refused, and says which', async () => {
  const directory = await folder();
  await (await opened(directory)).close();
  await expect(opened(directory, new Uint8Array(32).fill(8))).rejects.toMatchObject({
    detail: { code: 'STORE_OTHER_NETWORK', found: '07'.repeat(32), expected: '08'.repeat(32) },
  });
  const raw = new ClassicLevel<Uint8Array, Uint8Array>(directory, {
    keyEncoding: 'view',
    valueEncoding: 'view',
  });
  await raw.put(Uint8Array.of(0), new Uint8Array(36).fill(9));
  await raw.close();
  await expect(opened(directory)).rejects.toMatchObject({
    detail: { code: 'STORE_OTHER_SCHEMA', found: 0x09090909, expected: storeSchema },
  });
});

test('a database that is not ours, or is damaged, is refused and left alone', async () => {
  const foreign = await folder();
  const raw = new ClassicLevel(foreign);
  await raw.put('somebody', 'else');
  await raw.close();
  await expect(opened(foreign)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });

  const damaged = await folder();
  await (await opened(damaged)).close();
  for (const file of await readdir(damaged))
    if (file.startsWith('MANIFEST')) await writeFile(join(damaged, file), 'noise');
  await expect(opened(damaged)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });

  const file = join(await folder(), 'file');
  await writeFile(file, 'not a directory');
  await expect(opened(file)).rejects.toMatchObject({ code: 'STORE_FAILED' });
});

/** A process that opens the store, says so, and writes numbered batches until it is killed. */
async function writer(directory: string) {
  const script = `
    import { openLevelStore } from './node/storage/level.ts';
    const network = new Uint8Array(32).fill(7);
    const store = await openLevelStore({ directory: ${JSON.stringify(directory)}, network });
    console.log('open');
    for (let i = 0; ; i++) {
      const value = new Uint8Array(200).fill(i % 251);
      const changes = Array.from({ length: 20 }, (_, k) => ({
        bucket: 'vote', key: Uint8Array.of(i >> 8, i & 255, k), value }));
      await store.batch(changes, { durable: true });
      console.log(i);
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
  let lines: string[] = [];
  let rest = '';
  child.stdout.on('data', (text) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop()!;
    lines = [...lines, ...parts];
  });
  cleanUps.push(async () => child.kill('SIGKILL'));
  while (lines.length < 30) await once(child.stdout, 'data');
  const kill = async (): Promise<number> => {
    child.kill('SIGKILL');
    await once(child, 'close');
    return Number(lines.at(-1));
  };
  return { processId: child.pid!, kill };
}

test('a second process is refused with the first one named; kill -9 loses no batch', async () => {
  const directory = await folder();
  const { processId, kill } = await writer(directory);
  await expect(opened(directory)).rejects.toMatchObject({
    detail: { code: 'STORE_LOCKED', processId },
    message: expect.stringContaining(`process ${processId} has`),
  });
  const told = await kill();
  expect(told).toBeGreaterThanOrEqual(28);
  const store = await opened(directory);
  const entries = await store.range('vote', {});
  const batches = entries.length / 20;
  expect(Number.isInteger(batches), 'no batch is torn').toBe(true);
  expect(batches).toBeGreaterThanOrEqual(told + 1);
  for (const [key, value] of entries)
    expect(value).toEqual(new Uint8Array(200).fill((key[0]! * 256 + key[1]!) % 251));
});

test('in memory, a failed write changes nothing, and a power cut takes what was not durable', async () => {
  const store = openMemoryStore();
  await store.batch([put('job', 'kept', Uint8Array.of(1))], { durable: true });
  store.failNextWrite(new Error('the disk is on fire'));
  await expect(
    store.batch([put('job', 'kept', Uint8Array.of(2))], { durable: true }),
  ).rejects.toMatchObject({ code: 'STORE_FAILED', cause: { message: 'the disk is on fire' } });
  expect(await store.get('job', utf8('kept'))).toEqual(Uint8Array.of(1));
  await store.batch([put('job', 'kept', Uint8Array.of(3)), put('job', 'new', Uint8Array.of(4))], {
    durable: false,
  });
  await store.batch([{ bucket: 'job', key: utf8('kept'), value: null }], { durable: false });
  store.loseUnsynced();
  await store.close();
  store.reopen();
  expect(await store.range('job', {})).toEqual([[utf8('kept'), Uint8Array.of(1)]]);
});

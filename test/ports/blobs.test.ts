// Goal: blobs in memory and on disk keep the same laws; those on disk survive a restart, never
// show a torn or damaged file as a blob, and report a bad or full disk by name.
// Method: one suite for both; files damaged by hand behind the store's back.
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openBlobStore } from '../../node/storage/blobs.ts';
import { isFull } from '../../node/storage/error.ts';
import { openMemoryBlobs } from '../../node/storage/memory-blobs.ts';
import { turns } from '../../node/storage/turns.ts';
import { formatCid } from '../../protocol/merkle/blob.ts';
import { blobBlockBytes } from '../../protocol/params.ts';
import { blobLaws, pattern } from './blobs.ts';

const directories: string[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0))
    await rm(directory, { recursive: true, force: true });
});

async function folder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'anwansi-blobs-'));
  directories.push(directory);
  return directory;
}

const quotaBytes = 1 << 26;

blobLaws('blobs in memory', async (quota, now) => ({
  blobs: openMemoryBlobs({ quotaBytes: quota, now }),
  remove: async () => {},
}));

blobLaws('blobs on disk', async (quota, now) => {
  const directory = await mkdtemp(join(tmpdir(), 'anwansi-blobs-'));
  const blobs = await openBlobStore({ directory, quotaBytes: quota, now });
  return { blobs, remove: () => rm(directory, { recursive: true, force: true }) };
});

/** Paths of all files under a directory. */
async function files(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}

test('a blob is one file by its name, and is there after a restart, within the new quota', async () => {
  const directory = join(await folder(), 'made', 'here');
  const first = await openBlobStore({ directory, quotaBytes });
  const [old, young] = [await first.put(pattern(500, 1)), await first.put(pattern(500, 2))];
  const path = (await first.path(old))!;
  expect(path.endsWith(formatCid(old as never))).toBe(true);
  expect(new Uint8Array(await readFile(path))).toEqual(pattern(500, 1));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await first.close();
  await utimes(path, 1_000, 1_000);
  await writeFile(join(directory, 'draft', 'torn'), 'half of somethi');

  const second = await openBlobStore({ directory, quotaBytes: 900 });
  expect(second.bytes(), 'nothing goes before it is known what must stay').toBe(1_000);
  await second.trim();
  expect(await second.has(old), 'the one that is older goes first').toBe(false);
  expect(await second.read(young)).toEqual(pattern(500, 2));
  expect(await files(directory)).toHaveLength(1);
  await second.close();
});

test('a damaged file is removed and reported, whichever way it is read, and can be put again', async () => {
  const directory = await folder();
  const blobs = await openBlobStore({ directory, quotaBytes });
  for (const size of [500, 2 * blobBlockBytes + 9]) {
    const bytes = pattern(size);
    const ways = {
      read: blobs.read,
      path: blobs.path,
      manifest: blobs.manifest,
      readBlock: (cid: Uint8Array) => blobs.readBlock(cid, 0),
    };
    for (const [way, run] of Object.entries(ways)) {
      const cid = await blobs.put(bytes);
      const path = (await blobs.path(cid))!;
      const damaged = bytes.slice();
      damaged[size - 1]! ^= 1;
      await writeFile(path, damaged);
      await expect(run(cid), `${way} of ${size}`).rejects.toMatchObject({
        detail: { code: 'BLOB_CORRUPT', cid: formatCid(cid as never), path },
      });
      expect(await files(directory)).toEqual([]);
      expect(await run(cid)).toBeNull();
      expect(blobs.bytes()).toBe(0);
    }
  }
  await blobs.close();
});

test('a damaged list is found out, and so is a blob in memory', async () => {
  const directory = await folder();
  const blobs = await openBlobStore({ directory, quotaBytes });
  const cid = await blobs.putList([pattern(36), pattern(36, 2)]);
  const path = (await blobs.path(cid))!;
  const damaged = await readFile(path);
  damaged[damaged.length - 1]! ^= 1;
  await writeFile(path, damaged);
  await expect(blobs.path(cid)).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
  await blobs.close();

  const memory = openMemoryBlobs({ quotaBytes });
  const held = await memory.put(pattern(5));
  memory.damage(held, pattern(5, 2));
  await expect(memory.read(held)).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
  expect(await memory.has(held)).toBe(false);
  expect(memory.bytes()).toBe(0);
});

test('a file that somebody took away is simply not here', async () => {
  const directory = await folder();
  const blobs = await openBlobStore({ directory, quotaBytes });
  const cid = await blobs.put(pattern(500));
  await rm((await blobs.path(cid))!);
  expect(await blobs.read(cid)).toBeNull();
  expect(await blobs.has(cid)).toBe(false);
  expect(blobs.bytes()).toBe(0);
  await blobs.put(pattern(500));
  expect(await blobs.read(cid)).toEqual(pattern(500));
  await blobs.close();
});

test('the same blob put many times at once is written once', async () => {
  const directory = await folder();
  const blobs = await openBlobStore({ directory, quotaBytes });
  await Promise.all(Array.from({ length: 20 }, () => blobs.put(pattern(5_000))));
  expect(blobs.bytes()).toBe(5_000);
  expect(await files(directory)).toHaveLength(1);
  await blobs.close();
});

test('what is being written makes no room for others, and what made room can come back', async () => {
  const directory = await folder();
  const blobs = await openBlobStore({ directory, quotaBytes: 400 });
  const writing = blobs.put(pattern(300, 1));
  await expect(blobs.put(pattern(200, 2))).rejects.toMatchObject({
    detail: { code: 'BLOB_QUOTA', pinnedBytes: 300 },
  });
  expect(await blobs.read(await writing)).toEqual(pattern(300, 1));
  const [, back] = await Promise.all([blobs.put(pattern(200, 2)), blobs.put(pattern(200, 1))]);
  expect(await blobs.read(back)).toEqual(pattern(200, 1));
  expect(await files(directory)).toHaveLength(2);
  await blobs.close();
});

test('a disk that cannot be written is reported, and leaves nothing behind', async () => {
  const directory = await folder();
  const blobs = await openBlobStore({ directory, quotaBytes });
  await rm(join(directory, 'draft'), { recursive: true });
  await expect(blobs.put(pattern(500))).rejects.toMatchObject({
    detail: { code: 'BLOB_FAILED', action: 'write' },
  });
  expect(blobs.bytes()).toBe(0);
  await blobs.close();

  const file = join(await folder(), 'file');
  await writeFile(file, '');
  await expect(openBlobStore({ directory: file, quotaBytes })).rejects.toMatchObject({
    detail: { code: 'BLOB_FAILED', action: 'open' },
  });
});

test('a full disk is told from a broken one', () => {
  expect(isFull(Object.assign(new Error('write'), { code: 'ENOSPC' }))).toBe(true);
  expect(isFull(Object.assign(new Error('write'), { code: 'EDQUOT' }))).toBe(true);
  expect(isFull(new Error('IO error: /x/000005.log: No space left on device'))).toBe(true);
  expect(isFull(Object.assign(new Error('write'), { code: 'EACCES' }))).toBe(false);
});

test('changes of one file take turns, also after one that failed; other files do not wait', async () => {
  const { exclusive, settled } = turns();
  const told: string[] = [];
  const later =
    (what: string, fails = false) =>
    async () => {
      await new Promise((resolve) => setTimeout(resolve, fails ? 10 : 5));
      told.push(what);
      if (fails) throw new Error(what);
    };
  const removal = exclusive('a', later('a is removed', true)).catch(() => {});
  const write = exclusive('a', later('a is written'));
  await exclusive('b', later('b is written'));
  await settled('a');
  await Promise.all([removal, write]);
  expect(told).toEqual(['b is written', 'a is removed', 'a is written']);
  const failing = exclusive('a', later('again', true));
  await expect(settled('a')).rejects.toThrow('again');
  await expect(failing).rejects.toThrow('again');
  await settled('a');
  await settled(null);
});

// Goal: however many ask for a blob at once, its file is read and hashed once; a file that changed
// is read again, and believed only if it is what its name says.
// Method: real files; the hash function counts.
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';

const counted = vi.hoisted(() => ({ blocks: 0 }));
vi.mock('../../node/crypto.ts', async (original) => {
  const real = await original<typeof import('../../node/crypto.ts')>();
  const nativeSha256: typeof real.nativeSha256 = (...given) => {
    counted.blocks += 1;
    return real.nativeSha256(...given);
  };
  return { ...real, nativeSha256 };
});
const { openChecks } = await import('../../node/storage/blob-file.ts');
const { installSha256 } = await import('../../protocol/crypto/hash.ts');
const { blobCid, parseCid, formatCid } = await import('../../protocol/merkle/blob.ts');
const { blobBlockBytes } = await import('../../protocol/params.ts');
const { nativeSha256 } = await import('../../node/crypto.ts');

installSha256(nativeSha256);
const folder = mkdtempSync(join(tmpdir(), 'anwansi-checks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a blob that many ask for is read once for all of them', async () => {
  const blocks = 8;
  const bytes = new Uint8Array(blocks * blobBlockBytes).fill(3);
  const cid = parseCid(formatCid(blobCid(bytes)))!;
  const path = join(folder, 'blob');
  writeFileSync(path, bytes);
  const count = async (work: () => Promise<unknown>): Promise<number> => {
    counted.blocks = 0;
    await work();
    return counted.blocks;
  };
  const checks = openChecks();
  const alone = await count(() => openChecks().holds(cid, path));
  expect(alone).toBeGreaterThanOrEqual(blocks);
  const many = await count(async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => checks.holds(cid, path)));
    expect(answers).toEqual(answers.map(() => true));
  });
  expect(many).toBe(alone);
  expect(await count(() => checks.holds(cid, path))).toBe(0);

  bytes[0] = 4;
  writeFileSync(path, bytes);
  utimesSync(path, 1, 1);
  expect(await Promise.all([checks.holds(cid, path), checks.holds(cid, path)])).toEqual([
    false,
    false,
  ]);
  bytes[0] = 3;
  writeFileSync(path, bytes);
  utimesSync(path, 2, 2);
  expect(await checks.holds(cid, path)).toBe(true);
});

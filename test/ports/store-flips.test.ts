// Goal: what a damaged log leaves is a beginning of what was written, or it is refused by name.
// Method: a hundred flushed batches, one bit of the database's log turned, many times over.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openLevelStore } from '../../node/storage/level.ts';
import { uint64 } from '../../protocol/crypto/hash.ts';
import { chance } from '../simulation/random.ts';

const network = new Uint8Array(32).fill(7);
const count = 100;

/** Entries that are there after one bit was turned; null if the store refused to open. */
async function afterFlip(seed: number): Promise<readonly number[] | null> {
  const directory = await mkdtemp(join(tmpdir(), 'anwansi-flips-'));
  try {
    const store = await openLevelStore({ directory, network });
    for (let at = 0; at < count; at++) {
      const value = new Uint8Array(300).fill(at);
      await store.batch([{ bucket: 'vote', key: uint64(at), value }], { durable: at % 10 === 0 });
    }
    await store.close();
    const name = (await readdir(directory)).find((file) => file.endsWith('.log'))!;
    const log = await readFile(join(directory, name));
    const random = chance(seed, 'flip');
    const place = random.below(log.length);
    log[place] = log[place]! ^ (1 << random.below(8));
    await writeFile(join(directory, name), log);
    const again = await openLevelStore({ directory, network });
    const found = await again.range('vote', {});
    await again.close();
    return found.map(([key]) => Number(new DataView(key.buffer, key.byteOffset).getBigUint64(0)));
  } catch (error) {
    expect(error).toMatchObject({ code: 'STORE_CORRUPT' });
    return null;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test('one bit of the log never leaves a hole', async () => {
  const outcomes = { whole: 0, beginning: 0, refused: 0 };
  for (let seed = 0; seed < 60; seed++) {
    const found = await afterFlip(seed);
    if (found === null) outcomes.refused += 1;
    else {
      expect(found, `seed ${seed}`).toEqual(found.map((_, at) => at));
      outcomes[found.length === count ? 'whole' : 'beginning'] += 1;
    }
  }
  // Holes are what most flips make: they are told.
  expect(outcomes.refused).toBeGreaterThan(10);
});

test('batches beyond those whose numbers are kept come back all the same', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'anwansi-flips-'));
  const key = uint64(1);
  for (const batches of [4_200, 3]) {
    const store = await openLevelStore({ directory, network });
    for (let at = 0; at < batches; at++)
      await store.batch([{ bucket: 'vote', key, value: uint64(at) }], { durable: false });
    await store.close();
  }
  const store = await openLevelStore({ directory, network });
  expect(await store.get('vote', key)).toEqual(uint64(2));
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

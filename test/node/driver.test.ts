// Goal: a driver whose store fails takes nothing more, whether it fails at the start or later; what
// is read of it for peers is on the disk.
// Method: a real replica, and a store whose disk is full, or slow, from a write on.
import { expect, test } from 'vitest';
import { contractsOf } from '../../node/contracts.ts';
import { nativeKeys, nativeSha256 } from '../../node/crypto.ts';
import { drive } from '../../node/driver.ts';
import { suite } from '../../node/parts.ts';
import type { StoreChange } from '../../node/ports.ts';
import { StorageError } from '../../node/storage/error.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import { ledgerRules } from '../../protocol/ledger/chain.ts';
import { devGenesis, devSeatSeed } from '../../protocol/receipt/dev.ts';
import { boot, nothingKept } from '../../protocol/replica/boot.ts';

installSha256(nativeSha256);
const change: StoreChange = { bucket: 'meta', key: Uint8Array.of(1), value: Uint8Array.of(1) };

const paces = { repeatMs: 1_000, retryMs: 200, standstillMs: 3_000 };

function seatOne() {
  const genesis = devGenesis({ seats: 4, nonce: new Uint8Array(32), timeMs: 1_000_000 });
  const ledger = ledgerRules(genesis, suite, contractsOf(genesis));
  return { ledger, keys: nativeKeys(devSeatSeed(0)) };
}

async function driven(failingFrom: number) {
  const { ledger, keys } = seatOne();
  const booted = boot({ ledger, seat: 0, keys, ...paces }, nothingKept, 1_000_000);
  let writes = 0;
  let performed = 0;
  const store = openMemoryStore();
  const driver = drive(booted, {
    store: {
      ...store,
      batch: (changes, options) =>
        ++writes > failingFrom
          ? Promise.reject(new StorageError({ code: 'STORE_NO_SPACE', directory: 'full' }))
          : store.batch(changes, options),
    },
    keeper: { changes: () => [change] },
    clock: { now: () => 1_000_000, wake: () => undefined, stop: () => undefined },
    perform: () => {
      performed += 1;
    },
  });
  driver.take({ kind: 'tick' });
  const reason = await Promise.race([
    driver.failed.catch((error: unknown) => error),
    new Promise((resolve) => setTimeout(resolve, 200, 'it goes on')),
  ]);
  const before = performed;
  const isTaken = driver.take({ kind: 'tick' });
  await driver.stop();
  return { reason, isTaken, more: performed - before, writes };
}

test.each([0, 1])('a store that fails after %i writes ends it', async (failingFrom) => {
  const { reason, isTaken, more, writes } = await driven(failingFrom);
  expect(reason).toBeInstanceOf(StorageError);
  expect([isTaken, more, writes]).toEqual([false, 0, failingFrom + 1]);
});

test('with a store that works it goes on', async () => {
  const { reason, isTaken } = await driven(100);
  expect([reason, isTaken]).toEqual(['it goes on', true]);
});

test('what is read for peers waits for the disk, and is never of the step after', async () => {
  const { ledger, keys } = seatOne();
  const booted = boot({ ledger, seat: 0, keys, ...paces }, nothingKept, 1_000_000);
  const store = openMemoryStore();
  const gates: (() => void)[] = [];
  let written = 0;
  let now = 1_000_000;
  const driver = drive(booted, {
    store: {
      ...store,
      batch: async (changes, options) => {
        await new Promise<void>((resolve) => gates.push(resolve));
        await store.batch(changes, options);
        written += 1;
      },
    },
    keeper: { changes: () => [change] },
    clock: { now: () => now, wake: () => undefined, stop: () => undefined },
    perform: () => undefined,
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  // Each input has a time of its own: the replica's clock tells of which step a state is.
  const tick = (): void => {
    now += 1;
    driver.take({ kind: 'tick' });
  };
  const seen: [written: number, steps: number][] = [];
  const look = (): Promise<unknown> =>
    driver.whenWritten((state) => void seen.push([written, state.now - 1_000_000]));
  // The boot's batch is under way: nothing of it is told.
  const first = look();
  await turn();
  expect([seen, driver.state().now]).toEqual([[], 1_000_000]);
  for (let step = 0; step < 5; step++) driver.take({ kind: 'tick' });
  for (let step = 1; step <= 6; step++) {
    const waiting = look();
    const gate = gates.shift()!;
    now = 1_000_000 + step;
    gate();
    await waiting;
    await turn();
    // The next step is there already, and not on the disk.
    if (step < 6) expect(driver.state().now).toBe(1_000_000 + step);
  }
  await first;
  // The boot and the step of each batch were read when just so many batches were written.
  expect(seen.length).toBe(7);
  for (const [batches, steps] of seen) expect(steps).toBe(batches - 1);
  tick();
  gates.shift()?.();
  await driver.stop();
});

test('what is read for peers is nothing once the store has failed', async () => {
  const { ledger, keys } = seatOne();
  const booted = boot({ ledger, seat: 0, keys, ...paces }, nothingKept, 1_000_000);
  const full = new StorageError({ code: 'STORE_NO_SPACE', directory: 'full' });
  const driver = drive(booted, {
    store: { ...openMemoryStore(), batch: () => Promise.reject(full) },
    keeper: { changes: () => [change] },
    clock: { now: () => 1_000_000, wake: () => undefined, stop: () => undefined },
    perform: () => undefined,
  });
  for (let time = 0; time < 2; time++)
    await expect(driver.whenWritten(() => 'told')).rejects.toBe(full);
  await driver.stop();
});

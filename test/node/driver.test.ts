// Goal: a driver whose store fails takes nothing more, whether it fails at the start or later.
// Method: a real replica, and a store whose disk is full from a write on.
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

async function driven(failingFrom: number) {
  const genesis = devGenesis({ seats: 4, nonce: new Uint8Array(32), timeMs: 1_000_000 });
  const ledger = ledgerRules(genesis, suite, contractsOf(genesis));
  const keys = nativeKeys(devSeatSeed(0));
  const paces = { repeatMs: 1_000, retryMs: 200, standstillMs: 3_000 };
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

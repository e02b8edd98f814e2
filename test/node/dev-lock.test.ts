// Goal: a development network in one process holds the keys of its seats as processes would, so
// that nothing else on this machine signs with one of them; a refused start holds nothing.
// Method: a real layout on disk, and real locks; another holder, then none.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startDevTogether } from '../../node/operator/dev.ts';
import { layDevNetwork } from '../../node/operator/dev-layout.ts';
import { OperatorError } from '../../node/operator/error.ts';
import { lockKey } from '../../node/operator/key-lock.ts';
import { openLog } from '../../node/operator/log.ts';
import { concatBytes } from '../../protocol/brand.ts';
import { networkId } from '../../protocol/ledger/genesis.ts';
import { devSeatSeed } from '../../protocol/receipt/dev.ts';

const root = mkdtempSync(join(tmpdir(), 'anwansi-dev-lock-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('a seat whose key somebody holds is not started beside him', async () => {
  const nonce = new Uint8Array(32).fill(7);
  const layout = await layDevNetwork({ root, seats: 4, nonce, apiPort: 0 });
  const log = openLog('silent', { write: () => true });
  const lockSeat = (seat: number) =>
    lockKey(concatBytes(devSeatSeed(seat), networkId(layout.genesis)), `copy of ${seat}`);

  const copy = await lockSeat(2);
  const refused = await startDevTogether(layout, log).catch((reason: unknown) => reason);
  expect(refused).toBeInstanceOf(OperatorError);
  expect((refused as OperatorError).detail).toMatchObject({
    code: 'KEY_LOCKED',
    directory: 'copy of 2',
  });
  // What it held until then it holds no more.
  await (await lockSeat(0)).release();

  await copy.release();
  const network = await startDevTogether(layout, log);
  const late = await lockSeat(2).catch((reason: unknown) => reason);
  await network.stop();
  expect(late).toBeInstanceOf(OperatorError);
  await (await lockSeat(2)).release();
});

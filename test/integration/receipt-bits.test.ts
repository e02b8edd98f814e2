// Goal: no bit of a receipt is free: one that was turned, cut or prolonged is never verified.
// Method: the receipt of a real network; every 64th bit, as far as 20 s go; all of them are
// turned in receipt-bits.long.test.ts.
import { beforeAll, expect, test } from 'vitest';
import { smallReceipt, turnBits, verdictOf } from '../support/receipt-bits.ts';

const patienceMs = 240_000;
let receipt: Uint8Array;
beforeAll(async () => {
  receipt = await smallReceipt();
}, patienceMs);

test(
  'no bit is free',
  () => {
    expect(verdictOf(receipt)).toBe('verified');
    const { turned, free } = turnBits(receipt, 64, Date.now() + 20_000);
    expect(free).toEqual([]);
    expect(turned).toBeGreaterThan(receipt.length / 64);
    expect(verdictOf(receipt), 'the bits are turned back').toBe('verified');
  },
  patienceMs,
);

test(
  'nothing may be missing, and nothing may follow',
  () => {
    for (let length = 0; length < receipt.length; length += 121)
      expect(verdictOf(receipt.subarray(0, length)), `${length} bytes`).not.toBe('verified');
    for (const byte of [0, 0x80, 0xf6, 0xff])
      expect(verdictOf(Uint8Array.from([...receipt, byte]))).toBe('refuted');
  },
  patienceMs,
);

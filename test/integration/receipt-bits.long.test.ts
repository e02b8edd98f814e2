// Goal: no bit of a receipt is free.
// Method: the receipt of a real network; every bit of it, one after the other.
import { expect, test } from 'vitest';
import { smallReceipt, turnBits } from '../support/receipt-bits.ts';

test('every bit', async () => {
  const receipt = await smallReceipt();
  expect(turnBits(receipt, 1)).toEqual({ turned: receipt.length * 8, free: [] });
});

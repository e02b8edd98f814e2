// Goal: no bit of a receipt is free.
// Method: every single-bit flip of a failed job's receipt and of one with a second wave; the quick
// tests take a sample of them.
import { expect, test } from 'vitest';
import { auditReceipt, concludeAudit } from '../../protocol/receipt/audit.ts';
import { rendered, type Scene, scene } from '../support/receipt-scene.ts';

const settings: readonly [string, Scene][] = [
  ['a failed job', { seats: 4, program: { failing: 5 } }],
  ['a second wave', { seats: 7, roles: { 1: 'lie', 3: 'silent' } }],
];

test.each(settings)('every bit of the receipt of %s', (_, setting) => {
  const { bytes, trust, world } = scene(setting);
  const { suite } = world.keys;
  expect(concludeAudit(auditReceipt(bytes, trust, { suite }), rendered).verdict).toBe('verified');
  const flipped = bytes.slice();
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const { verdict } = concludeAudit(auditReceipt(flipped, trust, { suite }), rendered);
    if (verdict === 'verified') expect.fail(`bit ${bit} is free`);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
  }
});

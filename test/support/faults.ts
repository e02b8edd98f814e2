/** Run a network with faulty seats by the real command line, and look at what it says of them. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { nativeSuite } from '../../node/crypto.ts';
import { auditReceipt } from '../../protocol/receipt/audit.ts';
import { devTrust } from '../../protocol/receipt/trust.ts';
import {
  documentOf,
  type Ended,
  type Place,
  type Started,
  startAnwansi,
} from './anwansi-process.ts';

/** What a seat that plays a fault may have come to when its lane closed. */
const expected = {
  // A seat that is late as well has not told its lie yet.
  'wrong-result': /^(dissenting|silent|abstaining|unopened)$/,
  silent: /^silent$/,
  equivocate: /^(equivocating|silent)$/,
} as const;
export type Fault = keyof typeof expected;

/** Counts primes on a network of seven, of which the last seats play a fault. */
export function startFaulty(place: Place, fault: Fault, faulty: number): Started {
  const words = ['run', 'primes', '--params', '{"from":0,"to":1000000}', '--json'];
  const wish = ['--nodes', '7', '--faulty', String(faulty), '--fault', fault];
  return startAnwansi([...words, ...wish], { place });
}

type Seat = { readonly lane: number; readonly seat: number; readonly verdict: string };

/** Two of seven: the result is exact, and the output and the receipt name the two. */
export function expectNamed(ended: Ended, fault: Fault): void {
  expect(ended.exitCode, ended.err).toBe(0);
  const { data } = documentOf(ended);
  expect(data.result.text).toBe('78498');
  expect(data.work.subtasks).toBeGreaterThanOrEqual(2);
  const seats = data.work.seats as Seat[];
  const faulty = seats.filter(({ seat }) => seat >= 5);
  // Two lanes of three seats: one faulty seat at least is drawn.
  expect(faulty.length, ended.err).toBeGreaterThan(0);
  for (const { lane, seat, verdict } of faulty) {
    expect(verdict, ended.err).toMatch(expected[fault]);
    expect(ended.err).toMatch(new RegExp(`lane ${lane}: seats.* ${verdict}[ \\d]* ${seat}\\b`));
  }
  const { lanes } = auditReceipt(readFileSync(data.receipt.file), devTrust, {
    suite: nativeSuite,
  });
  const told = lanes!.flatMap(({ lane, seats: drawn }) => drawn.map((seat) => ({ lane, ...seat })));
  expect(seats).toEqual(told);
  // In each lane those who agree are enough, and none of them plays a fault.
  for (const { lane } of lanes!) {
    const agreed = told.filter((one) => one.lane === lane && one.verdict === 'agreed');
    expect(new Set(agreed.map(({ seat }) => seat)).size).toBeGreaterThanOrEqual(3);
  }
  expect(ended.err).toContain(`network of 7 validators, ${fault}: seats 5, 6\n`);
  expect(ended.err).not.toContain('beyond the assumption');
}

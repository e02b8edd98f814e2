// Goal: what three liars of seven bring about is an end all the same, and never goes unseen: a wrong
// result stands only where all three of them were counted. Two silent ones change no result.
// Method: the real command line, several times; who was counted is read from its output.
import { expect, test } from 'vitest';
import { anwansi, documentOf, newPlace } from '../support/anwansi-process.ts';
import { expectNamed, startFaulty } from '../support/faults.ts';

type Seat = { readonly lane: number; readonly seat: number; readonly verdict: string };

const words = ['run', 'primes', '--params', '{"from":0,"to":1000000}', '--json'];

test.each([1, 2, 3, 4, 5, 6, 7, 8])('three liars, network %i', async () => {
  const place = newPlace();
  try {
    const wish = ['--faulty', '3', '--fault', 'wrong-result'];
    const ended = await anwansi([...words, ...wish], { place });
    const { data, warnings, success } = documentOf(ended);
    expect(warnings).toContain('beyond the assumption: the result may be wrong');
    expect([0, 8, 9], ended.err).toContain(ended.exitCode);
    expect(ended.exitCode === 0).toBe(success);
    if (data.result?.text === '78498') return;
    expect(['settled', 'expired', 'voided']).toContain(data.state);
    if (data.state !== 'settled') return;
    const counted = (data.work.seats as Seat[]).filter(
      ({ seat, verdict }) => seat >= 4 && verdict === 'agreed',
    );
    expect(new Set(counted.map(({ seat }) => seat)).size).toBe(3);
  } finally {
    place.remove();
  }
});

test('two silent ones: the result is exact, and the output and the receipt name them', async () => {
  const place = newPlace();
  try {
    expectNamed(await startFaulty(place, 'silent', 2).ended, 'silent');
  } finally {
    place.remove();
  }
});

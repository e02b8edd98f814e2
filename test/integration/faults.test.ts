// Goal: two faulty validators of seven change no result and are named; with three of them the
// command line says that nothing can go on, or that the result may be wrong.
// Method: the real command line with real networks; each receipt is audited here once more. What
// three liars bring about is looked at to the end in faults.long.test.ts.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nativeSuite } from '../../node/crypto.ts';
import { auditReceipt } from '../../protocol/receipt/audit.ts';
import { devTrust } from '../../protocol/receipt/trust.ts';
import {
  documentOf,
  type Ended,
  newPlace,
  type Started,
  startAnwansi,
} from '../support/anwansi-process.ts';

/** Waves are drawn at chain times: a machine under load may need several. */
const patienceMs = 300_000;

const faults = ['wrong-result', 'silent', 'equivocate'] as const;
type Fault = (typeof faults)[number];

const place = newPlace();

function start(fault: Fault, faulty: number): Started {
  const words = ['run', 'primes', '--params', '{"from":0,"to":1000000}', '--json'];
  const wish = ['--nodes', '7', '--faulty', String(faulty), '--fault', fault];
  return startAnwansi([...words, ...wish], { place });
}

/** Each of these networks takes a quarter of a core and mostly waits: two at a time. */
const pairs = new Map<Fault, Promise<Ended>>();
let three: Started;
const stall = { from: 0, to: Number.POSITIVE_INFINITY };

beforeAll(() => {
  const first = (['wrong-result', 'silent'] as const).map((fault) => {
    const { ended } = start(fault, 2);
    pairs.set(fault, ended);
    return ended;
  });
  pairs.set(
    'equivocate',
    Promise.race(first).then(() => start('equivocate', 2).ended),
  );
  three = start('silent', 3);
  // From here on it is the network that does not go on, not this machine that is slow to start it.
  three.says('submitted').then(
    () => (stall.from = Date.now()),
    () => undefined,
  );
  void three.ended.then(() => (stall.to = Date.now()));
});
afterAll(async () => {
  await Promise.all([...pairs.values(), three.ended]);
  place.remove();
}, patienceMs);

/** What a seat that plays a fault may have come to when its lane closed. */
const expected: Readonly<Record<Fault, RegExp>> = {
  // A seat that is late as well has not told its lie yet.
  'wrong-result': /^(dissenting|silent|abstaining|unopened)$/,
  silent: /^silent$/,
  equivocate: /^(equivocating|silent)$/,
};

type Seat = { readonly lane: number; readonly seat: number; readonly verdict: string };

describe('two of seven', () => {
  test.each(faults)(
    '%s: the result is exact, and the output and the receipt name them',
    async (fault) => {
      const ended = await pairs.get(fault)!;
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
      const told = lanes!.flatMap(({ lane, seats: drawn }) =>
        drawn.map((seat) => ({ lane, ...seat })),
      );
      expect(seats).toEqual(told);
      // In each lane those who agree are enough, and none of them plays a fault.
      for (const { lane } of lanes!) {
        const agreed = told.filter((one) => one.lane === lane && one.verdict === 'agreed');
        expect(new Set(agreed.map(({ seat }) => seat)).size).toBeGreaterThanOrEqual(3);
      }
      expect(ended.err).toContain(`network of 7 validators, ${fault}: seats 5, 6\n`);
      expect(ended.err).not.toContain('beyond the assumption');
    },
    patienceMs,
  );
});

describe('three of seven', () => {
  test(
    'silent: stalled within 40 s, and it names who is missing',
    async () => {
      const ended = await three.ended;
      expect(ended.exitCode, ended.err).toBe(6);
      const { data, errors } = documentOf(ended);
      expect(data).toEqual({ job: expect.any(String), state: 'stalled', result: null });
      expect(errors).toMatchObject([{ code: 'NETWORK_NO_QUORUM', retryable: true }]);
      expect(ended.err).toContain('4 seats were heard, 5 are needed, missing 4, 5, 6');
      expect(ended.err).toContain('beyond the assumption: the result may be wrong');
      expect(errors[0].hint).toContain('ended with it, and so did the job');
      expect(errors[0].hint).toContain('--faulty 2');
      expect(errors[0].hint, 'nothing of it is left').not.toContain('goes on');
      expect(stall.to - stall.from).toBeLessThan(40_000);
    },
    patienceMs,
  );

  test(
    'wrong-result: warned before anything else that the result may be wrong',
    async () => {
      const { child, ended, says } = start('wrong-result', 3);
      await says('warning beyond the assumption: the result may be wrong\n');
      child.kill('SIGINT');
      const { exitCode, err, out } = await ended;
      expect(exitCode, err).toBe(130);
      expect(documentOf({ out }).warnings).toEqual([
        'beyond the assumption: the result may be wrong',
      ]);
      expect(err).toContain('network of 7 validators, wrong-result: seats 4, 5, 6\n');
    },
    patienceMs,
  );
});

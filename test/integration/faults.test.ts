// Goal: two faulty validators of seven change no result and are named; with three of them the
// command line warns before anything else that the result may be wrong, and says when nothing can
// go on.
// Method: the real command line with real networks; each receipt is audited here once more. Two
// silent ones, and what three liars bring about, are looked at in faults.long.test.ts.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentOf, type Ended, newPlace, type Started } from '../support/anwansi-process.ts';
import { expectNamed, type Fault, startFaulty } from '../support/faults.ts';

/** Waves are drawn at chain times: a machine under load may need several. */
const patienceMs = 300_000;

const faults = ['wrong-result', 'equivocate'] as const;

const place = newPlace();

/** Each of these networks takes a quarter of a core and mostly waits: all at once. */
const pairs = new Map<Fault, Promise<Ended>>();
let three: Started;
const stall = { from: 0, to: Number.POSITIVE_INFINITY };

beforeAll(() => {
  for (const fault of faults) pairs.set(fault, startFaulty(place, fault, 2).ended);
  three = startFaulty(place, 'silent', 3);
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

describe('two of seven', () => {
  test.each(faults)(
    '%s: the result is exact, and the output and the receipt name them',
    async (fault) => {
      expectNamed(await pairs.get(fault)!, fault);
    },
    patienceMs,
  );
});

describe('three of seven', () => {
  test(
    'silent: warned at once, stalled within 40 s, and it names who is missing',
    async () => {
      const ended = await three.ended;
      expect(ended.exitCode, ended.err).toBe(6);
      const { data, errors } = documentOf(ended);
      expect(data).toEqual({ job: expect.any(String), state: 'stalled', result: null });
      expect(errors).toMatchObject([{ code: 'NETWORK_NO_QUORUM', retryable: true }]);
      expect(ended.err).toContain('4 seats were heard, 5 are needed, missing 4, 5, 6');
      const warning = 'beyond the assumption: the result may be wrong';
      expect(documentOf(ended).warnings).toEqual([warning]);
      const [warned, submitted] = [`warning ${warning}\n`, 'submitted'].map((words) =>
        ended.err.indexOf(words),
      );
      expect(warned, ended.err).toBeGreaterThanOrEqual(0);
      expect(submitted, 'warned before anything else').toBeGreaterThan(warned!);
      expect(ended.err).toContain('network of 7 validators, silent: seats 4, 5, 6\n');
      expect(errors[0].hint).toContain('ended with it, and so did the job');
      expect(errors[0].hint).toContain('--faulty 2');
      expect(errors[0].hint, 'nothing of it is left').not.toContain('goes on');
      expect(stall.to - stall.from).toBeLessThan(40_000);
    },
    patienceMs,
  );
});

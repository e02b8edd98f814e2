// Goal: what ran out is told with the option that raises it, where one does, and a bill is added up.
// Method: failures of each kind under limits below and at the most that a job may give.
import { describe, expect, test } from 'vitest';
import { billOf, billText, failureWords, unrenderableWords } from '../../node/cli/fuel-words.ts';
import type { Measured } from '../../node/client/measure.ts';
import type { Job } from '../../protocol/job/job.ts';
import { fuelCallMax, fuelFoldMax } from '../../protocol/params.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const had = 2n ** 33n;
const said = { class: null, said: null, place: null, lines: null, memoryBytes: 0 };
const measured = (fuels: readonly bigint[]): Measured => ({
  limits: { item: had, combine: had, fold: had, render: had },
  items: fuels.map((fuel, index) => ({ ...said, index, bytes: null, fuel, ms: 1 })),
  ...{ combine: null, combineMs: 0, render: null, unrun: null },
});

describe('words', () => {
  const limits = { fuelItem: 2n ** 20n, fuelCombine: 2n ** 34n, fuelFold: 2n ** 38n };
  const input = { kind: 'list', root: new Uint8Array(32), items: 20 } as never;
  const given = { input, parameters: bytes('{"top":3}') };
  const job = { ...limits, ...given, fuelRender: 2n ** 34n } as unknown as Job;
  const failure = { class: 'out-of-fuel', subtask: 2, item: 7 } as const;

  test('name the item, the limit, what was measured, and the option that raises it', () => {
    const told = failureWords(failure, job, measured([70_000n, 90_000n]));
    expect(told.message).toBe(
      'the job failed: out-of-fuel in item 7 of the job, counted from 0, in subtask 2: it used up its limit of 1.04M units ' +
        'of fuel; of 2 measured before, item 1 used the most, 90k',
    );
    expect(told.hint).toContain('--fuel 16.7M');
    expect(failureWords(failure, { ...job, fuelItem: fuelCallMax }, null).hint).toContain(
      'the most that a job may give',
    );
    expect(failureWords({ ...failure, class: 'too-deep' }, job, null).hint).toContain('recurse');
    const combined = { class: 'combine-failed', subtask: null, lane: 0 } as const;
    expect(failureWords(combined, job, null).hint).toMatch(/--fuel-combine.*--fuel-fold/);
    expect(failureWords({ ...failure, class: 'trap' }, job, null).hint).not.toContain('--fuel');
    const spent = { kind: 'unrenderable', class: 'out-of-fuel' } as const;
    const dear = { ...spent, step: 'render', limit: job.fuelRender } as const;
    expect(unrenderableWords(dear, job).hint).toContain('--fuel-render 68.7G');
    expect(unrenderableWords({ ...dear, class: 'trap' }, job).hint).not.toContain('--fuel');
  });

  test('end with a whole command that looks at what failed, as the job was named', () => {
    const named = { program: 'my prog', input: '/a file', params: '{"a":1}' };
    const closer = (terms: Job, as: typeof named | null, what: object = { class: 'trap' }) =>
      failureWords({ ...failure, ...what }, terms, null, as)
        .hint.split('\n')
        .find((line) => line.startsWith('Look closer'));
    const options = `--input '/a file' --params '{"a":1}'`;
    for (const kind of ['trap', 'bad-value', 'out-of-fuel', 'too-deep'])
      expect(closer(job, named, { class: kind })).toBe(
        `Look closer, without a network: anwansi program bench 'my prog' --item 7 ${options}`,
      );
    const combined = { class: 'combine-failed', item: null };
    expect(closer(job, named, combined)).toBe(
      `Look closer, without a network: anwansi program check 'my prog' ${options}`,
    );
    // Of a job of which only its terms are known, these are told; a stranger's only if harmless.
    const mine = closer(job, null)!;
    expect(mine).toContain('with what was submitted in place of the capitals: ');
    expect(mine).toContain(`bench PROGRAM --item 7 --input INPUT --params '{"top":3}'`);
    const made = { ...job, input: { kind: 'generated', items: 20 }, parameters: bytes('') } as Job;
    expect(closer(made, null)).toMatch(/bench PROGRAM --item 7$/);
    for (const evil of ['"\u001b[31m"', '"\u202e"', '1\n', ' '.repeat(201)])
      expect(closer({ ...job, parameters: bytes(evil) } as Job, null)).toMatch(
        /--params PARAMETERS$/,
      );
  });

  test('tell a combine that ran out of its own limit from a fold, and raise only what can be', () => {
    const inSubtask = { class: 'combine-failed', subtask: 3, item: null } as const;
    const inLane = { class: 'combine-failed', subtask: null, lane: 0 } as const;
    const most = { ...job, fuelCombine: fuelCallMax };
    const hint = (failed: typeof inSubtask | typeof inLane, terms: Job) =>
      failureWords(failed, terms, null).hint;
    expect(hint(inSubtask, job)).toContain('--fuel-combine (now 17.1G) raises');
    expect(hint(inSubtask, job)).not.toContain('--fuel-fold');
    expect(hint(inSubtask, most)).toContain('68.7G units of fuel, the most that a job may give');
    expect(hint(inSubtask, most)).not.toContain('--fuel');
    expect(hint(inLane, most)).not.toContain('--fuel-combine');
    expect(hint(inLane, most)).toContain('--fuel-fold (now 274G) raises');
    expect(hint(inLane, { ...most, fuelFold: fuelFoldMax })).not.toContain('--fuel');
    const spent = { kind: 'unrenderable', class: 'out-of-fuel', step: 'fold' } as const;
    const told = (limit: bigint, terms = job) => unrenderableWords({ ...spent, limit }, terms);
    const one = told(job.fuelCombine);
    expect(one.message).toMatch(/where a combine used up the limit of 17\.1G units of fuel$/);
    expect(one.hint).toContain('--fuel-combine');
    expect(one.hint).not.toContain('--fuel-fold');
    expect(told(fuelCallMax, most).hint).not.toContain('--fuel');
    // What was left for it was less than that: those before it had used up the fold.
    const all = told(job.fuelCombine - 1n);
    expect(all.message).toMatch(/where all combines together used up the limit of 274G/);
    expect(all.hint).toMatch(/--fuel-fold 1\.09T/);
    expect(all.hint).not.toContain('--fuel-combine');
  });

  test('a bill counts each seat that agreed once a lane, rounded down', () => {
    const seat = (number: number, verdict: string) => ({ seat: number, wave: 0, verdict });
    const seats = [seat(1, 'agreed'), seat(1, 'agreed'), seat(2, 'agreed'), seat(3, 'silent')];
    const lane = { claim: { mapFuel: 1_999_999n }, seats };
    const audit = { lanes: [lane, lane], record: { fee: 3n } } as never;
    const genesis = (contracts: string) => ({ contracts }) as never;
    expect(billOf(audit, genesis('fees'))).toEqual({ mapFuel: 3_999_998n, paid: 20n });
    expect(billOf(audit, genesis('none'))).toEqual({ mapFuel: 3_999_998n, paid: 0n });
    expect(billText({ mapFuel: 3_999_998n, paid: 20n })).toBe(
      'fuel: one execution of all items used 3.99M units; paid: 20 tokens for all executions',
    );
  });
});

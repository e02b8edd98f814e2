// Goal: whoever keeps a receipt can check the job offline, whatever the seats did.
// Method: real ledgers (test/support/ledger-world.ts) with honest and faulty seats; the executor's
// part is told, not run.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { laneFoldFailure } from '../../protocol/algebra/result.ts';
import { hex, utf8 } from '../../protocol/brand.ts';
import { hash, sha256 } from '../../protocol/crypto/hash.ts';
import { blobCid } from '../../protocol/merkle/blob.ts';
import { assuranceSentence } from '../../protocol/receipt/assurance.ts';
import {
  type Audit,
  auditReceipt,
  concludeAudit,
  failureSentence,
  nothingRun,
} from '../../protocol/receipt/audit.ts';
import type { Check } from '../../protocol/receipt/finding.ts';
import { issueReceipt } from '../../protocol/receipt/issue.ts';
import { parseReceipt, receiptCodec } from '../../protocol/receipt/receipt.ts';
import {
  checkReexecution,
  type ReexecutedSubtask,
  type ReexecutionTask,
} from '../../protocol/receipt/reexecution.ts';
import { checkpointOf, devPolicy } from '../../protocol/receipt/trust.ts';
import { simulatedFuel, simulatedSum } from '../simulation/lane.ts';
import {
  fakeWorld,
  type LedgerWorld,
  smallProgram,
  type WorldProgram,
} from '../support/ledger-world.ts';
import { reachEveryLine } from '../support/lines.ts';
import {
  codeOf,
  elsewhere,
  listInput,
  rendered,
  type Scene,
  scene,
} from '../support/receipt-scene.ts';

reachEveryLine('receipt', elsewhere('audit'));

describe('an honest receipt', () => {
  test.each([4, 7, 13])('of %i seats is verified', (seats) => {
    const { audit, bytes } = scene({ seats });
    const found = audit();
    expect(found.findings.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(found.verdict, 'the fold is not run').toBe('cannot-tell');
    const conclusion = concludeAudit(found, rendered);
    expect(conclusion).toMatchObject({ verdict: 'verified', code: null, failure: null });
    expect(conclusion.result).toEqual(utf8('42'));
    expect(found.work!.values.length).toBe(found.record!.plan!.lanes);
    expect(receiptCodec.encode(parseReceipt(bytes))).toEqual(bytes);
  });

  test('is the same from any node, and good under any later final header', () => {
    const { world, id, bytes, trust } = scene({ seats: 4 });
    expect(receiptCodec.encode(issueReceipt(world.pieces(id)))).toEqual(bytes);
    const ended = world.record(id)!.ended!;
    for (let height = ended; height < world.chains.length; height++) {
      const again = receiptCodec.encode(issueReceipt(world.pieces(id, height)));
      const audit = auditReceipt(again, trust, { suite: world.keys.suite });
      expect(concludeAudit(audit, rendered).verdict).toBe('verified');
    }
  });

  test('covers a job of the first block, anchored in genesis', () => {
    const { audit } = scene({ seats: 4, before: 0 });
    expect(concludeAudit(audit(), rendered).verdict).toBe('verified');
  });

  test('covers a job that was ordered in the last moment', () => {
    const world = fakeWorld(4);
    world.block();
    const includeByMs = world.tip.header.timeMs + 1_000;
    const [id] = world.run([world.job(smallProgram, { includeByMs })]);
    expect(world.chains[world.record(id!)!.includedHeight]!.header.timeMs).toBe(includeByMs);
    const bytes = receiptCodec.encode(issueReceipt(world.pieces(id!)));
    const trust = checkpointOf(world.genesis, devPolicy);
    const audit = auditReceipt(bytes, trust, { suite: world.keys.suite });
    expect(concludeAudit(audit, rendered).verdict).toBe('verified');
  });

  test('covers jobs that share a block: another offset, another path', () => {
    const world = fakeWorld(13);
    world.block();
    const jobs = [1, 2, 3].map(() => world.job(smallProgram, { subtasks: 2, lossExponent: 2 }));
    const ids = world.run(jobs);
    const offsets = ids.map((id) => {
      const bytes = receiptCodec.encode(issueReceipt(world.pieces(id)));
      const trust = checkpointOf(world.genesis, devPolicy);
      const audit = auditReceipt(bytes, trust, { suite: world.keys.suite });
      expect(concludeAudit(audit, rendered).verdict).toBe('verified');
      return audit.record!.plan!.offset;
    });
    expect(offsets).toEqual([0, 2, 4]);
  });

  test('counts the views that leaders skipped', () => {
    const { audit } = scene({ seats: 13, skip: 3, job: { lossExponent: 1, adversary: '1/20' } });
    const found = audit();
    expect(found.assurance).toMatchObject({ skippedViews: 3, adversarial: 1 });
    expect(concludeAudit(found, rendered).verdict).toBe('verified');
  });

  test('states the fuel of each lane, and of all, as the items of the job add up to', () => {
    for (const failing of [16, 5]) {
      const { audit, world, id } = scene({ seats: 7, program: { failing } });
      const found = audit();
      const { job } = world.jobs.get(hex(id))!.signed;
      const fuels = found.lanes!.map((_, lane) => {
        let fuel = 0n;
        // Subtask t holds items 2t and 2t + 1; the first that fails is the last that counts.
        for (let first = 2 * lane; first < 16; first += 2 * found.lanes!.length)
          for (const item of [first, first + 1]) {
            fuel += item < failing ? simulatedFuel(job, item) : job.fuelItem;
            if (item >= failing) break;
          }
        return fuel;
      });
      expect(found.lanes!.map(({ claim }) => claim.mapFuel)).toEqual(fuels);
      const facts = (name: Check): string[] =>
        found.findings.flatMap(({ check, because }) => (check === name ? [because] : []));
      expect(facts('lane').map((text) => text.split('; ').at(-1))).toEqual(
        fuels.map((fuel) => `${fuel} units of fuel`),
      );
      const sum = fuels.reduce((all, fuel) => all + fuel);
      expect(facts('record').join()).toContain(`took ${sum} units of fuel`);
    }
  });

  test('hands the limits of the fold and of the rendering to whoever runs them', () => {
    const job = { fuelCombine: 99n, fuelFold: 12_345n, fuelRender: 678n };
    const limits = { combine: 99n, fold: 12_345n, render: 678n };
    expect(scene({ seats: 4, job }).audit().work!.fuel).toEqual(limits);
  });

  test('prints a bound only where it is not a certainty', () => {
    const small = scene({ seats: 7 }).audit();
    expect(small.assurance).toMatchObject({ bound: null, condition: 'more than 2 of 7 collude' });
    const large = scene({ seats: 31, job: { lossExponent: 1, adversary: 'max' } }).audit();
    const { bound, loss, perLane, adversarial, validators } = large.assurance!;
    expect(perLane).toBeLessThanOrEqual(adversarial);
    expect(bound!.numerator * loss.denominator <= loss.numerator * bound!.denominator).toBe(true);
    expect(validators).toEqual(validators.map(() => perLane));
    expect(assuranceSentence(large.assurance!)).toContain('wrong with at most');
  });
});

describe('faulty seats', () => {
  test.each<[string, Scene, Partial<Record<string, number>>]>([
    ['a liar', { seats: 7, roles: { 1: 'lie' } }, { dissenting: 1 }],
    ['a silent seat', { seats: 7, roles: { 6: 'silent' } }, { silent: 1 }],
    ['an abstaining seat', { seats: 7, roles: { 3: 'abstain' } }, { abstaining: 1 }],
    ['an equivocator', { seats: 7, roles: { 4: 'equivocate' } }, { equivocating: 1 }],
    [
      'all of them, and seats of a second wave that do not open',
      { seats: 13, roles: { 10: 'lie', 3: 'abstain', 5: 'late', 2: 'silent', 9: 'unopened' } },
      { dissenting: 1, abstaining: 1, silent: 1, unopened: 1 },
    ],
    ['a seat that tells another fuel', { seats: 7, roles: { 2: 'miscount' } }, { dissenting: 1 }],
    ['a lane of liars', { seats: 13, roles: { 2: 'lie', 3: 'lie', 11: 'lie', 1: 'lie' } }, {}],
  ])('%s: named in the finding, and a later wave settles', (_, setting, expected) => {
    const { audit } = scene(setting);
    const found = audit();
    const conclusion = concludeAudit(found, rendered);
    expect(conclusion.findings.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(conclusion.verdict).toBe('verified');
    expect(Math.max(...found.assurance!.waves)).toBeGreaterThan(1);
    const verdicts = found.lanes!.flatMap(({ seats }) => seats.map(({ verdict }) => verdict));
    for (const [verdict, count] of Object.entries(expected)) {
      expect(verdicts.filter((word) => word === verdict).length).toBe(count);
      const facts = found.findings.filter(({ check }) => check === 'lane');
      expect(facts.some(({ because }) => because.includes(verdict))).toBe(true);
    }
  });

  test('a lane that all but opened again: K + 1 votes of distinct seats', () => {
    const { audit } = scene({ seats: 4, roles: { 0: 'late', 1: 'silent' } });
    const found = audit();
    expect(concludeAudit(found, rendered).verdict).toBe('verified');
  });

  test('a job that only silence meets expires, and has no receipt', () => {
    const world = fakeWorld(4);
    for (let seat = 0; seat < 4; seat++) world.roles.set(seat, 'abstain');
    world.block();
    const [id] = world.run([world.job(smallProgram)]);
    expect(world.record(id!)!.state).toBe('voided');
    expect(codeOf(() => issueReceipt(world.pieces(id!)))).toBe('RECEIPT_JOB_UNFINISHED');
  });
});

describe('failed jobs', () => {
  test.each<[string, Partial<WorldProgram>, object]>([
    ['a trap', { failing: 5 }, { class: 'trap', subtask: 2, item: 5 }],
    [
      'fuel that is used up',
      { failing: 7, failure: 'out-of-fuel' },
      { class: 'out-of-fuel', item: 7 },
    ],
    ['a depth too large', { failing: 3, failure: 'too-deep' }, { class: 'too-deep', item: 3 }],
    ['a bad value', { failing: 11, failure: 'bad-value' }, { class: 'bad-value', item: 11 }],
    ['a lane whose fold fails', { failingFold: 1 }, { class: 'combine-failed', lane: 1 }],
  ])('%s is verified as failed, with nothing to fold', (_, program, failure) => {
    const { audit } = scene({ seats: 4, program });
    const found = audit();
    expect(found.work).toBeNull();
    expect(found.verdict).toBe('verified');
    const conclusion = concludeAudit(found, nothingRun);
    expect(conclusion).toMatchObject({ verdict: 'verified', result: null });
    expect(conclusion.failure).toMatchObject(failure);
    const fold = conclusion.findings.find(({ check }) => check === 'fold')!;
    expect(fold.because).toBe(failureSentence(conclusion.failure!));
    expect(fold.because).toContain(`${conclusion.failure!.class} in`);
  });

  test('of two lanes whose folds fail, the first tells', () => {
    const bend: NonNullable<WorldProgram['bend']> = ({ leaves }) => ({
      leaves: [...leaves, laneFoldFailure(2)],
      value: null,
    });
    const found = scene({ seats: 4, program: { bend } }).audit();
    expect(found.verdict).toBe('verified');
    expect(found.failure).toEqual({ class: 'combine-failed', subtask: null, lane: 0 });
    expect(failureSentence(found.failure!)).toContain('the fold of lane 0');
  });

  test('an unrenderable result is verified, and there are no bytes', () => {
    const { audit } = scene({ seats: 4 });
    const trap = { kind: 'unrenderable', step: 'render', class: 'trap' } as const;
    const fold = { ...trap, limit: 1_000n };
    expect(concludeAudit(audit(), { fold })).toMatchObject({ verdict: 'verified', result: null });
  });
});

/** What honest machines make of tasks. */
function ranAgain(
  world: LedgerWorld,
  id: Uint8Array,
  tasks: readonly ReexecutionTask[],
  failing = 16,
): ReexecutedSubtask[] {
  const { job } = world.jobs.get(hex(id))!.signed;
  return tasks.map(({ first, end, expected }) => {
    const mapFuel = simulatedSum(job, first, end, Math.max(first, failing));
    return { result: expected, mapFuel };
  });
}

describe('running subtasks again', () => {
  const seed = hash('dev', 'reader');

  test('agrees, differs, or was not run', () => {
    const { audit, trust, world, id } = scene({ seats: 7 });
    const found = audit(trust, { reexecute: { count: 3, seed, cids: null } });
    const tasks = found.reexecution!.value!;
    expect(tasks.length).toBe(3);
    const single = audit(trust, { reexecute: { count: 1, seed, cids: null } });
    expect(single.reexecution!.value!.length).toBe(1);
    const outcomes = ranAgain(world, id, tasks);
    const conclude = (reexecution: typeof outcomes | (null | (typeof outcomes)[number])[]) =>
      concludeAudit(found, { ...rendered, reexecution });
    expect(conclude(outcomes).verdict).toBe('verified');
    expect(conclude([]).code).toBe('AUDIT_NOT_RUN');
    expect(conclude([null, ...outcomes.slice(1)]).verdict).toBe('cannot-tell');
    const wrong = { ok: true, valueHash: sha256(utf8('wrong')) } as const;
    const failed = { ok: false, class: 'trap', item: tasks[0]!.first } as const;
    for (const result of [wrong, failed]) {
      const refuted = conclude([{ ...outcomes[0]!, result }, ...outcomes.slice(1)]);
      expect(refuted).toMatchObject({ verdict: 'refuted', code: 'AUDIT_REEXECUTION' });
    }
    expect(found.verdict, 'nothing was run').toBe('cannot-tell');
  });

  test('of a failed job, failures are compared as well', () => {
    const { audit, trust, world, id } = scene({ seats: 4, program: { failing: 5 } });
    const wish = { count: 99, seed, cids: null };
    const tasks = audit(trust, { reexecute: wish }).reexecution!.value!;
    expect(tasks.map(({ subtask }) => subtask)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const outcomes = ranAgain(world, id, tasks, 5);
    expect(checkReexecution(tasks, outcomes).status).toBe('ok');
    outcomes[2] = { ...outcomes[2]!, result: { ok: false, class: 'trap', item: 4 } };
    expect(checkReexecution(tasks, outcomes).status).toBe('failed');
  });

  test('fuel is compared: of a whole lane exactly, of a part that it is no more', () => {
    const { audit, trust, world, id } = scene({ seats: 4 });
    const wish = { count: 99, seed, cids: null };
    const tasks = audit(trust, { reexecute: wish }).reexecution!.value!;
    const outcomes = ranAgain(world, id, tasks);
    const first = tasks.findIndex(({ lane }) => lane.number === 1);
    const off = (fuel: bigint) =>
      outcomes.map((one, at) => (at === first ? { ...one, mapFuel: one.mapFuel + fuel } : one));
    expect(checkReexecution(tasks, outcomes).status).toBe('ok');
    for (const fuel of [1n, -1n]) {
      const ruling = checkReexecution(tasks, off(fuel));
      expect(ruling).toMatchObject({ status: 'failed', code: 'AUDIT_REEXECUTION' });
      expect(ruling.because).toContain('lane 1');
    }
    // One subtask of four: only what is more than the whole lane claims can be told.
    const { mapFuel } = tasks[first]!.lane;
    const own = outcomes[first]!.mapFuel;
    const alone = (fuel: bigint) =>
      checkReexecution([tasks[first]!], [{ ...outcomes[first]!, mapFuel: fuel }]).status;
    expect([own, mapFuel, mapFuel + 1n].map(alone)).toEqual(['ok', 'ok', 'failed']);
    // Where one of the lane could not be run, the others are only a part.
    const lost = off(-1n).map((one, at) => (at === tasks.length - 1 ? null : one));
    expect(tasks.at(-1)!.lane.number).toBe(1);
    expect(checkReexecution(tasks, lost)).toMatchObject({ code: 'AUDIT_NOT_RUN' });
  });

  test('a blob input must be given, and be the right one', () => {
    const { items, changes } = listInput(20);
    const { audit, trust } = scene({ seats: 4, job: changes });
    const cids = items.map(blobCid);
    const given = (some: readonly Uint8Array[] | null): Audit =>
      audit(trust, { reexecute: { count: 2, seed, cids: some } });
    for (const { first, end, cids: own } of given(cids).reexecution!.value!)
      expect(own).toEqual(cids.slice(first, end));
    expect(concludeAudit(given(null), rendered)).toMatchObject({
      verdict: 'cannot-tell',
      code: 'AUDIT_NO_INPUT',
    });
    for (const other of [cids.slice(1), [...cids].reverse()])
      expect(concludeAudit(given(other), rendered).code).toBe('AUDIT_OTHER_INPUT');
  });
});

test('the auditor reaches no host: no import of node, no package but those of codec and crypto', () => {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const walk = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const [, from] of readFileSync(path, 'utf8').matchAll(/(?:from|import)\s*'([^']+)'/g))
      if (from!.startsWith('.')) walk(join(dirname(path), from!));
      else packages.add(from!);
  };
  walk(new URL('../../protocol/verify.ts', import.meta.url).pathname);
  expect(seen.size).toBeGreaterThan(30);
  for (const name of packages) expect(name).toMatch(/^(@noble\/|@ipld\/dag-cbor|multiformats)/);
});

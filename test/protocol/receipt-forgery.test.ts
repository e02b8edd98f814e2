// Goal: every check of the auditor is needed: without it, some false receipt would be verified.
// Method: a forger who holds all keys re-signs and re-proves everything around one lie, so that
// only the check of that lie can find it; then each place of honest receipts is damaged in turn.
import * as dagCbor from '@ipld/dag-cbor';
import { describe, expect, test } from 'vitest';
import type { LaneLeaf } from '../../protocol/algebra/result.ts';
import { utf8 } from '../../protocol/brand.ts';
import { tryDecode } from '../../protocol/codec/codec.ts';
import type { Wire } from '../../protocol/codec/schema.ts';
import { hash, zeroDigest } from '../../protocol/crypto/hash.ts';
import { stream } from '../../protocol/crypto/stream.ts';
import { type ClosedLane, type JobRecord, recordCodec } from '../../protocol/ledger/record.ts';
import { type Audit, auditReceipt, concludeAudit } from '../../protocol/receipt/audit.ts';
import { issueReceipt } from '../../protocol/receipt/issue.ts';
import {
  type LoggedStatement,
  parseReceipt,
  type Receipt,
  type ReceiptLane,
  receiptCodec,
} from '../../protocol/receipt/receipt.ts';
import { checkpointOf, devPolicy } from '../../protocol/receipt/trust.ts';
import { fakeWorld, smallProgram, type WorldProgram } from '../support/ledger-world.ts';
import { reachEveryLine } from '../support/lines.ts';
import { type Forgery, forge, mutations, withFuel } from '../support/receipt-forger.ts';
import { elsewhere, rendered, type Scene, scene } from '../support/receipt-scene.ts';

reachEveryLine('receipt', elsewhere('forgery'));

const quiet = scene({ seats: 7 });
const disturbed = scene({ seats: 7, roles: { 1: 'lie', 3: 'silent' } });
const failed = scene({ seats: 4, program: { failing: 5 } });

type Made = ReturnType<typeof scene>;

const audited = ({ world, trust }: Made, receipt: Receipt): Audit =>
  auditReceipt(receiptCodec.encode(receipt), trust, { suite: world.keys.suite });

/** The code by which a forged receipt is refuted. */
function refutation(made: Made, forgery: Forgery): string | null {
  const audit = audited(made, forge(made.world, parseReceipt(made.bytes), forgery));
  const { verdict, code } = concludeAudit(audit, rendered);
  return verdict === 'refuted' ? code : verdict;
}

const lane0 = (change: (lane: ClosedLane) => ClosedLane) => (record: JobRecord) => ({
  ...record,
  lanes: record.lanes.map((lane, at) => (at === 0 ? change(lane) : lane)),
});

const log0 =
  (change: (log: readonly LoggedStatement[]) => readonly LoggedStatement[]) =>
  (lanes: readonly ReceiptLane[]): readonly ReceiptLane[] =>
    lanes.map((lane, at) => (at === 0 ? { ...lane, log: change(lane.log) } : lane));

test('the forger is a faithful one: without a lie, his receipts are verified', () => {
  for (const made of [quiet, disturbed, failed]) expect(refutation(made, {})).toBe('verified');
  expect(refutation(quiet, { logsFit: true, job: {} })).toBe('verified');
});

describe('a lie, signed by a quorum', () => {
  const h = parseReceipt(quiet.bytes).headers[1]!.header.height;
  const { ended } = quiet.world.record(quiet.id)!;

  test.each<[string, Forgery, string]>([
    ['too few votes', { voters: [0, 1, 2, 3] }, 'AUDIT_CERTIFICATE'],
    ['one vote too many', { voters: [0, 1, 2, 3, 4, 5] }, 'AUDIT_CERTIFICATE'],
    ['a vote twice', { voters: [0, 1, 2, 3, 3] }, 'AUDIT_CERTIFICATE'],
    ['votes of another kind', { voteKind: 'notar' }, 'AUDIT_CERTIFICATE'],
    ['a seat that does not exist', { voters: [0, 1, 2, 3, 9] }, 'AUDIT_CERTIFICATE'],
    ['another network', { final: { network: zeroDigest } }, 'AUDIT_FINAL_HEADER'],
    ['another epoch', { final: { epoch: 1 } }, 'AUDIT_FINAL_HEADER'],
    ['another seat set', { final: { seatSetHash: zeroDigest } }, 'AUDIT_FINAL_HEADER'],
    ['another state root', { final: { stateRoot: zeroDigest } }, 'AUDIT_RECORD_PROOF'],
    ['another history root', { final: { historyRoot: zeroDigest } }, 'AUDIT_HISTORY'],
    [
      'headers of another network',
      { headers: (header) => (header.height === h ? { ...header, network: zeroDigest } : header) },
      'AUDIT_HISTORY',
    ],
    ['a record that is none', { recordBytes: utf8('record') }, 'AUDIT_RECORD'],
    [
      'a job that still runs',
      { record: (r) => ({ ...r, state: 'running' }) },
      'AUDIT_JOB_UNFINISHED',
    ],
    ['a job without a plan', { record: (r) => ({ ...r, plan: null }) }, 'AUDIT_JOB_UNFINISHED'],
    ['a failure that is none', { record: (r) => ({ ...r, state: 'failed' }) }, 'AUDIT_RECORD'],
    ['another reason', { record: (r) => ({ ...r, reason: 'JOB' }) }, 'AUDIT_RECORD'],
    ['another end', { record: (r) => ({ ...r, ended: ended! + 1 }) }, 'AUDIT_RECORD'],
    ['a lane less', { record: (r) => ({ ...r, lanes: r.lanes.slice(1) }) }, 'AUDIT_RECORD'],
    ['a block 0 that orders', { record: (r) => ({ ...r, includedHeight: 0 }) }, 'AUDIT_RECORD'],
    ['an open lane', { record: lane0((l) => ({ ...l, outcome: 'open' })) }, 'AUDIT_RECORD'],
    ['a lane without a claim', { record: lane0((l) => ({ ...l, claim: null })) }, 'AUDIT_RECORD'],
    ['a lane without waves', { record: lane0((l) => ({ ...l, waves: [] })) }, 'AUDIT_RECORD'],
    ['a tier that is not delivered', { job: { tier: 'proved' } }, 'AUDIT_JOB'],
    ['more subtasks than items', { job: { subtasks: 17 } }, 'AUDIT_JOB'],
    ['an anchor that is another block', { job: { anchorHash: zeroDigest } }, 'AUDIT_JOB_ANCHOR'],
    ['an anchor in the future', { job: { anchorHeight: h } }, 'AUDIT_JOB_ANCHOR'],
    ['a job ordered too late', { job: { includeByMs: 1 } }, 'AUDIT_JOB_TIME'],
    ['a job that lives for ever', { job: { includeByMs: 2 ** 47 } }, 'AUDIT_JOB_TIME'],
    ['another body', { headers: (b) => ({ ...b, itemsRoot: zeroDigest }) }, 'AUDIT_JOB_INCLUSION'],
    ['another loss', { job: { lossExponent: 1 } }, 'AUDIT_JOB_RECORD'],
    ['another fee', { record: (r) => ({ ...r, fee: 2n }) }, 'AUDIT_JOB_RECORD'],
    ['another limit', { record: (r) => ({ ...r, fuelItem: 1n }) }, 'AUDIT_JOB_RECORD'],
    ['an escrow left', { record: (r) => ({ ...r, escrow: 1n }) }, 'AUDIT_JOB_RECORD'],
    ['another anchor view', { record: (r) => ({ ...r, anchorView: 0 }) }, 'AUDIT_JOB_RECORD'],
    ['another parent view', { record: (r) => ({ ...r, parentView: 0 }) }, 'AUDIT_JOB_RECORD'],
    [
      'a view skipped and not told',
      { headers: (b) => (b.height === h + 1 ? { ...b, view: b.view + 5 } : b) },
      'AUDIT_DRAW',
    ],
    ...(['perLane', 'lanesMax', 'adversarial', 'seats', 'drawnMs', 'offset'] as const).map(
      (field): [string, Forgery, string] => [
        `another plan: ${field}`,
        { record: (r) => ({ ...r, plan: { ...r.plan!, [field]: r.plan![field] + 1 } }) },
        'AUDIT_DRAW',
      ],
    ),
    [
      'another beacon, so other seats',
      { headers: (b) => (b.height === h + 1 ? { ...b, beacon: hash('dev', 'ground') } : b) },
      'AUDIT_REPLAY',
    ],
    ['a lane not carried', { lanes: (lanes) => lanes.slice(1) }, 'AUDIT_LANES'],
    ['an entry not carried', { lanes: log0((log) => log.slice(1)) }, 'AUDIT_LOG'],
    [
      'a log with a message left out',
      { lanes: log0((log) => log.slice(1)), logsFit: true },
      'AUDIT_REPLAY',
    ],
    [
      'a log that ends too early',
      { lanes: log0((log) => log.slice(0, -1)), logsFit: true },
      'AUDIT_ACCEPTANCE',
    ],
    [
      'a log that goes on',
      {
        lanes: log0((log) => [...log, { ...log[0]!, height: log.at(-1)!.height + 1 }]),
        logsFit: true,
      },
      'AUDIT_REPLAY',
    ],
    [
      'a log out of order',
      { lanes: log0((log) => [...log].reverse()), logsFit: true },
      'AUDIT_REPLAY',
    ],
    [
      'messages of another lane',
      { lanes: ([first, second]) => [{ ...first!, log: second!.log }, second!], logsFit: true },
      'AUDIT_STATEMENT',
    ],
    [
      'a signature that is none',
      {
        lanes: log0(([first, ...log]) => [
          { ...first!, signed: { ...first!.signed, signature: new Uint8Array(64) } },
          ...log,
        ]),
        logsFit: true,
      },
      'AUDIT_STATEMENT',
    ],
    [
      'a commit phase that closed later',
      {
        record: lane0((l) => ({
          ...l,
          waves: l.waves.map((w) => ({ ...w, commitClose: l.closed })),
        })),
      },
      'AUDIT_ACCEPTANCE',
    ],
    [
      'reveals in the block of the commits',
      {
        lanes: log0((log) => log.map(({ signed }) => ({ height: log[0]!.height, signed }))),
        logsFit: true,
      },
      'AUDIT_REPLAY',
    ],
    [
      'another count of seats',
      {
        record: lane0((l) => ({ ...l, waves: l.waves.map((w) => ({ ...w, seats: 2 })) })),
      },
      'AUDIT_ACCEPTANCE',
    ],
    [
      'another fuel than was agreed on',
      { record: lane0((l) => ({ ...l, claim: { ...l.claim!, mapFuel: l.claim!.mapFuel + 1n } })) },
      'AUDIT_ACCEPTANCE',
    ],
    [
      'another fuel, in every reveal and in the record',
      {
        lanes: log0((log) => log.map((entry) => withFuel(entry, quiet.world))),
        record: lane0((l) => ({ ...l, claim: { ...l.claim!, mapFuel: 7n } })),
        logsFit: true,
      },
      'AUDIT_REPLAY',
    ],
    [
      'another fuel, in every reveal, unsigned',
      { lanes: log0((log) => log.map((entry) => withFuel(entry, null))), logsFit: true },
      'AUDIT_STATEMENT',
    ],
    [
      'a claim that nobody made',
      {
        record: lane0((l) => ({ ...l, claim: { ...l.claim!, laneRoot: zeroDigest } })),
      },
      'AUDIT_ACCEPTANCE',
    ],
  ])('%s', (_, forgery, code) => {
    expect(refutation(quiet, forgery)).toBe(code);
  });

  test('what the same seats said of another job of the block', () => {
    const world = fakeWorld(4);
    world.block();
    const [own, other] = world
      .run([world.job(smallProgram), world.job(smallProgram, { parameters: utf8('other') })])
      .map((id) => parseReceipt(receiptCodec.encode(issueReceipt(world.pieces(id)))));
    const borrowed = tryDecode(recordCodec, other!.record)!.lanes[0]!;
    const receipt = forge(world, own!, {
      record: lane0(() => borrowed),
      lanes: ([, second]) => [other!.lanes[0]!, second!],
    });
    const audit = auditReceipt(
      receiptCodec.encode(receipt),
      checkpointOf(world.genesis, devPolicy),
      {
        suite: world.keys.suite,
      },
    );
    expect(concludeAudit(audit, rendered).code).toBe('AUDIT_STATEMENT');
    const told = audit.findings.map(({ check, status }) => `${check} ${status}`);
    expect(told).toContain('lane failed');
    expect(told.at(-1)).toBe('policy skipped');
  });

  test('a minority, recorded as what was accepted', () => {
    const receipt = parseReceipt(disturbed.bytes);
    const lane = receipt.lanes.findIndex(({ log }) =>
      log.some(({ signed }) => signed.statement.seat === 1 && signed.statement.kind === 'reveal'),
    );
    const lie = receipt.lanes[lane]!.log.find(
      ({ signed: { statement } }) => statement.seat === 1 && statement.kind === 'reveal',
    )!.signed.statement;
    if (lie.kind !== 'reveal') throw new Error('the liar revealed');
    const lied: Forgery = {
      record: (record) => ({
        ...record,
        lanes: record.lanes.map((l, at) => (at === lane ? { ...l, claim: lie.claim } : l)),
      }),
      lanes: (lanes) => lanes.map((l, at) => (at === lane ? { ...l, value: lie.value } : l)),
    };
    expect(refutation(disturbed, lied)).toBe('AUDIT_ACCEPTANCE');
  });

  test('later waves: drawn too early, from another beacon, without openings', () => {
    const later =
      (change: (wave: ClosedLane['waves'][number]) => ClosedLane['waves'][number]) =>
      (record: JobRecord): JobRecord => ({
        ...record,
        lanes: record.lanes.map((lane) => ({
          ...lane,
          waves: lane.waves.map((wave, number) => (number === 0 ? wave : change(wave))),
        })),
      });
    const bases = disturbed.world
      .record(disturbed.id)!
      .lanes.flatMap(({ waves }) => waves.slice(1).map(({ base }) => base));
    const isNext = (height: number): boolean => bases.includes(height - 1);
    const withoutOpenings = (lanes: readonly ReceiptLane[]): readonly ReceiptLane[] =>
      lanes.map((lane) => ({
        ...lane,
        log: lane.log.filter(({ signed }) => signed.statement.kind !== 'open'),
      }));
    const lies: [Forgery, string][] = [
      [{ record: later((wave) => ({ ...wave, base: wave.base - 3 })) }, 'AUDIT_REPLAY'],
      [{ headers: (b) => (isNext(b.height) ? { ...b, beacon: zeroDigest } : b) }, 'AUDIT_REPLAY'],
      [{ headers: (b) => (isNext(b.height) ? { ...b, view: b.view + 2 } : b) }, 'AUDIT_ACCEPTANCE'],
      [{ headers: (b) => (bases.includes(b.height) ? { ...b, timeMs: 0 } : b) }, 'AUDIT_REPLAY'],
      [{ record: later((wave) => ({ ...wave, base: 0 })) }, 'AUDIT_RECORD'],
      [{ record: later((wave) => ({ ...wave, base: wave.base + 90 })) }, 'AUDIT_HISTORY'],
      [{ record: later((wave) => ({ ...wave, reopened: true })) }, 'AUDIT_ACCEPTANCE'],
      [{ record: later((wave) => ({ ...wave, skippedViews: 1 })) }, 'AUDIT_ACCEPTANCE'],
      [{ lanes: withoutOpenings, logsFit: true }, 'AUDIT_ACCEPTANCE'],
    ];
    for (const [forgery, code] of lies) expect(refutation(disturbed, forgery)).toBe(code);
  });
});

describe('nonsense on which all seats of a lane agree', () => {
  const ok = (subtask: number): LaneLeaf => ({
    subtask,
    result: { ok: true, valueHash: zeroDigest },
  });
  const trap = (subtask: number, item: number): LaneLeaf => ({
    subtask,
    result: { ok: false, class: 'trap', item },
  });
  const noFold: LaneLeaf = {
    subtask: 2,
    result: { ok: false, class: 'combine-failed', item: null },
  };
  const value = utf8('value');

  test.each<[string, readonly LaneLeaf[], Uint8Array | null]>([
    ['a leaf missing', [ok(0)], value],
    ['a leaf of another lane', [ok(0), ok(1)], value],
    ['leaves out of order', [ok(2), ok(0)], value],
    ['a leaf too many', [ok(0), ok(2), ok(4)], value],
    ['two failed folds', [ok(0), ok(2), noFold, noFold], null],
    ['a failed fold of failed subtasks', [trap(0, 0), ok(2), noFold], null],
    ['an item of another subtask', [trap(0, 4), ok(2)], null],
    ['no value, and nothing failed', [ok(0), ok(2)], null],
    ['a value, though a leaf failed', [trap(0, 0), ok(2)], value],
  ])('%s', (_, leaves, agreed) => {
    const bend: NonNullable<WorldProgram['bend']> = (made, lane) =>
      lane === 0 ? { leaves, value: agreed } : made;
    const setting: Scene = {
      seats: 4,
      job: { subtasks: 4, input: { kind: 'generated', items: 16 } },
      program: { bend },
    };
    const made = scene(setting);
    expect(concludeAudit(made.audit(), rendered)).toMatchObject({ code: 'AUDIT_LEAVES' });
  });
});

describe('damage', () => {
  test.each<[string, (receipt: Receipt) => Receipt, string]>([
    ['another value', (r) => withLane(r, { value: utf8('other') }), 'AUDIT_VALUE'],
    ['no value', (r) => withLane(r, { value: null }), 'AUDIT_VALUE'],
    ['another program', (r) => ({ ...r, program: utf8('other') }), 'AUDIT_PROGRAM'],
    ['no genesis', (r) => ({ ...r, genesis: new Uint8Array(3) }), 'AUDIT_GENESIS'],
    ['a header more', (r) => ({ ...r, headers: [...r.headers, r.headers[0]!] }), 'AUDIT_HISTORY'],
    ['a header less', (r) => ({ ...r, headers: r.headers.slice(1) }), 'AUDIT_HISTORY'],
    ['leaves swapped', (r) => withLane(r, { leaves: r.lanes[1]!.leaves }), 'AUDIT_LEAVES'],
    ['votes swapped', (r) => ({ ...r, votes: [...r.votes].reverse() }), 'AUDIT_CERTIFICATE'],
  ])('%s', (_, damage, code) => {
    const audit = audited(quiet, damage(parseReceipt(quiet.bytes)));
    expect(concludeAudit(audit, rendered)).toMatchObject({ verdict: 'refuted', code });
  });

  test('no leaf of the structure is free: changed and written canonically, it is not verified', () => {
    for (const made of [failed, scene({ seats: 4, job: { subtasks: 2 } })]) {
      const wire = dagCbor.decode<Wire>(made.bytes);
      let count = 0;
      for (const changed of mutations(wire)) {
        const audit = auditReceipt(dagCbor.encode(changed), made.trust, {
          suite: made.world.keys.suite,
        });
        expect(concludeAudit(audit, rendered).verdict).not.toBe('verified');
        count += 1;
      }
      expect(count).toBeGreaterThan(400);
    }
  });

  test('no bit is free: 1 000 flips, none verified', () => {
    for (const made of [failed, disturbed]) {
      const chance = stream(hash('dev', 'flips'));
      for (let flip = 0; flip < 500; flip++) {
        const bytes = made.bytes.slice();
        const bit = chance.below(bytes.length * 8);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        const audit = auditReceipt(bytes, made.trust, { suite: made.world.keys.suite });
        const { verdict } = concludeAudit(audit, rendered);
        expect(verdict, `bit ${bit}`).not.toBe('verified');
      }
    }
  });

  test('cut short anywhere, it is no receipt', () => {
    for (let length = 0; length < failed.bytes.length; length += 7) {
      const { verdict } = auditReceipt(failed.bytes.subarray(0, length), failed.trust);
      expect(verdict).not.toBe('verified');
    }
  });
});

function withLane(receipt: Receipt, change: Partial<ReceiptLane>): Receipt {
  const [first, ...rest] = receipt.lanes;
  return { ...receipt, lanes: [{ ...first!, ...change }, ...rest] };
}

// Goal: a receipt is read only as it was written, and trusted only as far as the reader's trust goes.
// Method: one receipt, many readers; real keys once, for the development network.
import { beforeAll, describe, expect, test } from 'vitest';
import { utf8 } from '../../protocol/brand.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { portableKeys, portableSuite } from '../../protocol/crypto/signature.ts';
import { listRoot, verifyInclusion } from '../../protocol/merkle/list.ts';
import { auditReceipt, concludeAudit } from '../../protocol/receipt/audit.ts';
import {
  devAccount,
  devAccountSeed,
  devGenesis,
  devSeatKeys,
  devSeats,
} from '../../protocol/receipt/dev.ts';
import { historyProofs, itemPath, pathRoot } from '../../protocol/receipt/inclusion.ts';
import { issueReceipt } from '../../protocol/receipt/issue.ts';
import { receiptCodec } from '../../protocol/receipt/receipt.ts';
import {
  checkpointOf,
  devPolicy,
  devTrust,
  formatTrust,
  isDevGenesis,
  type Policy,
  parseTrust,
  type Trust,
} from '../../protocol/receipt/trust.ts';
import { fakeWorld, LedgerWorld, smallProgram } from '../support/ledger-world.ts';
import { reachEveryLine } from '../support/lines.ts';
import { codeOf, elsewhere, rendered, scene, statuses } from '../support/receipt-scene.ts';

reachEveryLine('receipt', elsewhere('reading'));

describe('trust', () => {
  let made: ReturnType<typeof scene>;
  beforeAll(() => {
    made = scene({ seats: 7 });
  });

  test.each<[string, () => Trust | null, string]>([
    ['none', () => null, 'AUDIT_NO_TRUST'],
    ['in dev networks', () => devTrust, 'AUDIT_OTHER_NETWORK'],
    ['in another', () => checkpointOf(fakeWorld(7, 2).genesis, devPolicy), 'AUDIT_OTHER_NETWORK'],
    [
      'that contradicts itself',
      () => ({ ...checkpointOf(made.world.genesis, devPolicy), headerHash: hash('dev', 'x') }),
      'AUDIT_TRUST_CONTRADICTION',
    ],
    [
      'with other seats',
      () => ({ ...checkpointOf(made.world.genesis, devPolicy), seats: devSeats(4) }),
      'AUDIT_TRUST_CONTRADICTION',
    ],
  ])('%s: cannot tell, whatever is run', (_, trust, code) => {
    const found = made.audit(trust());
    expect(found.findings.find(({ check }) => check === 'network')).toMatchObject({
      status: 'unknown',
      code,
    });
    expect(statuses(found)).toContain('finality ok, record ok, history ok, job ok, draw ok');
    expect(statuses(found)).toContain('lane skipped');
    expect(concludeAudit(found, rendered)).toMatchObject({ verdict: 'cannot-tell', result: null });
  });

  test('in a network of another version: cannot tell', () => {
    const { keys, genesis } = fakeWorld(4);
    const world = new LedgerWorld(keys, { ...genesis, version: 2 });
    world.block();
    const [id] = world.run([world.job(smallProgram)]);
    const bytes = receiptCodec.encode(issueReceipt(world.pieces(id!)));
    const trust = checkpointOf(world.genesis, devPolicy);
    const audit = auditReceipt(bytes, trust, { suite: keys.suite });
    const conclusion = concludeAudit(audit, rendered);
    expect(conclusion).toMatchObject({ verdict: 'cannot-tell', code: 'AUDIT_NETWORK_VERSION' });
  });

  test.each<[string, Policy]>([
    ['loss', { ...devPolicy, loss: '1e-10' }],
    ['tier', { ...devPolicy, tiers: ['proved'] }],
  ])('a policy that asks for more %s: valid, but weaker', (_, policy) => {
    const found = made.audit({ ...made.trust, policy });
    const finding = found.findings.find(({ check }) => check === 'policy');
    expect(finding).toMatchObject({ status: 'unknown', code: 'AUDIT_POLICY' });
    expect(finding!.because).toContain('weaker than your policy');
    expect(concludeAudit(found, rendered).verdict).toBe('cannot-tell');
  });

  test('a policy that assumes more adversaries, and one that consensus cannot bear', () => {
    const { audit, trust } = scene({ seats: 13, job: { adversary: '1/20' } });
    const asked = (adversary: Policy['adversary']): string =>
      concludeAudit(audit({ ...trust, policy: { ...devPolicy, adversary } }), rendered).verdict;
    expect([asked('1/20'), asked('1/10'), asked('max')]).toEqual([
      'verified',
      'cannot-tell',
      'cannot-tell',
    ]);
    const { audit: ofFour, trust: trustOfFour } = scene({ seats: 4, job: { adversary: 'max' } });
    const policy: Policy = { ...devPolicy, adversary: '1/5' };
    expect(concludeAudit(ofFour({ ...trustOfFour, policy }), rendered).verdict).toBe('verified');
  });

  test('files are read as they were written, and nothing else is', () => {
    const text = formatTrust(checkpointOf(made.world.genesis, devPolicy));
    expect(parseTrust(text)).toEqual(checkpointOf(made.world.genesis, devPolicy));
    const weakest = text.replace('"1e-1"', '"1"');
    expect(parseTrust(weakest).policy.loss).toBe('1');
    const smallest = checkpointOf(fakeWorld(4).genesis, devPolicy);
    expect(parseTrust(formatTrust(smallest))).toEqual(smallest);
    const found = made.audit(parseTrust(text));
    expect(concludeAudit(found, rendered).verdict).toBe('verified');
    const changed = (change: (file: Record<string, unknown>) => void): string => {
      const file = JSON.parse(text);
      change(file);
      return codeOf(() => parseTrust(JSON.stringify(file)));
    };
    expect(codeOf(() => parseTrust('{'))).toBe('TRUST_MALFORMED');
    expect(codeOf(() => parseTrust('[]'))).toBe('TRUST_MALFORMED');
    expect(codeOf(() => parseTrust(' '.repeat(5_000_000)))).toBe('TRUST_MALFORMED');
    expect(changed((file) => (file.height = 7))).toBe('TRUST_HEIGHT_UNSUPPORTED');
    for (const wrong of [
      { schema: 'anwansi/trust/2' },
      { height: -1 },
      { network: 'AB' },
      { headerHash: 1 },
      { seats: [] },
      { seats: [1, 2, 3, 4] },
      { more: 1 },
      { policy: { tiers: ['exact'], loss: '2', adversary: 'max' } },
      { policy: { tiers: ['exact'], loss: 'x', adversary: 'max' } },
      { policy: { tiers: ['best'], loss: '1', adversary: 'max' } },
      { policy: { tiers: ['exact'], loss: '1', adversary: '1/3' } },
    ])
      expect(changed((file) => Object.assign(file, wrong))).toBe('TRUST_MALFORMED');
  });
});

describe('development networks', () => {
  test('real keys, trusted without a file', () => {
    const seatKeys = [0, 1, 2, 3].map(devSeatKeys);
    const keys = {
      suite: portableSuite,
      seat: (index: number) => seatKeys[index]!,
      account: () => devAccount(0),
    };
    const genesis = devGenesis({ seats: 4, nonce: hash('dev', 'nonce'), timeMs: 1_000_000 });
    const world = new LedgerWorld(keys, genesis);
    world.block();
    const [id] = world.run([world.job(smallProgram, { subtasks: 2, fee: 3n })]);
    const bytes = receiptCodec.encode(issueReceipt(world.pieces(id!)));
    const found = auditReceipt(bytes, devTrust);
    expect(concludeAudit(found, rendered).verdict).toBe('verified');
    const network = found.findings.find(({ check }) => check === 'network')!;
    expect(network.because).toContain('dev keys are public');
    expect(isDevGenesis(genesis)).toBe(true);
    expect(isDevGenesis({ seats: devSeats(31) })).toBe(true);
    const swapped = [...genesis.seats].reverse();
    expect(isDevGenesis({ seats: swapped })).toBe(false);
    expect(isDevGenesis({ seats: Array.from({ length: 32 }, () => genesis.seats[0]!) })).toBe(
      false,
    );
    expect(portableKeys(devAccountSeed(0)).publicKey).toEqual(genesis.accounts[0]!.key);
  });
});

describe('reading', () => {
  const codes = (bytes: Uint8Array): string => {
    const { verdict, findings } = auditReceipt(bytes, devTrust);
    return `${verdict} ${findings[0]!.status} ${findings[0]!.code}`;
  };

  test('no receipt at all, another version, and not the form', () => {
    const { bytes } = scene({ seats: 4 });
    const noArray = bytes.with(0, 0x4d);
    const none = [new Uint8Array(0), utf8('PK zip'), bytes.subarray(1), utf8('{}'), noArray];
    for (const bare of none) expect(codes(bare)).toBe('cannot-tell unknown RECEIPT_NOT_A_RECEIPT');
    const version = (...written: number[]): Uint8Array =>
      Uint8Array.from([...bytes.subarray(0, 17), ...written, ...bytes.subarray(18)]);
    for (const other of [version(2), version(24, 200), version(25, 1, 0), version(26, 0, 1, 0, 0)])
      expect(codes(other)).toBe('cannot-tell unknown RECEIPT_VERSION');
    expect(codes(version(27, 0, 0, 0, 0, 0, 0, 0, 1))).toContain('RECEIPT_NOT_A_RECEIPT');
    expect(codes(version(24))).toContain('RECEIPT_VERSION');
    for (const broken of [bytes.subarray(0, -1), Uint8Array.from([...bytes, 0]), version(24, 1)])
      expect(codes(broken)).toBe('refuted failed RECEIPT_MALFORMED');
  });

  test('is total: random bytes, behind a true beginning too', () => {
    const { bytes } = scene({ seats: 4 });
    for (let seed = 0; seed < 200; seed++) {
      const noise = Array.from({ length: 40 }, (_, at) => [...hash('dev', seed, at)]).flat();
      const front = bytes.subarray(0, seed % 3 === 0 ? 0 : 18 + seed * 7);
      const found = auditReceipt(Uint8Array.from([...front, ...noise]), devTrust);
      expect(found.verdict).not.toBe('verified');
    }
  });
});

describe('issuing', () => {
  test('is refused by name', () => {
    const { world, id } = scene({ seats: 4 });
    const pieces = world.pieces(id);
    const refused = (changes: Partial<typeof pieces>): string =>
      codeOf(() => issueReceipt({ ...pieces, ...changes }));
    expect(refused({ jobId: hash('dev', 'no job') })).toBe('RECEIPT_PIECE_MISSING');
    expect(refused({ header: () => null })).toBe('RECEIPT_PIECE_MISSING');
    expect(refused({ body: () => null })).toBe('RECEIPT_PIECE_MISSING');
    expect(refused({ body: () => [] })).toBe('RECEIPT_PIECE_MISSING');
    const { statementHeights } = pieces;
    expect(refused({ statementHeights: [] })).toBe('RECEIPT_PIECE_MISSING');
    expect(refused({ statementHeights: [...statementHeights].reverse() })).toBe(
      'RECEIPT_PIECE_MISSING',
    );
    const spoken = statementHeights.find((height) => (pieces.body(height)?.length ?? 0) > 0)!;
    const silent = statementHeights.filter((height) => height !== spoken);
    expect(refused({ statementHeights: silent })).toBe('RECEIPT_PIECE_MISSING');
    expect(refused({ statementHeights: [spoken, ...statementHeights] })).toBe(
      'RECEIPT_PIECE_MISSING',
    );
    expect(refused({ history: { hash: () => null, subtree: () => null } })).toBe(
      'RECEIPT_PIECE_MISSING',
    );
    expect(refused({ lanes: [] })).toBe('RECEIPT_PIECE_MISSING');
    expect(refused({ lanes: pieces.lanes.map(({ leaves }) => ({ leaves, value: null })) })).toBe(
      'RECEIPT_PIECE_MISSING',
    );
    expect(refused({ lanes: [...pieces.lanes].reverse() })).toBe('RECEIPT_PIECE_MISSING');
    const others = pieces.lanes.map(({ leaves }) => ({ leaves, value: utf8('other') }));
    expect(refused({ lanes: others })).toBe('RECEIPT_PIECE_MISSING');
    expect(refused({ program: utf8('another') })).toBe('RECEIPT_PIECE_MISSING');
    const huge = { length: 2 ** 30 } as Uint8Array;
    expect(refused({ lanes: pieces.lanes.map(({ leaves }) => ({ leaves, value: huge })) })).toBe(
      'RECEIPT_TOO_LARGE',
    );
    const early = world.record(id)!.ended! - 1;
    expect(codeOf(() => issueReceipt(world.pieces(id, early)))).toBe('RECEIPT_JOB_UNFINISHED');
  });

  test('proves paths and histories of every size', () => {
    for (let size = 1; size <= 33; size++) {
      const items = Array.from({ length: size }, (_, item) => utf8(`${item}`));
      const root = listRoot(items);
      for (let index = 0; index < size; index++)
        expect(pathRoot(items[index]!, itemPath(items, index))).toEqual(root);
      const heights = [0, size >> 1, size - 1];
      let asked = 0;
      const subtree = (first: number, count: number) => {
        asked += 1;
        expect(first % count).toBe(0);
        return listRoot(items.slice(first, first + count));
      };
      const history = { hash: (height: number) => items[height] ?? null, subtree };
      const proofs = historyProofs(history, size, heights)!;
      for (const index of heights)
        expect(
          verifyInclusion({ root, size, index, leaf: items[index]!, proof: proofs.get(index)! }),
        ).toBe(true);
      if (size > 8) expect(asked).toBeGreaterThan(0);
    }
  });
});

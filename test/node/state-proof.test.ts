// Goal: what a node issues from its store, `anwansi verify` tells apart by exit code and words.
// Method: a ledger with real dev keys whose headers lie in a real store; the command line in made-up
// surroundings; each file that passes has twins that must not.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verify } from '../../node/cli/commands/verify.ts';
import { nativeKeys, nativeSuite } from '../../node/crypto.ts';
import { appendHashes } from '../../node/history.ts';
import { stateProofOf } from '../../node/state-proof.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { hex, utf8 } from '../../protocol/brand.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { StateCursor, stateKeys } from '../../protocol/ledger/state.ts';
import { emptyFrontier } from '../../protocol/merkle/list.ts';
import { mapGet } from '../../protocol/merkle/map.ts';
import { devAccount, devAccountSeed, devGenesis, devSeatSeed } from '../../protocol/receipt/dev.ts';
import { StateProofError } from '../../protocol/receipt/error.ts';
import { issueReceipt } from '../../protocol/receipt/issue.ts';
import { receiptCodec } from '../../protocol/receipt/receipt.ts';
import { auditStateProof } from '../../protocol/receipt/state-audit.ts';
import { stateProofMagic } from '../../protocol/receipt/state-proof.ts';
import { checkpointOf, devPolicy, devTrust, formatTrust } from '../../protocol/receipt/trust.ts';
import { runWords } from '../support/command-line.ts';
import { LedgerWorld, smallProgram } from '../support/ledger-world.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-state-proof-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const genesis = devGenesis({ seats: 4, nonce: hash('dev', 'state proofs'), timeMs: 1.7e12 });
const keys = {
  suite: nativeSuite,
  seat: (index: number) => nativeKeys(devSeatSeed(index)),
  account: (index: number) => nativeKeys(devAccountSeed(index)),
};
const world = new LedgerWorld(keys, genesis);
const rich = stateKeys.account(devAccount(0).publicKey);
const poor = stateKeys.account(hash('dev', 'nobody'));
let job: Uint8Array;
let issue: (key: Uint8Array, height?: number) => Promise<Uint8Array>;

beforeAll(async () => {
  world.block();
  [job] = world.run([world.job(smallProgram)]) as [Uint8Array];
  const store = openMemoryStore();
  const { changes } = appendHashes(
    emptyFrontier,
    world.chains.map(({ hash: header }) => header),
  );
  await store.batch(changes, { durable: true });
  issue = (key, height = world.chains.length - 1) => {
    const certificate = height === 0 ? null : world.certificate(height);
    return stateProofOf(key, { genesis, store, chain: world.chains[height]!, certificate });
  };
});

const file = (name: string, bytes: Uint8Array | string): string => {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
};
const run = (...words: string[]) => runWords([verify], ['verify', ...words], { directory });
const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1)!;

describe('a node', () => {
  test('issues a proof of every height that it has, from its store', async () => {
    for (let height = 1; height < world.chains.length; height++) {
      const { verdict, proved } = auditStateProof(await issue(rich, height), devTrust, {
        suite: nativeSuite,
      });
      expect(verdict).toBe('verified');
      expect(proved).toMatchObject({ height, value: mapGet(world.chains[height]!.map, rich) });
    }
  });

  test('refuses what it cannot prove, and says which', async () => {
    const refusal = (act: Promise<unknown>): Promise<string> =>
      act.then(
        () => 'issued',
        (error) => (error instanceof StateProofError ? error.code : String(error)),
      );
    expect(await refusal(issue(rich, 0))).toBe('STATE_PROOF_NOTHING_FINAL');
    expect(await refusal(issue(new Uint8Array(65)))).toBe('STATE_PROOF_KEY_TOO_LONG');
    expect(await refusal(issue(new Uint8Array(64)))).toBe('issued');
    const chain = world.chains[5]!;
    const parts = { genesis, store: openMemoryStore(), chain, certificate: world.certificate(5) };
    expect(await refusal(stateProofOf(rich, parts))).toBe('STATE_PROOF_PIECE_MISSING');
  });
});

describe('verify', () => {
  test('says what an account holds, and of what block', async () => {
    const ended = await run(file('rich.proof', await issue(rich)), '--trust', 'dev');
    expect(ended.exitCode, ended.err).toBe(0);
    const lines = ended.out.trimEnd().split('\n');
    for (const [at, check] of ['proof', 'network', 'finality', 'history', 'state'].entries())
      expect(lines[at]).toMatch(new RegExp(`^ok    ${check}: `));
    const { header, map } = world.tip;
    const tokens = new StateCursor(map).tokens(devAccount(0).publicKey);
    const time = new Date(header.timeMs).toISOString();
    expect(lines.slice(5)).toEqual([
      `      held ${tokens} tokens`,
      `      as of height ${header.height}, ${time}; of what came later it tells nothing`,
      `VERIFIED account/${hex(devAccount(0).publicKey)}`,
    ]);
    expect(ended.err).toContain('dev keys are public');
  });

  test.each<[string, () => Uint8Array, RegExp]>([
    ['an absent account', () => poor, /held 0 tokens/],
    ['a job', () => stateKeys.job(job), /held a job that is settled \(JOB_SETTLED\), ordered at/],
    ['an unknown job', () => stateKeys.job(hash('dev', 'none')), /held nothing/],
    ['a seat', () => stateKeys.seat(1), /held the public key [0-9a-f]{64}/],
    ['a block', () => stateKeys.recent(1), /held block [0-9a-f]{64} of height 1, view 1/],
    ['a nonce', () => stateKeys.nonce(devAccount(0).publicKey, 9n), /held nothing: the nonce/],
    ['the open jobs', () => stateKeys.open(), /held 0 jobs/],
    ['a key of no kind', () => utf8('x'), /held nothing/],
  ])('says what is held under the key of %s', async (_, key, words) => {
    const ended = await run(file('any.proof', await issue(key())), '--trust', 'dev');
    expect(ended.exitCode, ended.out).toBe(0);
    expect(ended.out).toMatch(words);
  });

  test('by a trust file, whatever its policy asks of jobs', async () => {
    const policy = { tiers: [], loss: '0', adversary: 'max' } as const;
    const trust = file('trust.json', formatTrust(checkpointOf(genesis, policy)));
    const ended = await run(file('rich.proof', await issue(rich)), '--trust', trust);
    expect([ended.exitCode, lastLine(ended.out)]).toEqual([0, expect.stringMatching(/^VERIFIED /)]);
  });

  test('with --json gives what is proved only if it is', async () => {
    const whole = await issue(stateKeys.job(job));
    const path = file('job.proof', whole);
    const { document, exitCode } = await run(path, '--trust', 'dev', '--json');
    const { includedHeight, ended } = world.record(job)!;
    expect(exitCode).toBe(0);
    expect(document).toMatchObject({ success: true, errors: [] });
    expect(document.data).toMatchObject({
      ...{ kind: 'state-proof', verdict: 'verified', code: null, key: `job/${hex(job)}` },
      proved: {
        network: hex(world.rules.network),
        key: `job/${hex(job)}`,
        value: hex(mapGet(world.tip.map, stateKeys.job(job))!),
        entry: { kind: 'job', state: 'settled', includedHeight, endedHeight: ended },
        height: world.tip.header.height,
        hash: hex(world.tip.hash),
      },
    });
    const absent = await run(file('poor.proof', await issue(poor)), '--trust', 'dev', '--json');
    expect(absent.document.data.proved).toMatchObject({
      ...{ value: null, entry: { kind: 'account', tokens: '0' } },
    });
    const bent = file('bent.proof', whole.with(whole.length - 1, whole.at(-1)! ^ 1));
    for (const [given, verdict] of [
      [[bent, '--trust', 'dev'], 'refuted'],
      [[path], 'cannot-tell'],
    ] as const) {
      const { data, success } = (await run(...given, '--json')).document;
      expect(data).toMatchObject({ verdict, key: `job/${hex(job)}`, proved: null });
      expect(success).toBe(false);
    }
  });

  test('tells a changed proof, a strange one and none apart by their codes', async () => {
    const whole = await issue(rich);
    const path = file('rich.proof', whole);
    const other = { ...genesis, timeMs: genesis.timeMs + 1 };
    const strange = file('other.json', formatTrust(checkpointOf(other, devPolicy)));
    const version = whole.with(stateProofMagic.length + 2, 2);
    const dev = ['--trust', 'dev'];
    const cases: [string[], number, string][] = [
      [[file('cut', whole.subarray(0, -1)), ...dev], 4, 'REFUTED: STATE_PROOF_MALFORMED'],
      [[file('flipped', whole.with(-9 + whole.length, 0)), ...dev], 4, 'AUDIT_HISTORY'],
      [[file('version', version), ...dev], 5, 'CANNOT TELL: STATE_PROOF_VERSION'],
      [[path], 5, 'AUDIT_NO_TRUST'],
      [[path, '--trust', strange], 5, 'AUDIT_OTHER_NETWORK'],
      [[path, '--trust', 'missing'], 3, 'TRUST_NOT_FOUND'],
      [[path, ...dev, '--reexecute', '1'], 2, 'is a state proof'],
      [[path, ...dev, '--input', path], 2, 'is a state proof'],
      [[file('text', 'a text'), ...dev], 2, 'neither a receipt nor a state proof'],
      [[file('front', whole.subarray(0, 10)), ...dev], 2, 'RECEIPT_NOT_A_RECEIPT'],
      [['missing', ...dev], 3, 'there is no file'],
    ];
    for (const [given, exitCode, says] of cases) {
      const ended = await run(...given);
      const all = ended.out + ended.err;
      expect(ended.exitCode, `${given}\n${all}`).toBe(exitCode);
      expect(all).toContain(says);
      expect(all).not.toMatch(/VERIFIED|UNEXPECTED|\n +at /);
    }
  });

  test('still knows a receipt from a state proof', async () => {
    const receipt = file('job.receipt', receiptCodec.encode(issueReceipt(world.pieces(job))));
    const { document } = await run(receipt, '--json');
    expect(document.data).toMatchObject({ kind: 'receipt', job: hex(job), verdict: 'cannot-tell' });
  });
});

// Goal: a genesis is made of proved keys alone, and its file is believed to the last bit.
// Method: the commands themselves on real files; each refusal has a file that deserves it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { genesisNew } from '../../node/cli/commands/genesis-new.ts';
import { nodeInit } from '../../node/cli/commands/node-init.ts';
import { nodeStart } from '../../node/cli/commands/node-start.ts';
import { nativeKeys } from '../../node/crypto.ts';
import { OperatorError } from '../../node/operator/error.ts';
import { adoptGenesis, genesisOf, readGenesis } from '../../node/operator/genesis-file.ts';
import { operatorPaths } from '../../node/operator/paths.ts';
import { readValidator } from '../../node/operator/validator-file.ts';
import { hex } from '../../protocol/brand.ts';
import { devParameters, genesisCodec, networkId } from '../../protocol/ledger/genesis.ts';
import { devAccountSeed } from '../../protocol/receipt/dev.ts';
import { checkpointOf, parseTrust } from '../../protocol/receipt/trust.ts';
import { runWords } from '../support/command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'anwansi-genesis-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const seats = 5;
const validators = Array.from({ length: seats }, (_, i) => join(folder, `v${i}`, 'validator.json'));
const four = validators.slice(0, 4);
const run = (words: string[]) =>
  runWords([nodeInit, nodeStart, genesisNew], words, { directory: folder });
const made = async (words: string[]) => {
  const ended = await run(['genesis', 'new', '--force', ...words]);
  expect(ended.err).not.toContain('error ');
  expect(ended.exitCode).toBe(0);
  return genesisCodec.decode(new Uint8Array(readFileSync(join(folder, 'genesis.cbor'))));
};

beforeAll(async () => {
  for (let i = 0; i < seats; i++)
    expect((await run(['node', 'init', '--data-dir', `v${i}`])).exitCode).toBe(0);
});

test('init makes all that is needed, says where, and keeps it the next time', async () => {
  const { document } = await run(['node', 'init', '--data-dir', 'fresh', '--json']);
  const { publicKey, peerId, validator, made: files } = document.data;
  const paths = await operatorPaths(join(folder, 'fresh'));
  expect(files).toEqual([paths.seatKey, paths.peerKey, paths.apiToken, paths.config]);
  expect(JSON.parse(readFileSync(validator, 'utf8'))).toMatchObject({
    schema: 'anwansi/validator/1',
    publicKey,
    peerId,
  });
  const again = await run(['node', 'init', '--data-dir', 'fresh', '--json']);
  expect(again.document.data).toMatchObject({ publicKey, peerId, made: [], kept: files });
  const secret = readFileSync(paths.seatKey, 'utf8').trim();
  expect(again.out + again.err + readFileSync(validator, 'utf8')).not.toContain(secret);
});

test('a genesis holds the seats as they are named, and its trust file matches', async () => {
  const account = hex(nativeKeys(devAccountSeed(0)).publicKey);
  const named = [four[2]!, four[0]!, four[3]!, four[1]!];
  const genesis = await made(['--validator', ...named, '--account', `${account}=1000`]);
  const expected = await Promise.all(named.map(async (file) => (await readValidator(file)).seat));
  expect(genesis.seats).toEqual(expected);
  expect(genesis.accounts.map(({ key, tokens }) => [hex(key), tokens])).toEqual([[account, 1000n]]);
  expect(genesis).toMatchObject({ parameters: devParameters, contracts: 'fees' });
  const trust = parseTrust(readFileSync(join(folder, 'trust.json'), 'utf8'));
  expect(trust).toEqual(checkpointOf(genesis, trust.policy));
  expect(trust.policy.loss).toBe('1e-9');

  const other = await made(['--validator', ...named, '--contracts', 'none']);
  expect(other.contracts).toBe('none');
  expect(networkId(other)).not.toEqual(networkId(genesis));
  const later = await made(['--validator', ...four, '--begin', '2031-05-01T12:00:00Z']);
  expect(later.timeMs).toBe(Date.UTC(2031, 4, 1, 12));
});

test('a genesis that is there is left as it is, unless it is to be replaced', async () => {
  const words = ['genesis', 'new', '--validator', ...four, '--out', 'kept.cbor'];
  const bytesOf = (file: string) => readFileSync(join(folder, file));
  const first = await run([...words, '--trust', 'kept.json']);
  expect(first.exitCode, first.err).toBe(0);
  const kept = [bytesOf('kept.cbor'), bytesOf('kept.json')];
  // One of both is enough, and then neither is written.
  for (const [trust, there] of [
    ['kept.json', 'kept.cbor'],
    ['other.json', 'kept.cbor'],
  ] as const) {
    const refused = await run([...words, '--trust', trust, '--json']);
    expect(refused.exitCode).toBe(2);
    expect(refused.document.errors).toMatchObject([
      { code: 'OUTPUT_EXISTS', message: expect.stringContaining(there), retryable: false },
    ]);
    expect(refused.document.errors[0].hint).toContain('--force');
  }
  const fresh = ['genesis', 'new', '--validator', ...four, '--out', 'fresh.cbor'];
  expect((await run([...fresh, '--trust', 'kept.json'])).err).toContain('kept.json is there');
  expect([bytesOf('kept.cbor'), bytesOf('kept.json')]).toEqual(kept);
  for (const file of ['other.json', 'fresh.cbor']) expect(() => bytesOf(file)).toThrow('ENOENT');
  const forced = await run([...words, '--trust', 'kept.json', '--force']);
  expect(forced.exitCode, forced.err).toBe(0);
  expect(bytesOf('kept.cbor')).not.toEqual(kept[0]);
  const one = await run([...fresh, '--trust', 'fresh.cbor']);
  expect([one.exitCode, one.err]).toEqual([2, expect.stringContaining('name one file')]);
});

test('parameters of a file take the place of the usual ones, and must agree', async () => {
  const file = join(folder, 'parameters.toml');
  const words = ['--validator', ...four, '--parameters', file];
  writeFileSync(file, 'heartbeatMs = 3000\nrevealWindowMs = 5000\n');
  expect((await made(words)).parameters).toEqual({
    ...devParameters,
    heartbeatMs: 3_000,
    revealWindowMs: 5_000,
  });
  for (const [text, code] of [
    ['heartBeat = 3000', 'CONFIG_UNKNOWN_KEY'],
    ['heartbeatMs = 0', 'CONFIG_VALUE'],
    ['heartbeatMs = "3 s"', 'CONFIG_VALUE'],
    ['heartbeatMs = 1.5', 'CONFIG_VALUE'],
    ['heartbeatMs = 9000', 'GENESIS_PARAMETERS'],
    ['stepMinMs = 3000', 'GENESIS_PARAMETERS'],
    ['heartbeatMs = ', 'CONFIG_SYNTAX'],
  ] as const) {
    writeFileSync(file, text);
    const { exitCode, err } = await run(['genesis', 'new', ...words]);
    expect([exitCode, err]).toEqual([2, expect.stringContaining(code)]);
  }
  rmSync(file);
  expect((await run(['genesis', 'new', ...words])).err).toContain('CONFIG_UNREADABLE');
});

/** What stands in a copy of the first validator's file, changed. */
function changed(name: string, change: (fields: Record<string, string>) => unknown): string {
  const fields = JSON.parse(readFileSync(four[0]!, 'utf8'));
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify(change(fields) ?? fields));
  return file;
}

test('what is no proved validator is refused by name', async () => {
  const second = JSON.parse(readFileSync(four[1]!, 'utf8'));
  const rest = four.slice(1);
  const cases: readonly (readonly [readonly string[], number, string])[] = [
    [[], 2, 'USAGE'],
    [four.slice(0, 3), 2, 'GENESIS_SEATS'],
    [[...four, four[1]!], 2, 'VALIDATOR_DUPLICATE'],
    [[join(folder, 'nobody.json'), ...rest], 2, 'VALIDATOR_FILE_MALFORMED'],
    [[folder, ...rest], 2, 'DIRECTORY_UNUSABLE'],
    [[changed('schema.json', (f) => void (f.schema += '0')), ...rest], 2, 'MALFORMED'],
    [[changed('more.json', (f) => void (f.name = 'x')), ...rest], 2, 'MALFORMED'],
    [[changed('list.json', () => []), ...rest], 2, 'MALFORMED'],
    [[changed('short.json', (f) => void (f.publicKey = 'ab')), ...rest], 2, 'MALFORMED'],
    [[changed('peer.json', (f) => void (f.peerId = '../x')), ...rest], 2, 'MALFORMED'],
    [
      [changed('stolen.json', (f) => void (f.vrfPublicKey = second.vrfPublicKey)), ...rest],
      2,
      'VALIDATOR_POSSESSION',
    ],
    [
      [changed('swapped.json', (f) => void (f.publicKey = second.publicKey)), ...rest],
      2,
      'VALIDATOR_POSSESSION',
    ],
    // The identity: a point of small order, which no key may be.
    [
      [changed('weak.json', (f) => void (f.publicKey = '01'.padEnd(64, '0'))), ...rest],
      2,
      'VALIDATOR_POSSESSION',
    ],
  ];
  rmSync(join(folder, 'genesis.cbor'), { force: true });
  for (const [files, exitCode, code] of cases) {
    const words = files.length === 0 ? [] : ['--validator', ...files];
    const ended = await run(['genesis', 'new', ...words]);
    expect([ended.exitCode, ended.err], files[0] ?? 'none').toEqual([
      exitCode,
      expect.stringContaining(code),
    ]);
  }
  expect(() => readFileSync(join(folder, 'genesis.cbor')), 'nothing was written').toThrow();
});

test.each([
  ['nothing', 'write it KEY=TOKENS'],
  ['zz=1', 'its key'],
  [`${'0'.repeat(64)}=1`, 'its key'],
  ['KEY=-1', 'write it'],
  ['KEY=1.5', 'write it'],
  ['KEY=18446744073709551616', 'more than'],
  ['KEY=1 KEY=2', 'twice'],
  ['KEY=18446744073709551615 OTHER=1', 'more than'],
])('account %s is refused', async (texts, reason) => {
  const keys = [0, 1].map((i) => hex(nativeKeys(devAccountSeed(i)).publicKey));
  const words = texts.replace(/KEY/g, keys[0]!).replace(/OTHER/g, keys[1]!).split(' ');
  const ended = await run(['genesis', 'new', '--validator', ...four, '--account', ...words]);
  expect([ended.exitCode, ended.err]).toEqual([2, expect.stringContaining('GENESIS_ACCOUNT')]);
  expect(ended.err).toContain(reason);
});

test.each(['tomorrow', '2031-13-01T00:00:00Z', '2031-05-01', '1960-01-01T00:00:00Z'])(
  'a beginning of %s is refused',
  async (text) => {
    const { exitCode, err } = await run([
      ...['genesis', 'new', '--begin', text, '--validator'],
      ...four,
    ]);
    expect([exitCode, err]).toEqual([2, expect.stringContaining('is no time')]);
  },
);

test('law: a genesis with any byte changed is refused, or names another network', async () => {
  const genesis = await made(['--validator', ...four]);
  const bytes = new Uint8Array(readFileSync(join(folder, 'genesis.cbor')));
  const file = join(folder, 'damaged.cbor');
  const codes = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
      writeFileSync(
        file,
        bytes.map((byte, i) => (i === at ? byte ^ by : byte)),
      );
      try {
        const read = await readGenesis(file);
        expect(hex(read.network)).not.toBe(hex(networkId(genesis)));
      } catch (error) {
        expect(error).toBeInstanceOf(OperatorError);
        codes.add((error as OperatorError).code);
      }
    }),
    { numRuns: 60, examples: [[bytes.length - 1, 1]] },
  );
  expect(codes).toContain('VALIDATOR_POSSESSION');
  for (const cut of [0, 1, bytes.length - 1]) {
    writeFileSync(file, bytes.slice(0, cut));
    await expect(readGenesis(file)).rejects.toMatchObject({ code: 'GENESIS_MALFORMED' });
  }
  writeFileSync(file, new Uint8Array(2 ** 21));
  await expect(readGenesis(file)).rejects.toMatchObject({ code: 'GENESIS_MALFORMED' });
  writeFileSync(file, genesisCodec.encode({ ...genesis, version: 2 }));
  await expect(readGenesis(file)).rejects.toMatchObject({
    code: 'GENESIS_VERSION',
    message: expect.stringMatching(/protocol version 2; .* version 1$/),
  });
  const twice = { ...genesis, seats: [...genesis.seats.slice(0, 3), genesis.seats[0]!] };
  writeFileSync(file, genesisCodec.encode(twice));
  await expect(readGenesis(file)).rejects.toMatchObject({ code: 'VALIDATOR_DUPLICATE' });
});

test('a data directory is bound to its first network', async () => {
  const paths = await operatorPaths(join(folder, 'bound'));
  mkdirSync(paths.data);
  await expect(genesisOf(paths, null)).rejects.toMatchObject({ code: 'GENESIS_NOT_FOUND' });
  await made(['--validator', ...four]);
  const named = join(folder, 'genesis.cbor');
  const first = await genesisOf(paths, named);
  expect(first.adopted).toBe(false);
  await adoptGenesis(paths, first);
  expect(await genesisOf(paths, named)).toEqual({ ...first, adopted: true });
  expect(await genesisOf(paths, null)).toEqual({ ...first, adopted: true });
  expect(parseTrust(readFileSync(paths.trust, 'utf8')).network).toEqual(first.network);
  await made(['--validator', ...four]);
  await expect(genesisOf(paths, named)).rejects.toMatchObject({
    detail: { code: 'GENESIS_OTHER_NETWORK', found: hex(first.network) },
  });
});

test('a start that cannot be is refused before anything runs', async () => {
  const genesis = join(folder, 'genesis.cbor');
  await made(['--validator', ...four]);
  const start = (...words: string[]) => run(['node', 'start', ...words]);
  const cases: readonly (readonly [readonly string[], number, string])[] = [
    [['--validator', '--observer'], 2, 'USAGE'],
    [['--data-dir', 'v0'], 3, 'GENESIS_NOT_FOUND'],
    [['--data-dir', 'v0', '--genesis', 'nothing.cbor'], 3, 'GENESIS_NOT_FOUND'],
    [['--data-dir', 'v0', '--genesis', 'trust.json'], 2, 'GENESIS_MALFORMED'],
    [['--data-dir', 'keyless', '--genesis', genesis], 7, 'KEY_MISSING'],
    [['--data-dir', 'keyless', '--genesis', genesis, '--observer'], 7, 'KEY_MISSING'],
    [['--data-dir', 'v4', '--genesis', genesis, '--validator'], 7, 'KEY_NOT_SEATED'],
    [['--data-dir', 'v0', '--genesis', genesis, '--config', 'no.toml'], 2, 'CONFIG_UNREADABLE'],
    [['--data-dir', 'v0', '--genesis', genesis, '--log-level', 'loud'], 2, 'CONFIG_VALUE'],
    [['--data-dir', 'v0', '--genesis', genesis, '--api-host', '0.0.0.0'], 2, 'CONFIG_VALUE'],
    [['--data-dir', 'v0', '--genesis', genesis, '--api-port', '70000'], 2, 'USAGE'],
    [['--data-dir', 'v0', '--genesis', genesis, '--listen', 'here'], 2, 'NETWORK_ADDRESS'],
    [['--data-dir', 'v0', '--genesis', genesis, '--peer', 'there'], 2, 'NETWORK_ADDRESS'],
  ];
  for (const [words, exitCode, code] of cases) {
    const ended = await start(...words);
    expect([ended.exitCode, ended.err], words.join(' ')).toEqual([
      exitCode,
      expect.stringContaining(`error ${code}`),
    ]);
    expect(ended.out).toBe('');
  }
  const { document } = await start('--data-dir', 'keyless', '--genesis', genesis, '--json');
  expect(document).toMatchObject({ success: false, errors: [{ code: 'KEY_MISSING' }] });
  const bound = (await operatorPaths(join(folder, 'v0'))).genesis;
  expect(() => readFileSync(bound), 'a refused start binds nothing').toThrow();
});

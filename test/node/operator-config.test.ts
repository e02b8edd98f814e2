// Goal: settings come from where they should, and nothing that was misspelt is passed over.
// Method: laws over all settings and all mixtures of sources; each refusal with its text.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import {
  type Config,
  type ConfigSources,
  configSchema,
  configTemplate,
  multiaddrOf,
  settings,
  settleConfig,
} from '../../node/operator/config.ts';
import { OperatorError } from '../../node/operator/error.ts';
import { operatorPaths } from '../../node/operator/paths.ts';
import { parseToml } from '../../node/operator/toml.ts';

const folder = mkdtempSync(join(tmpdir(), 'anwansi-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = join(folder, 'config.toml');
const defaults: Config = configSchema.parse({
  network: {},
  api: {},
  metrics: {},
  blobs: {},
  log: {},
});

function settle(text: string | null, more: Partial<ConfigSources> = {}) {
  rmSync(file, { force: true });
  if (text !== null) writeFileSync(file, text);
  return settleConfig({ flags: {}, environment: {}, file, fileGiven: false, ...more });
}

/** The detail of the refusal; fails if there is none. */
async function refused(settled: Promise<unknown>) {
  const error = await settled.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(OperatorError);
  return { ...(error as OperatorError).detail, message: (error as OperatorError).message };
}

test('without any source all is at its default; a file that was named must be there', async () => {
  const { config, origins, warnings } = await settle(null);
  expect(config).toEqual(defaults);
  expect(config.api).toEqual({
    host: '127.0.0.1',
    port: 26_922,
    allow_remote: false,
    allowed_hosts: [],
  });
  expect(config.network.listen).toEqual(['/ip4/0.0.0.0/tcp/26920']);
  expect([...origins.keys()].sort()).toEqual(settings.map(({ key }) => key).sort());
  expect(new Set(origins.values())).toEqual(new Set(['default']));
  expect(warnings).toEqual([]);
  expect(await refused(settle(null, { fileGiven: true }))).toMatchObject({
    code: 'CONFIG_UNREADABLE',
  });
});

test('law: a flag beats the environment, which beats the file, which beats the default', async () => {
  const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(port, port, port, async (flag, variable, inFile) => {
      const { config, origins } = await settle(
        inFile === undefined ? '' : `[api]\nport = ${inFile}\n`,
        {
          flags: { 'api.port': flag },
          environment: variable === undefined ? {} : { ANWANSI_API_PORT: String(variable) },
        },
      );
      expect(config.api.port).toBe(flag ?? variable ?? inFile ?? 26_922);
      const expected =
        flag !== undefined
          ? '--api-port'
          : variable !== undefined
            ? 'ANWANSI_API_PORT'
            : inFile !== undefined
              ? file
              : 'default';
      expect(origins.get('api.port')).toBe(expected);
    }),
    { numRuns: 40 },
  );
});

test('law: the template changes nothing, and each of its lines is a setting', async () => {
  const template = configTemplate();
  expect((await settle(template)).config).toEqual(defaults);
  const spoken = template.replace(/^# (\w+ = (?!"")).*$/gm, (line) => line.slice(2));
  expect(spoken.split('\n').filter((line) => /^\w+ = /.test(line)).length).toBe(
    settings.filter((setting) => setting.default !== undefined).length,
  );
  const { config, origins } = await settle(spoken);
  expect(config).toEqual(defaults);
  expect([...origins.values()].filter((origin) => origin === file).length).toBeGreaterThan(5);
  for (const { describe, variable } of settings) {
    expect(describe, variable).toMatch(/^[A-Z].*\.$/);
    expect(template).toContain(variable);
  }
});

test('law: what one variable can say, a file can say, and nothing else of the settings moves', async () => {
  for (const [variable, text, path, value] of [
    ['ANWANSI_NETWORK_LISTEN', '127.0.0.1:0, [::1]:7', 'network.listen', null],
    ['ANWANSI_NETWORK_DISCOVER', 'false', 'network.discover', false],
    ['ANWANSI_BLOBS_QUOTA_BYTES', '67108864', 'blobs.quota_bytes', 67_108_864],
    ['ANWANSI_LOG_LEVEL', 'debug', 'log.level', 'debug'],
    ['ANWANSI_API_ALLOW_REMOTE', 'true', 'api.allow_remote', true],
  ] as const) {
    const { config } = await settle(null, { environment: { [variable]: text } });
    const [section, name] = path.split('.') as [keyof Config, string];
    const expected = value ?? ['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/7'];
    expect((config[section] as Record<string, unknown>)[name]).toEqual(expected);
    expect({ ...config, [section]: defaults[section] }).toEqual(defaults);
  }
  const empty = await settle(null, { environment: { ANWANSI_LOG_LEVEL: '' } });
  expect(empty.config).toEqual(defaults);
});

test.each([
  ['[api]\nprot = 1', 'api.prot', 'api.port'],
  ['[apl]\nport = 1', 'apl', 'api'],
  ['port = 1', 'port', 'api.port'],
  ['[network]\nlisten_on = []', 'network.listen_on', 'network.listen'],
  ['[api.port]\nx = 1', null, null],
  ['[log]\nlevel = "info"\ncolour = 1', 'log.colour', null],
  ['[wholly-different]\nx = 1', 'wholly-different', null],
])('an unknown key is refused: %j', async (text, key, meant) => {
  const detail = await refused(settle(text));
  if (key === null) {
    expect(detail.code).toBe('CONFIG_VALUE');
    return;
  }
  expect(detail).toMatchObject({ code: 'CONFIG_UNKNOWN_KEY', key, meant, file });
  if (meant !== null) expect(detail.message).toContain(`did you mean ${meant}?`);
});

test.each([
  ['[api]\nport = 65536', 'api.port', /65535/],
  ['[api]\nport = "26922"', 'api.port', /number/],
  ['[api]\nport = 1.5', 'api.port', /int/i],
  ['[network]\nlisten = []', 'network.listen', /1/],
  ['[network]\npeers = [7]', 'network.peers', /string/],
  ['[blobs]\nquota_bytes = 0', 'blobs.quota_bytes', /67108864/],
  ['[log]\nlevel = "loud"', 'log.level', /info/],
  ['[api]\nhost = "0.0.0.0"', 'api.host', /allow_remote/],
  ['api = 3', 'api', /table/],
])('a value out of its range is refused, with where it stands: %j', async (text, key, reason) => {
  const detail = await refused(settle(text));
  expect(detail).toMatchObject({ code: 'CONFIG_VALUE', key, origin: file });
  expect(detail.message).toMatch(reason);
});

test('other sources are named as strictly', async () => {
  const environment = { ANWANSI_API_PORT: '0x10' };
  expect(await refused(settle('', { environment }))).toMatchObject({
    code: 'CONFIG_VALUE',
    key: 'api.port',
    origin: 'ANWANSI_API_PORT',
  });
  expect(await refused(settle('', { flags: { 'log.level': 'all' } }))).toMatchObject({
    origin: '--log-level',
  });
  const typo = await settle('', { environment: { ANWANSI_API_PROT: '1', ANWANSI_DATA_DIR: '/x' } });
  expect(typo.warnings).toEqual(['ANWANSI_API_PROT is no setting; did you mean ANWANSI_API_PORT?']);
  expect((await settle('[api]\nhost = "::1"')).config.api.host).toBe('::1');
  const open = await settle('[api]\nhost = "0.0.0.0"\nallow_remote = true');
  expect(open.config.api.host).toBe('0.0.0.0');
});

test('what is no TOML is refused with its place', async () => {
  expect(await refused(settle('[api]\nport = = 1'))).toMatchObject({
    code: 'CONFIG_SYNTAX',
    line: 2,
    file,
  });
  expect(await refused(settle('a = 1\na = 2'))).toMatchObject({ code: 'CONFIG_SYNTAX', line: 2 });
  expect(await refused(settle('__proto__ = 1'))).toMatchObject({ code: 'CONFIG_SYNTAX' });
  expect(await refused(settle('# '.padEnd(300_000, 'x')))).toMatchObject({
    code: 'CONFIG_UNREADABLE',
  });
  writeFileSync(file, Uint8Array.of(0x61, 0x3d, 0xff));
  const odd = settleConfig({ flags: {}, environment: {}, file, fileGiven: true });
  expect(await refused(odd)).toMatchObject({ code: 'CONFIG_UNREADABLE' });
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseToml(text, 'x');
      } catch (error) {
        expect(error).toBeInstanceOf(OperatorError);
      }
    }),
    { numRuns: 300 },
  );
});

test.each([
  ['192.0.2.7:26920', '/ip4/192.0.2.7/tcp/26920'],
  ['[2001:db8::1]:1', '/ip6/2001:db8::1/tcp/1'],
  ['node-1.example.org:26920', '/dns/node-1.example.org/tcp/26920'],
  ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0'],
  ['not an address', 'not an address'],
])('%s is %s', (text, address) => {
  expect(multiaddrOf(text)).toBe(address);
});

test('one directory holds everything; without it each kind has its folder', async () => {
  const paths = await operatorPaths('/data');
  expect(Object.values(paths).every((path) => path.startsWith('/data'))).toBe(true);
  expect(new Set(Object.values(paths)).size).toBe(Object.values(paths).length);
  expect(paths.seatKey).toBe(join('/data', 'keys', 'seat.key'));
  const usual = await operatorPaths(null);
  expect(Object.values(usual).every((path) => /anwansi/i.test(path))).toBe(true);
  expect(usual.config).not.toContain(usual.data);
});

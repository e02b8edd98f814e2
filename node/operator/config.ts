/** Settle a node's settings: flags over environment over file over defaults. */
import { z } from 'zod';
import { nearestWord } from '../nearest.ts';
import { OperatorError } from './error.ts';
import { knownValues, readToml } from './toml.ts';

/** Ports that stand for themselves; 0 takes a free one. */
export const networkPort = 26_920;
const port = z.int().min(0).max(65_535);
const place = z.string().min(1).max(1_024);

/** Every setting, its default, and what it means: the one source of all that is said of them. */
export const configSchema = z.strictObject({
  network: z.strictObject({
    listen: z
      .array(place)
      .min(1)
      .max(16)
      .default([`/ip4/0.0.0.0/tcp/${networkPort}`])
      .describe('Where peers reach this node: multiaddrs, or ADDRESS:PORT. Port 0 is a free one.'),
    peers: z
      .array(place)
      .max(256)
      .default([])
      .describe(
        'Peers to dial, best with /p2p/ID at their end. The others are found through them.',
      ),
    discover: z.boolean().default(true).describe('Whether to look for further peers.'),
  }),
  api: z.strictObject({
    host: z.string().min(1).max(255).default('127.0.0.1').describe('Where the HTTP API listens.'),
    port: port.default(26_922).describe('Port of the HTTP API.'),
    allow_remote: z
      .boolean()
      .default(false)
      .describe('Whether the API may listen where other machines reach it.'),
    allowed_hosts: z
      .array(place)
      .max(64)
      .default([])
      .describe('Names by which other machines may ask the API, besides its own address.'),
    token_file: place
      .optional()
      .describe('File with the token that changes ask for; api-token of this node unless given.'),
  }),
  metrics: z.strictObject({
    port: port.default(26_923).describe('Port of the metrics, on the loopback.'),
  }),
  blobs: z.strictObject({
    quota_bytes: z
      .int()
      .min(64 * 1024 * 1024)
      .max(Number.MAX_SAFE_INTEGER)
      .default(16 * 1024 * 1024 * 1024)
      .describe('Bytes of disk for programs, items and results.'),
  }),
  log: z.strictObject({
    level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
      .default('info')
      .describe('Least level that is logged.'),
  }),
});
export type Config = z.infer<typeof configSchema>;

/** Where a value comes from: `--api-port`, `ANWANSI_API_PORT`, a file, or `default`. */
export type Origins = ReadonlyMap<string, string>;

export type Settled = {
  readonly config: Config;
  readonly origins: Origins;
  /** Sentences on what was ignored. */
  readonly warnings: readonly string[];
};

export type ConfigSources = {
  /** Values of flags by key; undefined where a flag was not given. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file: string;
  /** Whether somebody named the file: then it must be there. */
  readonly fileGiven: boolean;
};

/** A setting as help and the file's template show it. */
export type Setting = {
  readonly key: string;
  readonly variable: string;
  readonly describe: string;
  /** Undefined where there is none. */
  readonly default: unknown;
};

type Leaf = { readonly setting: Setting; readonly kind: 'text' | 'number' | 'boolean' | 'list' };

const leaves: ReadonlyMap<string, Leaf> = new Map(
  Object.entries(configSchema.shape).flatMap(([section, { shape }]) =>
    Object.entries<z.ZodType>(shape).map(([name, schema]) => {
      const key = `${section}.${name}`;
      return [key, leafOf(key, schema)] as const;
    }),
  ),
);

/** All settings, in the order of the schema. */
export const settings: readonly Setting[] = [...leaves.values()].map(({ setting }) => setting);

/** Variables of the environment that are no settings. */
const otherVariables = ['ANWANSI_DATA_DIR', 'ANWANSI_DEBUG', 'ANWANSI_LONG', 'ANWANSI_TOKEN_FILE'];

/** Settles all settings. @throws OperatorError `CONFIG_…` */
export async function settleConfig(sources: ConfigSources): Promise<Settled> {
  const { flags, environment, file, fileGiven } = sources;
  const tables = await readToml(file);
  if (tables === null && fileGiven)
    throw new OperatorError({ code: 'CONFIG_UNREADABLE', file, reason: 'there is no such file' });
  const fromFile = knownValues(tables ?? {}, [...leaves.keys()], file);
  const origins = new Map<string, string>();
  const chosen: Record<string, Record<string, unknown>> = {};
  for (const [key, { setting, kind }] of leaves) {
    const [section, name] = key.split('.') as [string, string];
    const table = (chosen[section] ??= {});
    const variable = environment[setting.variable];
    if (flags[key] !== undefined) {
      table[name] = flags[key];
      origins.set(key, flagOf(key));
    } else if (variable !== undefined && variable !== '') {
      table[name] = ofText(variable, kind);
      origins.set(key, setting.variable);
    } else if (fromFile.has(key)) {
      table[name] = fromFile.get(key);
      origins.set(key, file);
    } else origins.set(key, 'default');
  }
  const read = configSchema.safeParse(chosen);
  if (!read.success) throw refusal(read.error, origins);
  const config = spelledOut(read.data);
  checkRemote(config, origins);
  return { config, origins, warnings: strangeVariables(environment) };
}

/** The text of a fresh config.toml: every setting, as a comment with its default. */
export function configTemplate(): string {
  const lines = ['# Settings of an anwansi node. Flags and ANWANSI_* variables come first.'];
  let section = '';
  for (const { key, variable, describe, default: value } of settings) {
    const [here, name] = key.split('.') as [string, string];
    if (here !== section) lines.push('', `[${here}]`);
    section = here;
    lines.push(`# ${describe} (${variable})`);
    lines.push(value === undefined ? `# ${name} = ""` : `# ${name} = ${JSON.stringify(value)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** `10.0.0.7:26920`, `[::1]:26920` and `host.example:26920` as the multiaddrs that they mean. */
export function multiaddrOf(text: string): string {
  const [, six, four, name, at] =
    /^(?:\[([0-9a-fA-F:.]+)\]|(\d+(?:\.\d+){3})|([\w-]+(?:\.[\w-]+)*)):(\d{1,5})$/.exec(text) ?? [];
  if (six !== undefined) return `/ip6/${six}/tcp/${at}`;
  if (four !== undefined) return `/ip4/${four}/tcp/${at}`;
  return name === undefined ? text : `/dns/${name}/tcp/${at}`;
}

/** `--api-port` of `api.port`; those of the network go without its name. */
function flagOf(key: string): string {
  return `--${key.replace('network.', '').replace('peers', 'peer').replace(/[._]/g, '-')}`;
}

function spelledOut(config: Config): Config {
  const { listen, peers } = config.network;
  const network = {
    ...config.network,
    listen: listen.map(multiaddrOf),
    peers: peers.map(multiaddrOf),
  };
  return { ...config, network };
}

/** A door to the network is opened on purpose only. */
function checkRemote({ api }: Config, origins: Origins): void {
  if (api.allow_remote || /^(127(\.\d+){3}|::1|\[::1\]|localhost)$/.test(api.host)) return;
  const origin = origins.get('api.host')!;
  const reason = `other machines reach ${api.host}; set api.allow_remote = true if they should`;
  throw new OperatorError({ code: 'CONFIG_VALUE', key: 'api.host', origin, reason });
}

function leafOf(key: string, schema: z.ZodType): Leaf {
  const wrapped = schema instanceof z.ZodDefault || schema instanceof z.ZodOptional;
  const inner = wrapped ? schema.unwrap() : schema;
  const value = schema instanceof z.ZodDefault ? schema.parse(undefined) : undefined;
  const kind =
    inner instanceof z.ZodArray
      ? 'list'
      : inner instanceof z.ZodBoolean
        ? 'boolean'
        : inner instanceof z.ZodNumber
          ? 'number'
          : 'text';
  const variable = `ANWANSI_${key.replace('.', '_').toUpperCase()}`;
  return { setting: { key, variable, describe: schema.description ?? '', default: value }, kind };
}

/** What a variable says; text that says nothing of the kind is left for the schema to refuse. */
function ofText(text: string, kind: Leaf['kind']): unknown {
  switch (kind) {
    case 'list':
      return text
        .split(',')
        .map((one) => one.trim())
        .filter((one) => one !== '');
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'number':
      return /^\d{1,16}$/.test(text) ? Number(text) : text;
    case 'text':
      return text;
  }
}

function refusal(error: z.ZodError, origins: Origins): OperatorError {
  const { path, message } = error.issues[0]!;
  const key = path.slice(0, 2).join('.');
  const origin = origins.get(key) ?? 'default';
  return new OperatorError({ code: 'CONFIG_VALUE', key, origin, reason: message });
}

function strangeVariables(environment: ConfigSources['environment']): readonly string[] {
  const known = [...settings.map(({ variable }) => variable), ...otherVariables];
  return Object.keys(environment)
    .filter((name) => name.startsWith('ANWANSI_') && !known.includes(name))
    .flatMap((name) => {
      const meant = nearestWord(name, known);
      return meant === null ? [] : [`${name} is no setting; did you mean ${meant}?`];
    });
}

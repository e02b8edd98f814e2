/** Start a node: join its network, catch up, take part, until it is stopped. */
import { hex } from '../../../protocol/brand.ts';
import type { Validator } from '../../operator/start.ts';
import { type Context, defineCommand } from '../command.ts';
import { dataDirectory, dataDirOption } from '../data-dir.ts';
import { usageError } from '../error.ts';
import { shellWord } from '../shell-word.ts';

/** Milliseconds that a node has to end by itself; its parts have most of them. */
const stopMsMax = 22_000;

const port = { kind: 'integer', placeholder: 'PORT', min: 0, max: 65_535 } as const;

export const nodeStart = defineCommand({
  name: 'node start',
  summary: 'Join a network, catch up and take part, until you stop it.',
  examples: [
    [
      'anwansi node start --genesis genesis.cbor --peer 192.0.2.7:26920',
      'The first start: one peer is enough, the others are found through it.',
    ],
    [
      'anwansi node start',
      'Any later start: the network is remembered, and peers stand in config.toml.',
    ],
    ['anwansi node start --observer --peer 192.0.2.7:26920', 'Follow without a seat.'],
  ],
  options: {
    genesis: { kind: 'path', placeholder: 'FILE', describe: 'Genesis of the network to join.' },
    listen: {
      kind: 'texts',
      placeholder: 'ADDR',
      describe: 'Where peers reach this node: a multiaddr or IP:PORT; all IPv4, port 26920.',
    },
    peer: {
      kind: 'texts',
      placeholder: 'ADDR',
      describe: 'Peers to dial: multiaddrs, best with /p2p/ID at their end, or HOST:PORT.',
    },
    dataDir: dataDirOption,
    config: { kind: 'path', placeholder: 'FILE', describe: 'Settings; config.toml unless given.' },
    apiHost: { kind: 'text', placeholder: 'HOST', describe: 'Where the HTTP API listens.' },
    apiPort: { ...port, describe: 'Port of the HTTP API, 26922 unless given.' },
    metricsPort: { ...port, describe: 'Port of the metrics, 26923 unless given.' },
    logLevel: { kind: 'text', placeholder: 'LEVEL', describe: 'Least level that is logged.' },
    validator: { kind: 'flag', describe: 'Refuse to start unless the key holds a seat.' },
    observer: { kind: 'flag', describe: 'Follow only; needs no key of a seat.' },
  },
  stopMsMax,
  run: async (context, values) => {
    const { output, signal, environment } = context;
    if (values.validator && values.observer)
      throw usageError('--validator and --observer exclude each other', 'Give one of them.');
    const [{ operatorPaths }, { settleConfig }, { openLog }, { startValidator }, { servers }] =
      await Promise.all([
        import('../../operator/paths.ts'),
        import('../../operator/config.ts'),
        import('../../operator/log.ts'),
        import('../../operator/start.ts'),
        import('../../operator/servers.ts'),
      ]);
    const paths = await operatorPaths(dataDirectory(context, values.dataDir));
    const settled = await settleConfig({
      flags: {
        'network.listen': given(values.listen),
        'network.peers': given(values.peer),
        'api.host': values.apiHost,
        'api.port': values.apiPort,
        'metrics.port': values.metricsPort,
        'log.level': values.logLevel,
      },
      environment,
      file: values.config ?? paths.config,
      fileGiven: values.config !== undefined,
    });
    const log = openLog(settled.config.log.level, process.stderr);
    for (const warning of settled.warnings) log.warn(warning);
    const validator = await startValidator({
      paths,
      config: settled.config,
      genesisFile: values.genesis ?? null,
      role: values.observer ? 'observer' : values.validator ? 'validator' : 'any',
      log,
      servers,
    });
    context.onExit(() => validator.stop());
    if (!signal.aborted) sayReady(context, validator, values.genesis ?? paths.genesis);
    await Promise.race([fired(signal), orphaned(), validator.failed]);
    log.info(`stopping by ${signal.aborted ? String(signal.reason) : 'the end of its parent'}`);
    await validator.stop();
    output.detail('stopped');
    return undefined;
  },
});

/** Flags that may be given several times: none at all means that nothing was said. */
function given(texts: readonly string[]): readonly string[] | undefined {
  return texts.length === 0 ? undefined : texts;
}

function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Fires when the process that started us with a channel is gone; never without a channel. */
function orphaned(): Promise<void> {
  return new Promise((resolve) => {
    if (process.channel !== undefined) process.once('disconnect', () => resolve());
  });
}

/** The one line that tells whoever started this node, person or program, how to reach it. */
function sayReady({ output }: Context, validator: Validator, genesisFile: string): void {
  const { network, genesis, seat, servers } = validator;
  const id = hex(genesis.network);
  const addresses = network.addresses();
  // For whoever is on another machine, if there is a way to this one.
  const address = addresses.find((one) => !/^\/(ip4\/127\.|ip6\/::1\/)/.test(one)) ?? addresses[0]!;
  const join = `anwansi node start --genesis ${shellWord(genesisFile)} --peer ${address}`;
  const served = servers.map(({ name, address: at }) => ({ name, address: at }));
  const place = seat === null ? 'observer' : `seat ${seat} of ${genesis.genesis.seats.length}`;
  output.event(
    { event: 'ready', network: id, seat, addresses, servers: served, join },
    [
      `ready network ${id} ${place} at ${addresses.join(' ')}`,
      ...served.map((server) => `${server.name} ${server.address}`),
      `join: ${join}`,
    ].join(' '),
  );
}

/** Keep a development network running, until it is stopped. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hex, utf8 } from '../../../protocol/brand.ts';
import { sha256 } from '../../../protocol/crypto/hash.ts';
import { networkId } from '../../../protocol/ledger/genesis.ts';
import type { DevLayout } from '../../operator/dev-layout.ts';
import { type Context, defineCommand } from '../command.ts';
import { shellWord } from '../shell-word.ts';

/** Milliseconds that all validators have to end by themselves. */
const stopMsMax = 30_000;

export const dev = defineCommand({
  name: 'dev',
  summary: 'Keep a development network running on this machine, until you stop it.',
  examples: [
    ['anwansi dev', 'Seven validators in one process; its API is at 127.0.0.1:26922.'],
    ['anwansi dev --processes --data-dir net', 'A process for each; the chain goes on next time.'],
    ['anwansi run primes --params \'{"from":0,"to":1000}\'', 'Meanwhile, elsewhere: a job for it.'],
  ],
  options: {
    nodes: {
      kind: 'integer',
      placeholder: 'N',
      describe: 'Validators; a network that is kept has as many as before.',
      min: 4,
      max: 31,
      default: 7,
    },
    processes: { kind: 'flag', describe: 'An operating-system process for each validator.' },
    dataDir: {
      kind: 'path',
      placeholder: 'DIR',
      describe: 'Keep the network in this folder, and go on with the one that is there.',
    },
    seed: { kind: 'text', placeholder: 'S', describe: 'Makes a new network the same each time.' },
    apiPort: {
      kind: 'integer',
      placeholder: 'PORT',
      describe:
        'API port of validator 0, its peers two below; validator i has 10 i more; 0 for free ones.',
      min: 0,
      max: 65_000,
      default: 26_922,
    },
    logLevel: {
      kind: 'text',
      placeholder: 'LEVEL',
      describe: 'Least level that is logged.',
      default: 'warn',
      choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    },
  },
  stopMsMax,
  run: async (context, values) => {
    const { output, signal, onExit } = context;
    const [{ layDevNetwork }, { startDevProcesses, startDevTogether }, { openLog }] =
      await Promise.all([
        import('../../operator/dev-layout.ts'),
        import('../../operator/dev.ts'),
        import('../../operator/log.ts'),
      ]);
    const root = values.dataDir ?? (await mkdtemp(join(tmpdir(), 'anwansi-dev-')));
    if (values.dataDir === undefined) onExit(() => rm(root, { recursive: true, force: true }));
    const nonce = values.seed === undefined ? randomBytes(32) : sha256(utf8(values.seed));
    const layout = await layDevNetwork({
      root,
      seats: values.nodes,
      nonce,
      apiPort: values.apiPort,
    });
    output.note(
      `starting ${values.nodes} validators, keys public: for trying things out` +
        (values.dataDir === undefined ? '; forgotten at the end (--data-dir keeps it)' : ''),
    );
    const log = openLog(values.logLevel, process.stderr);
    const start = values.processes ? startDevProcesses : startDevTogether;
    const network = await start(layout, log);
    onExit(() => network.stop());
    if (!signal.aborted) sayReady(context, layout, network.api);
    await Promise.race([fired(signal), network.failed]);
    return undefined;
  },
});

function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Everything that somebody needs who wants to use this network, or to join it. */
function sayReady({ output }: Context, layout: DevLayout, api: string): void {
  const { genesis, genesisFile, trustFile, seats } = layout;
  const network = hex(networkId(genesis));
  const join =
    'anwansi node init --data-dir joined && anwansi node start --data-dir joined --observer ' +
    `--genesis ${shellWord(genesisFile)} --peer ${seats[0]!.address} ` +
    '--listen /ip4/127.0.0.1/tcp/0 --api-port 0 --metrics-port 0';
  output.event(
    { event: 'ready', network, seats: seats.length, api, trust: trustFile, join },
    [
      `ready network ${network}, ${seats.length} validators; Ctrl+C stops it`,
      `api    ${api}`,
      `trust  ${trustFile}`,
      `join   ${join}`,
    ].join('\n'),
  );
}

/** Start the servers beside a node, in this order: its HTTP API, its metrics. */
import { readFileSync } from 'node:fs';
import { createApi } from '../api/app.ts';
import type { Peer } from '../api/contract.ts';
import { isLoopback, readTokenFile } from '../api/guard.ts';
import { createMetrics, createMetricsApp, type Metrics } from '../api/metrics.ts';
import { type ApiEvent, boundedLog } from '../api/parts.ts';
import { startApi } from '../api/server.ts';
import { findingsOf } from './findings.ts';
import type { Log } from './log.ts';
import type { ServerParts, ServerStart } from './start.ts';

const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string };
const software = `anwansi/${version}`;

// What the API counts is shown by the metrics, which start after it.
const measuring = new WeakMap<ServerParts, Metrics>();

const apiServer: ServerStart = async (parts) => {
  const { node, network, executor, scratch, config, paths, log } = parts;
  const { host, port } = config.api;
  const { allow_remote: allowRemote, token_file: tokenFile } = config.api;
  const allowedNames = config.api.allowed_hosts;
  // On the loopback whoever is on this machine may ask; elsewhere everybody needs the token.
  const file = tokenFile ?? (isLoopback(host) ? null : paths.apiToken);
  const token = file === null ? null : await readTokenFile(file);
  const peers = (): readonly Peer[] => peersOf(network);
  // A flood of refusals must not fill the log.
  const tell = boundedLog((event) => logAnswer(log, event));
  const metrics = createMetrics({ node, software, peers, measures: [], process: true });
  measuring.set(parts, metrics);
  const app = createApi({
    node,
    executor,
    scratch,
    software,
    peers,
    addresses: network.addresses,
    findings: () => findingsOf({ node, peers, directory: paths.data }),
    duties: node.duties,
    stateProof: node.stateProof,
    token,
    allowedHosts: isLoopback(host) ? allowedNames : [host, ...allowedNames],
    log: (event) => {
      metrics.heard(event);
      tell(event);
    },
  });
  const { address, stop } = await startApi({
    app,
    host,
    port,
    allowRemote,
    log: tell,
  });
  return { name: 'api', address, stop };
};

const metricsServer: ServerStart = async (parts) => {
  const metrics = measuring.get(parts)!;
  const log = boundedLog((event) => logAnswer(parts.log, event));
  const app = createMetricsApp(metrics, { token: null, allowedHosts: [] }, log);
  const { port } = parts.config.metrics;
  const listening = await startApi({ app, host: '127.0.0.1', port, allowRemote: false, log });
  return {
    name: 'metrics',
    address: listening.address,
    stop: async () => {
      metrics.stop();
      await listening.stop();
    },
  };
};

export const servers: readonly ServerStart[] = [apiServer, metricsServer];

function peersOf(network: ServerParts['network']): readonly Peer[] {
  return network.known().map(({ id, addresses, connected, reason, score }) => ({
    id: id ?? '',
    addresses: [...addresses],
    connected,
    reason,
    score,
  }));
}

/** Refusals and surprises are told; what went well is counted, and told to whoever debugs. */
function logAnswer(log: Log, event: ApiEvent): void {
  const facts = { module: 'api', ...event };
  if (event.kind === 'unexpected') log.error(facts, 'an answer failed');
  else if (
    event.kind === 'connection-refused' ||
    (event.kind === 'answered' && event.status >= 400)
  )
    log.info(facts, 'refused');
  else log.debug(facts, event.kind);
}

/** Count and measure what a node does, for Prometheus, on a port of its own. */
import { z } from '@hono/zod-openapi';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { hex } from '../../protocol/brand.ts';
import { tryDecode } from '../../protocol/codec/codec.ts';
import { jobId } from '../../protocol/job/job.ts';
import { blockItemCodec } from '../../protocol/ledger/block.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import type { AnwansiNode, NodeEvent } from '../face.ts';
import { statusOf } from '../views/status.ts';
import { type App, guardedApp } from './app.ts';
import type { Peer } from './contract.ts';
import type { GuardOptions } from './guard.ts';
import type { ApiEvent, ApiLog } from './parts.ts';
import { route } from './route.ts';

/** A measure that somebody else takes; read when it is asked for. */
export type Measure = {
  /** `anwansi_…`, base units, as in the list of names. */
  readonly name: string;
  readonly help: string;
  readonly read: () => number | Promise<number>;
};

export type MetricsParts = {
  readonly node: AnwansiNode;
  readonly software: string;
  readonly peers: () => readonly Peer[];
  readonly measures: readonly Measure[];
  /** Whether this process is measured too: once in a process. */
  readonly process: boolean;
};

export type Metrics = {
  readonly registry: Registry;
  /** Counts what the API tells. */
  readonly heard: (event: ApiEvent) => void;
  readonly stop: () => void;
};

const methods = ['GET', 'HEAD', 'POST', 'DELETE'];

/** Starts to count. Labels never hold a job, a peer or a content id. */
export function createMetrics(parts: MetricsParts): Metrics {
  const registry = new Registry();
  if (parts.process) collectDefaultMetrics({ register: registry });
  describeNode(parts, registry);
  for (const { name, help, read } of parts.measures) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect: async () => gauge.set(await read()),
    });
  }
  const unwatch = parts.node.watch(countJobs(registry));
  return { registry, heard: countAnswers(registry), stop: unwatch };
}

function describeNode({ node, software, peers }: MetricsParts, registry: Registry): void {
  const registers = [registry];
  const labelNames = ['version', 'node', 'network'];
  new Gauge({ name: 'anwansi_build_info', help: 'What runs here.', labelNames, registers }).set(
    { version: software, node: process.version, network: hex(node.rules.network).slice(0, 16) },
    1,
  );
  const gauge = (name: string, help: string, read: () => number): void => {
    const one: Gauge = new Gauge({ name, help, registers, collect: () => one.set(read()) });
  };
  const final = () => node.state().final.header;
  gauge('anwansi_node_start_time_seconds', 'When it started.', () => node.startedAt / 1000);
  gauge('anwansi_chain_finalized_height', 'Height of the last final block.', () => final().height);
  gauge('anwansi_chain_head_height', 'Height of the highest block that is known.', () =>
    [...node.state().tree.values()].reduce(
      (most, { header }) => Math.max(most, header.height),
      final().height,
    ),
  );
  gauge(
    'anwansi_chain_head_timestamp_seconds',
    'Chain time of the last final block.',
    () => final().timeMs / 1000,
  );
  gauge('anwansi_sync_state', '1 syncing or stalled, 2 synced.', () =>
    statusOf(node, { software, peers: 0, addresses: [] }).sync === 'synced' ? 2 : 1,
  );
  gauge('anwansi_blobs_bytes', 'Bytes of all blobs.', () => node.blobs.bytes());
  const connected: Gauge<'transport'> = new Gauge({
    name: 'anwansi_peers',
    help: 'Peers that are connected.',
    labelNames: ['transport'],
    registers,
    collect: () => {
      const counts = { tcp: 0, ws: 0 };
      for (const peer of peers())
        if (peer.connected) counts[/\/wss?(\/|$)/.test(peer.addresses[0] ?? '') ? 'ws' : 'tcp']++;
      for (const [transport, count] of Object.entries(counts)) connected.set({ transport }, count);
    },
  });
  const jobs: Gauge<'state'> = new Gauge({
    name: 'anwansi_jobs',
    help: 'Jobs of the last final state that have not ended.',
    labelNames: ['state'],
    registers,
    collect: () => {
      const cursor = new StateCursor(node.state().final.map);
      const counts = { ordered: 0, running: 0 };
      for (const id of cursor.open()) {
        const state = cursor.job(id)?.state;
        if (state === 'ordered' || state === 'running') counts[state]++;
      }
      for (const [state, count] of Object.entries(counts)) jobs.set({ state }, count);
    },
  });
}

/** Counts jobs as they end, and how long they took by the chain's own clock. */
function countJobs(registry: Registry): (event: NodeEvent) => void {
  const registers = [registry];
  const finished = new Counter({
    name: 'anwansi_jobs_finished_total',
    help: 'Jobs that have ended.',
    labelNames: ['outcome'],
    registers,
  });
  const finality = new Histogram({
    name: 'anwansi_job_finality_seconds',
    help: 'Chain time from the block that ordered a job to the one that ended it.',
    buckets: [1, 2, 5, 10, 20, 40, 80, 160, 320],
    registers,
  });
  return (event) => {
    if (event.kind !== 'final') return;
    const cursor = new StateCursor(event.chain.map);
    for (const id of candidates(event)) {
      const record = cursor.job(id);
      if (record === null || record.ended === null) continue;
      finished.inc({ outcome: record.state });
      const from = cursor.recent(record.includedHeight)?.timeMs;
      const to = cursor.recent(record.ended)?.timeMs ?? event.chain.header.timeMs;
      if (from !== undefined) finality.observe((to - from) / 1000);
    }
  };
}

/**
 * Jobs that may have ended in a stretch of blocks: open before it, or ordered in it. No job is
 * ordered and ended by one block.
 */
function candidates({ before, blocks }: Extract<NodeEvent, { kind: 'final' }>): Uint8Array[] {
  const ids = new Map<string, Uint8Array>();
  for (const id of new StateCursor(before.map).open()) ids.set(hex(id), id);
  if (blocks.length > 1)
    for (const bytes of blocks.flatMap(({ items }) => items)) {
      const item = tryDecode(blockItemCodec, bytes);
      if (item?.kind !== 'job') continue;
      const id = jobId(item.signed.job);
      ids.set(hex(id), id);
    }
  return [...ids.values()];
}

function countAnswers(registry: Registry): (event: ApiEvent) => void {
  const registers = [registry];
  const requests = new Counter({
    name: 'anwansi_api_requests_total',
    help: 'Requests by route, method and status.',
    labelNames: ['route', 'method', 'code'],
    registers,
  });
  const duration = new Histogram({
    name: 'anwansi_api_request_duration_seconds',
    help: 'Time until an answer begins.',
    labelNames: ['route', 'method'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers,
  });
  const name = 'anwansi_events_clients';
  const streams = new Gauge({ name, help: 'Open streams of events.', registers });
  const submitted = new Counter({
    name: 'anwansi_jobs_submitted_total',
    help: 'Jobs that were submitted here for the first time.',
    registers,
  });
  const receipts = new Counter({
    name: 'anwansi_receipts_issued_total',
    help: 'Receipts that this node made.',
    registers,
  });
  return (event) => {
    if (event.kind === 'submitted') submitted.inc();
    if (event.kind === 'receipt') receipts.inc();
    if (event.kind === 'streams') streams.set(event.open);
    if (event.kind !== 'answered') return;
    const method = methods.includes(event.method) ? event.method : 'other';
    requests.inc({ route: event.route, method, code: event.status });
    duration.observe({ route: event.route, method }, event.ms / 1000);
  };
}

/** An application with the metrics alone, for a listener of its own. */
export function createMetricsApp(metrics: Metrics, options: GuardOptions, log: ApiLog): App {
  const { registry } = metrics;
  const type = 'text/plain';
  return guardedApp(options, log, [
    route({
      method: 'get',
      path: '/metrics',
      summary: 'What Prometheus reads',
      answers: { 200: { description: 'All measures.', content: { [type]: z.string() } } },
      problems: [],
      handle: async () =>
        new Response(await registry.metrics(), {
          headers: { 'content-type': registry.contentType },
        }),
    }),
  ]);
}

/** Say how a node is: what is final, whether it keeps up, and why not. */
import { hex } from '../../protocol/brand.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import type { ReplicaState } from '../../protocol/replica/state.ts';
import type { Finding, Health, Status } from '../api/contract.ts';
import type { AnwansiNode } from '../face.ts';
import { type Hearing, hearingOf, noQuorumText, stallMs } from './quorum.ts';
import { reasonOf } from './reason.ts';

/** Views by which a certified block may be ahead of the final one while its body is on its way. */
const certifiedAheadMax = 2;

/** What a node does not know of itself. */
export type Outside = {
  /** Name and version of this software. */
  readonly software: string;
  /** Peers that are connected now. */
  readonly peers: number;
  /** Multiaddrs on which peers reach this node. */
  readonly addresses: readonly string[];
};

/** Addresses that are told: a machine with more has them on few ports. */
const addressCountMax = 64;

/**
 * How a node is.
 * @param now - This machine's clock, milliseconds since 1970.
 */
export function statusOf(
  node: AnwansiNode,
  { software, peers, addresses }: Outside,
  now: number = Date.now(),
): Status {
  const { rules, seat, startedAt } = node;
  const state = node.state();
  const { header, hash, map } = state.final;
  const { height, timeMs } = header;
  const hearing = hearingOf(node, now);
  const [sync, code]: Sync =
    node.failure() === null
      ? syncOf(state, hearing, { now, startedAt })
      : ['stalled', 'NODE_STOPPED'];
  return {
    protocol: 'anwansi/1',
    software,
    network: hex(rules.network),
    seats: rules.genesis.seats.length,
    seat,
    final: { height, hash: hex(hash), time: new Date(timeMs).toISOString(), timeMs },
    view: state.engine.view,
    sync,
    reason: code === null ? null : reasonOf(code),
    peers,
    addresses: addresses.slice(0, addressCountMax),
    heard: [...hearing.heard],
    quorum: hearing.needed,
    openJobs: new StateCursor(map).open().length,
    startedAt: new Date(startedAt).toISOString(),
  };
}

type Sync = readonly [Status['sync'], code: string | null];

function syncOf(
  state: ReplicaState,
  { heard, needed, stalled }: Hearing,
  { now, startedAt }: { readonly now: number; readonly startedAt: number },
): Sync {
  if (stalled) return ['stalled', 'NETWORK_NO_QUORUM'];
  const { finalRef, engine, rules } = state;
  const lateMs = now - state.final.header.timeMs;
  const old = lateMs > stallMs;
  if (lacksBlocks(state, old)) return ['syncing', 'NODE_BEHIND'];
  if (heard.length < needed && now - startedAt <= stallMs) return ['syncing', 'NODE_STARTING'];
  // Chain time that is behind the clock is no delay by itself: after an outage it catches up while
  // blocks become final. A whole round of leaders without a final block is one.
  const round = engine.view - finalRef.view > rules.ledger.genesis.seats.length;
  if (old && round) return ['stalled', 'NODE_NO_PROGRESS'];
  return ['synced', null];
}

/** Whether a quorum vouches for blocks that are not here; one that is on its way is no lack. */
function lacksBlocks(
  { certified, stretch, wanted, finalRef }: ReplicaState,
  old: boolean,
): boolean {
  const target = Math.max(certified?.certificate.view ?? 0, stretch?.certificate.view ?? 0);
  if (target > finalRef.view + certifiedAheadMax) return true;
  if (!old) return false;
  return target > finalRef.view || [...wanted.values()].some((one) => one.certified);
}

/** Whether a node is fit for use, with what was found out about it and its state as the last word. */
export function healthOf(status: Status, findings: readonly Finding[]): Health {
  const all = [...findings, syncFinding(status)];
  const state =
    status.sync === 'stalled' || all.some((finding) => finding.state === 'failed')
      ? 'unready'
      : status.sync === 'syncing'
        ? 'syncing'
        : 'ready';
  return { state, findings: all };
}

const stoppedConsequence = 'It keeps and announces nothing more, and what it shows is old.';

const syncConsequences: Readonly<Record<Status['sync'], string>> = {
  synced: 'Jobs can be submitted, and what it shows is current.',
  syncing: 'What it shows is old; jobs are kept and announced, and ordered by others.',
  stalled: 'Jobs are kept and announced, and nothing can be ordered.',
};

function syncFinding({ sync, reason, final, heard, quorum }: Status): Finding {
  return {
    name: 'sync',
    state: sync === 'synced' ? 'ok' : sync === 'syncing' ? 'warning' : 'failed',
    cause: `${reason?.meaning ?? 'The node keeps up with the network.'} Height ${final.height} is final; ${heard.length} seats are heard, a quorum takes ${quorum}.`,
    consequence: reason?.code === 'NODE_STOPPED' ? stoppedConsequence : syncConsequences[sync],
    remedy: reason?.remedy ?? 'Nothing to do.',
  };
}

/** The HTTP status that says the same: load balancers and containers look at nothing else. */
export function healthStatus({ state }: Health): 200 | 206 | 503 {
  return state === 'ready' ? 200 : state === 'syncing' ? 206 : 503;
}

/** What a node without a quorum awaits, in words; null while a quorum is heard. */
export function stallText(node: AnwansiNode, now: number): string | null {
  const hearing = hearingOf(node, now);
  return hearing.stalled ? noQuorumText(hearing) : null;
}

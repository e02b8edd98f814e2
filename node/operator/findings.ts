/** Look at what a running node depends on: disk, clock, peers, quorum. */
import { statfs } from 'node:fs/promises';
import type { Finding, Peer } from '../api/contract.ts';
import { codeEntry } from '../cli/codes.ts';
import type { AnwansiNode } from '../face.ts';
import { hearingOf, noQuorumText } from '../views/quorum.ts';
import { reasonCode, reasonText } from './log.ts';

/** Bytes of free disk below which an operator is warned, and below which a node is unfit. */
const freeBytesLow = 4 * 1024 ** 3;
const freeBytesMin = 256 * 1024 ** 2;

export type FindingParts = {
  readonly node: AnwansiNode;
  readonly peers: () => readonly Peer[];
  /** Directory whose disk must not fill up. */
  readonly directory: string;
};

/** What was found, each with its cause, what follows from it, and what to do. */
export async function findingsOf(parts: FindingParts): Promise<readonly Finding[]> {
  return [
    ...stoppedFinding(parts),
    await diskFinding(parts),
    clockFinding(parts),
    peersFinding(parts),
    quorumFinding(parts),
  ];
}

/** Why the node could not go on; nothing while it runs. */
function stoppedFinding({ node }: FindingParts): readonly Finding[] {
  const failure = node.failure();
  if (failure === null) return [];
  const code = reasonCode(failure.reason);
  return [
    {
      name: 'node',
      state: 'failed',
      cause: `The node could not go on: ${reasonText(failure.reason)}`,
      consequence: 'It has left its network, votes on nothing and keeps nothing more.',
      remedy: `Start it again. ${codeEntry(code)?.remedy ?? `See: anwansi explain ${code}`}`,
    },
  ];
}

async function diskFinding({ directory }: FindingParts): Promise<Finding> {
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  const name = 'disk';
  const cause = `${Math.floor(free / 1024 ** 2)} MiB are free where ${directory} lies.`;
  const remedy = `Free some space, or lower blobs.quota_bytes in config.toml.`;
  if (free < freeBytesMin)
    return {
      name,
      state: 'failed',
      cause,
      consequence: 'Soon no vote can be kept, and what cannot be kept is not said.',
      remedy,
    };
  if (free < freeBytesLow)
    return { name, state: 'warning', cause, consequence: 'Blobs may not fit any more.', remedy };
  return { name, state: 'ok', cause, consequence: 'There is room.', remedy: 'Nothing to do.' };
}

/** Blocks that are final carry a time that a quorum found to be past: a clock behind it is wrong. */
function clockFinding({ node }: FindingParts): Finding {
  const { clockSlackMs } = node.rules.genesis.parameters;
  const behind = node.state().final.header.timeMs - Date.now();
  const name = 'clock';
  if (behind <= clockSlackMs)
    return {
      name,
      state: 'ok',
      cause: 'This clock is not behind the chain’s time.',
      consequence: 'Blocks are voted on as they come.',
      remedy: 'Nothing to do.',
    };
  return {
    name,
    state: 'failed',
    cause: `This clock is ${behind} ms behind the time of the last final block.`,
    consequence: 'Proposals look early here and are voted on late, or never.',
    remedy: 'Set the clock, and let NTP keep it (timedatectl set-ntp true).',
  };
}

function peersFinding({ node, peers }: FindingParts): Finding {
  const all = peers();
  const connected = all.filter((peer) => peer.connected).length;
  const missing = all.filter((peer) => !peer.connected);
  const first = missing[0];
  const name = 'peers';
  const others = node.rules.genesis.seats.length - (node.seat === null ? 0 : 1);
  const cause =
    `${connected} peers are connected.` +
    (first === undefined
      ? ''
      : ` ${missing.length} are not; ${first.addresses[0] ?? first.id}: ${first.reason ?? ''}`);
  if (connected === 0)
    return {
      name,
      state: 'failed',
      cause,
      consequence: 'Nothing is heard and nobody hears this node.',
      remedy: 'Name a peer that runs with --peer, and see that its port can be reached from here.',
    };
  if (connected < Math.min(2, others))
    return {
      name,
      state: 'warning',
      cause,
      consequence: 'All news comes through one peer.',
      remedy: 'Name further peers with --peer, or open this node’s own port to others.',
    };
  return { name, state: 'ok', cause, consequence: 'News arrives.', remedy: 'Nothing to do.' };
}

function quorumFinding({ node }: FindingParts): Finding {
  const hearing = hearingOf(node, Date.now());
  const enough = hearing.heard.length >= hearing.needed;
  return {
    name: 'quorum',
    state: enough ? 'ok' : hearing.stalled ? 'failed' : 'warning',
    cause: enough
      ? `${hearing.heard.length} seats were heard lately, ${hearing.needed} are needed.`
      : `What is missing is ${noQuorumText(hearing)}.`,
    consequence: enough ? 'Blocks become final.' : 'No block can become final meanwhile.',
    remedy: enough ? 'Nothing to do.' : 'Ask the operators of the missing seats.',
  };
}

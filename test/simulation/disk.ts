/** Keep what survives a crash of a simulated machine, and nothing else. */

import { hex } from '../../protocol/brand.ts';
import type { Certificate, Vote } from '../../protocol/consensus/message.ts';
import { jobId, type SignedJob } from '../../protocol/job/job.ts';
import type { SignedStatement } from '../../protocol/job/statement.ts';
import type { ChainState } from '../../protocol/ledger/chain.ts';
import { headerHash } from '../../protocol/ledger/header.ts';
import type { Kept } from '../../protocol/replica/boot.ts';
import { openDrawHeights } from '../../protocol/replica/duty.ts';
import type { Effect } from '../../protocol/replica/effect.ts';
import type { SealedBlock } from '../../protocol/replica/wire.ts';

/** What a disk can be made to forget: each is a twin that must fail, or cost something. */
export type Forgets = 'votes' | 'proposals' | 'statements' | 'certificates' | 'blocks';

export type Disk = {
  votes: Vote[];
  statements: SignedStatement[];
  certificates: Certificate[];
  /** Own proposals, and blocks voted for. */
  blocks: SealedBlock[];
  readonly jobs: Map<string, SignedJob>;
  readonly beacons: Map<number, Uint8Array>;
  final: ChainState | null;
  finalCertificate: Certificate | null;
  /** All final blocks from height 1 on, and the certificates of those that are directly final. */
  readonly chain: SealedBlock[];
  readonly heights: Map<string, number>;
  readonly finalCertificates: Map<number, Certificate>;
};

export function emptyDisk(): Disk {
  return {
    votes: [],
    statements: [],
    certificates: [],
    blocks: [],
    jobs: new Map(),
    beacons: new Map(),
    final: null,
    finalCertificate: null,
    chain: [],
    heights: new Map(),
    finalCertificates: new Map(),
  };
}

/** Makes durable what an effect asks for. */
export function store(disk: Disk, effect: Effect): void {
  switch (effect.kind) {
    case 'log-vote':
      disk.votes.push(effect.vote);
      return;
    case 'log-statement':
      disk.statements.push(effect.signed);
      return;
    case 'log-proposal':
    case 'store-block':
      disk.blocks.push(effect.block);
      return;
    case 'log-certificate':
      disk.certificates.push(effect.certificate);
      return;
    case 'store-job':
      disk.jobs.set(hex(jobId(effect.signed.job)), effect.signed);
      return;
    case 'finalize':
      finalize(disk, effect);
      return;
    default:
      return;
  }
}

function finalize(
  disk: Disk,
  { blocks, certificate, chain }: Extract<Effect, { kind: 'finalize' }>,
): void {
  for (const block of blocks) {
    disk.chain.push(block);
    disk.heights.set(hex(headerHash(block.header)), block.header.height);
    disk.beacons.set(block.header.height, block.header.beacon);
  }
  disk.final = chain;
  disk.finalCertificate = certificate;
  const { view, height } = chain.header;
  disk.finalCertificates.set(height, certificate);
  disk.votes = disk.votes.filter((vote) => vote.view > view);
  disk.certificates = disk.certificates.filter((one) => one.view >= view);
  disk.blocks = disk.blocks.filter(({ header }) => header.view > view);
}

/** What a replica is booted with after a crash. */
export function keptOn(disk: Disk, forgets: ReadonlySet<Forgets>, seat: number): Kept {
  const { final, finalCertificate, votes, statements, certificates, jobs } = disk;
  const blocks = disk.blocks.filter(
    ({ header }) => !forgets.has(header.proposer === seat ? 'proposals' : 'blocks'),
  );
  const heights = final === null ? [] : openDrawHeights(final);
  return {
    final,
    finalCertificate,
    votes: forgets.has('votes') ? [] : votes,
    statements: forgets.has('statements') ? [] : statements,
    certificates: forgets.has('certificates') ? [] : certificates,
    blocks,
    jobs: [...jobs.values()],
    beacons: new Map(heights.map((height) => [height, disk.beacons.get(height)!])),
  };
}

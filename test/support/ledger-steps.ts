/** Take single steps on a bare ledger: a seal, a busy block, a job to its end. */
import { laneCodec } from '../../protocol/aggregation/lane.ts';
import { hex } from '../../protocol/brand.ts';
import { leaderOf } from '../../protocol/consensus/seats.ts';
import { hash, sha256 } from '../../protocol/crypto/hash.ts';
import { jobId, type SignedJob } from '../../protocol/job/job.ts';
import type { BlockItem } from '../../protocol/ledger/block.ts';
import type { ChainState } from '../../protocol/ledger/chain.ts';
import type { BlockContext } from '../../protocol/ledger/context.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { type BlockSeal, draftBlock } from '../../protocol/ledger/transition.ts';
import { beaconInput, nextBeacon } from '../../protocol/sampling/beacon.ts';
import { fakeWorld, type LedgerWorld, smallProgram } from './ledger-world.ts';

/** The seal of a block after the tip, by the leader of its view. */
export function sealAt(
  world: LedgerWorld,
  parent: ChainState,
  stepMs = 1_000,
  skip = 0,
): BlockSeal {
  const { network, leaderSeed, genesis } = world.rules;
  const view = parent.header.view + 1 + skip;
  const seats = genesis.seats.length;
  const proposer = leaderOf({ network, leaderSeed, epoch: 0, view, seats });
  const parentBeacon = parent.header.beacon;
  const { proof, output } = world.keys.seat(proposer).vrfProve(beaconInput(parentBeacon, 0, view));
  const beacon = nextBeacon({ parentBeacon, epoch: 0, view, output });
  return { view, proposer, timeMs: parent.header.timeMs + stepMs, beacon, vrfProof: proof };
}

/** A chain with a job that is being executed, and a block that orders its commits and another job. */
export function busy(): {
  readonly world: LedgerWorld;
  readonly parent: ChainState;
  readonly seal: BlockSeal;
  readonly draft: ReturnType<typeof draftBlock>;
} {
  const world = fakeWorld(4, 3);
  world.block();
  world.block([{ kind: 'job', signed: world.job(smallProgram) }]);
  world.block();
  const parent = world.tip;
  const offered: BlockItem[] = [
    ...world.due().map((signed) => ({ kind: 'statement', signed }) as const),
    { kind: 'job', signed: world.job(smallProgram) },
  ];
  const seal = sealAt(world, parent);
  const draft = draftBlock(parent, seal, offered, world.rules);
  return { world, parent, seal, draft };
}

/** The block after the tip, as the rules of jobs look at it. */
export function nextBlock(world: LedgerWorld, stepMs = 1_000): BlockContext {
  const { header, hash: id } = world.tip;
  return {
    ...{ height: header.height + 1, view: header.view + 1, timeMs: header.timeMs + stepMs },
    ...{ proposer: 0, beacon: hash('beacon', header.height) },
    parent: { hash: id, height: header.height, view: header.view, timeMs: header.timeMs },
  };
}

/** Orders jobs and runs the chain, in its longest steps, until all of them have ended. */
export function finished(world: LedgerWorld, jobs: readonly SignedJob[]): readonly Uint8Array[] {
  const slow = { stepMs: 4_000 };
  const left = world.block(jobs.map((signed) => ({ kind: 'job', signed })));
  if (left.length > 0) throw new Error(`a job was not ordered: ${left[0]!.code}`);
  world.block([], slow);
  const ids = jobs.map(({ job }) => jobId(job));
  let seen = '';
  for (let height = 0; height < 300; height++) {
    if (ids.every((id) => world.record(id)!.ended !== null)) return ids;
    // Seats have something new to say only when a lane has changed.
    const now = lanesOf(world.tip);
    const due = now === seen ? [] : world.due();
    seen = now;
    world.block(
      due.map((signed) => ({ kind: 'statement', signed })),
      slow,
    );
  }
  throw new Error('the jobs did not end');
}

/** What all open lanes are at a chain, to be compared. */
function lanesOf({ map }: ChainState): string {
  const cursor = new StateCursor(map);
  const lanes = cursor
    .open()
    .flatMap((id) =>
      Array.from({ length: cursor.job(id)!.plan?.lanes ?? 0 }, (_, lane) =>
        hex(sha256(laneCodec.encode(cursor.lane(id, lane)!))),
      ),
    );
  return lanes.join();
}

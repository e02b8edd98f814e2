/** Run the machines of a crash world with two jobs, and ask its laws at every batch of one. */
import type { Bucket } from '../../node/ports.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { jobId } from '../../protocol/job/job.ts';
import { genesisChain } from '../../protocol/ledger/chain.ts';
import { simulatedJob } from '../simulation/network.ts';
import { brokenLaws, ownWords } from './crash-laws.ts';
import { type CrashPlan, CrashWorld, type Host, heightOf } from './crash-world.ts';

/** Virtual milliseconds in which two jobs end, whatever one machine goes through. */
const limitMs = 120_000;

/** A world that ran until both jobs had ended everywhere, or its time was over. */
export async function crashRun(plan: CrashPlan): Promise<{ world: CrashWorld; ended: boolean }> {
  const world = new CrashWorld(plan);
  const { header } = genesisChain(world.network.rules);
  const ids = [1n, 2n].map((nonce) => {
    const signed = simulatedJob(world.network, header, { nonce });
    world.submit(signed, nonce === 1n ? 1 : 400);
    return jobId(signed.job);
  });
  // What was never acknowledged need not end.
  const due = (): readonly Uint8Array[] => {
    const known = new Set(world.hosts[0]!.witness.acknowledged.map(({ id }) => String(id)));
    return ids.filter((id) => known.has(String(id)));
  };
  const isOver = (): boolean => {
    const open = due();
    const isThrough = plan.cut === undefined || world.wasCut;
    return isThrough && world.now > header.timeMs + 1_500 && open.every((id) => world.endOf(id));
  };
  const ended = await world.run(limitMs, isOver);
  return { world, ended };
}

/** Violations of a run in which seat 0 was stopped once; none for a node that keeps its word. */
export async function crashFaults(plan: CrashPlan): Promise<readonly string[]> {
  const faults: string[] = [];
  const stopped = async (host: Host, { network, now }: CrashWorld): Promise<void> => {
    const { seat, disk, witness, clockMs } = host;
    const broken = await brokenLaws({
      network,
      seat,
      disk,
      words: ownWords(seat, witness.said),
      witness,
      heightMin: 0,
      acknowledged: witness.acknowledged.map(({ id }) => id),
      now: now + clockMs,
    });
    faults.push(...broken);
  };
  const done = await crashRun({ ...plan, stopped });
  if (!done.ended) faults.push('progress: a job does not end');
  return [...faults, ...done.world.violations];
}

/**
 * Asks the laws of every disk that a power cut could have left of seat 0: every beginning of what
 * it wrote, with all that left before the next flush.
 * @param forgets - A bucket that the disk does not keep.
 * @returns Names of broken laws, and how many disks were looked at.
 */
export async function cutEverywhere(
  { network, hosts, now }: Pick<CrashWorld, 'network' | 'hosts' | 'now'>,
  forgets: Bucket | null = null,
): Promise<{ readonly broken: ReadonlySet<string>; readonly cuts: number }> {
  const { seat, witness } = hosts[0]!;
  const { written, said, acknowledged } = witness;
  const broken = new Set<string>();
  const disk = openMemoryStore();
  let heightMin = 0;
  for (let count = 0; count <= written.length; count++) {
    const batch = written[count - 1];
    if (batch !== undefined) {
      const kept = batch.changes.filter(({ bucket }) => bucket !== forgets);
      await disk.batch(kept, { durable: batch.durable });
      for (const { bucket, key } of batch.changes)
        if (bucket === 'certificate') heightMin = heightOf(key);
    }
    // The last moment at which no more than this may be on the disk: the next flush.
    const flush = written.findIndex(({ durable }, place) => durable && place >= count);
    const last = flush === -1 ? written.length : flush;
    const laws = await brokenLaws({
      network,
      seat,
      disk,
      words: ownWords(
        seat,
        said.filter(({ batches }) => batches <= last),
      ),
      witness,
      heightMin,
      acknowledged: acknowledged.filter(({ batches }) => batches <= last).map(({ id }) => id),
      now,
    });
    for (const law of laws) broken.add(law);
  }
  return { broken, cuts: written.length + 1 };
}

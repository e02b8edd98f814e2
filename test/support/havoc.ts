/** Kill processes of a fleet at random while jobs stream in, and see what became of each job. */
import { nativeSuite } from '../../node/crypto.ts';
import { auditReceipt } from '../../protocol/receipt/audit.ts';
import { devTrust } from '../../protocol/receipt/trust.ts';
import { chance } from '../simulation/random.ts';
import type { Fleet } from './fleet.ts';

export type HavocPlan = {
  readonly seed: number;
  /** Times that some processes are killed and started again. */
  readonly rounds: number;
  /** Processes that are killed in a round. */
  readonly victims: number;
  /** Jobs are submitted this often, in milliseconds. */
  readonly everyMs: number;
};

export type HavocReport = {
  readonly kills: number;
  /** Ids that some node acknowledged, each with the seat that did. */
  readonly acknowledged: ReadonlyMap<string, number>;
  /** Submissions that no node acknowledged: its process died meanwhile. */
  readonly refused: number;
};

/** Milliseconds within which all nodes know what one of them knows. */
const caughtUpMsMax = 60_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Streams jobs in while processes die; returns when all are up again. */
export async function wreakHavoc(fleet: Fleet, plan: HavocPlan): Promise<HavocReport> {
  const random = chance(plan.seed, 'havoc');
  const acknowledged = new Map<string, number>();
  let [refused, kills, going] = [0, 0, true];
  const stream = async (): Promise<void> => {
    for (let count = 0; going; count++) {
      const up = fleet.running();
      const seat = up[random.below(up.length)];
      if (seat !== undefined)
        await fleet.submit(seat, count % 10).then(
          (id) => acknowledged.set(id, seat),
          () => (refused += 1),
        );
      await pause(plan.everyMs);
    }
  };
  const streaming = stream();
  try {
    for (let round = 0; round < plan.rounds; round++) {
      await pause(500 + random.below(2_000));
      const seats = [...fleet.layout.seats.keys()];
      const victims = Array.from({ length: plan.victims }, () => {
        const [victim] = seats.splice(random.below(seats.length), 1);
        return victim!;
      });
      await Promise.all(victims.map((seat) => fleet.kill(seat)));
      kills += victims.length;
      await pause(random.below(1_500));
      await Promise.all(victims.map((seat) => fleet.start(seat)));
    }
  } finally {
    going = false;
    await streaming;
  }
  return { kills, acknowledged, refused };
}

/** How each acknowledged job ended; throws for one that is unknown, or does not end in time. */
export async function endsOf(
  fleet: Fleet,
  { acknowledged }: HavocReport,
  msMax: number,
): Promise<ReadonlyMap<string, number>> {
  const deadline = Date.now() + msMax;
  const ends = new Map<string, number>();
  for (const [id, seat] of acknowledged) {
    for (;;) {
      const { state, reason } = await fleet.client(seat).job(id);
      if (['settled', 'failed', 'expired', 'voided'].includes(state)) {
        if (reason === null) throw new Error(`job ${id} is ${state} without a reason`);
        const end = `${state} ${reason.code}`;
        ends.set(end, (ends.get(end) ?? 0) + 1);
        if (state === 'settled') await checkReceipt(fleet, seat, id);
        break;
      }
      if (Date.now() > deadline) throw new Error(`job ${id} is still ${state}: ${reason?.code}`);
      await pause(200);
    }
  }
  return ends;
}

async function checkReceipt(fleet: Fleet, seat: number, id: string): Promise<void> {
  // Another node issues it, as soon as it has seen the end too.
  const other = (seat + 1) % fleet.layout.seats.length;
  const deadline = Date.now() + caughtUpMsMax;
  while ((await fleet.client(other).job(id)).state !== 'settled') {
    if (Date.now() > deadline) throw new Error(`seat ${other} has not seen the end of ${id}`);
    await pause(100);
  }
  const { findings } = auditReceipt(await fleet.client(other).receipt(id), devTrust, {
    suite: nativeSuite,
  });
  const wrong = findings.filter(({ status }) => status !== 'ok' && status !== 'skipped');
  if (wrong.length > 0) throw new Error(`the receipt of ${id}: ${JSON.stringify(wrong)}`);
}

/** Run one seed: chaos, then healing, then the verdict. */
import { type Hex, hex, utf8 } from '../../../protocol/brand.ts';
import type { BlockRef } from '../../../protocol/consensus/message.ts';
import { faultyMax, leaderOf } from '../../../protocol/consensus/seats.ts';
import type { EngineRules } from '../../../protocol/consensus/state.ts';
import { sha256, zeroDigest } from '../../../protocol/crypto/hash.ts';
import { type Adversary, equivocator } from './adversary.ts';
import { checker as newChecker } from './checker.ts';
import { type Engine, type Host, host, type Message, type World } from './host.ts';
import { queue } from './queue.ts';
import { random as newRandom } from './random.ts';
import { fakeSignature, fakeVerify } from './signature.ts';

export type Plan = {
  readonly seed: number;
  readonly seats: number;
  /** Faulty seats: the last ones. Default: as many as the theory bears. */
  readonly faulty?: number;
  readonly fault: 'silent' | 'equivocate';
  readonly engine: Engine;
  /** What a crash destroys though it was durable. Default: nothing. */
  readonly loses?: 'votes' | 'certificates';
  readonly chaosMs?: number;
};

export type Report = {
  readonly violations: readonly string[];
  /** Blocks that every honest seat added after healing, or how far the slowest came. */
  readonly progress: number;
  readonly steps: number;
  readonly finalHeight: number;
  /** A word of everything that happened: equal for equal plans. */
  readonly trace: string;
};

/** Blocks that every honest seat must add after healing, and the time it has. */
export const healedBlocks = 5;
const healMs = 60_000;
const eventsMax = 400_000;

const network = sha256(utf8('a simulated network'));
const leaderSeed = sha256(utf8('a simulated beacon'));

const genesis: BlockRef = {
  id: '00'.repeat(31).concat('01') as Hex,
  view: 0,
  height: 0,
  parent: hex(zeroDigest),
  parentView: 0,
  proposer: 0,
  time: 1_000_000,
};

/** A pure function of its plan. */
export function run(plan: Plan): Report {
  const { seed, seats, engine } = plan;
  const random = newRandom(seed * 64 + seats);
  const events = queue();
  const faulty = plan.faulty ?? faultyMax(seats);
  const honestCount = seats - faulty;
  const faultySeats = Array.from({ length: faulty }, (_, i) => honestCount + i);
  const checker = newChecker(seats, new Set(faultySeats), genesis);
  const chaosEnd = genesis.time + (plan.chaosMs ?? 2_500);
  let now = genesis.time;
  let serial = 1;
  let trace = seed;
  let isolatedUntil: number[] = Array.from({ length: seats }, () => 0);

  // Each seed has its own weather; some have none of a kind.
  const lossRate = random.pick([0, 0.05, 0.2]);
  const tailRate = random.pick([0, 0.02, 0.1]);
  const repeatRate = random.pick([0, 0.1]);
  const crashRate = random.pick([0, 0.0005, 0.003]);
  const triggerRate = random.pick([0, 0.1, 0.3]);
  const chaos = (): boolean => now < chaosEnd;

  const leaders = new Map<number, number>();
  const leader = (view: number): number => {
    const known = leaders.get(view) ?? leaderOf({ network, leaderSeed, epoch: 0, view, seats });
    leaders.set(view, known);
    return known;
  };
  const rulesOf = (self: number | null): EngineRules => ({
    network,
    epoch: 0,
    seats,
    self,
    leaderOf: leader,
    verify: fakeVerify,
    sign: (message) => fakeSignature(self!, message),
    viewTimeoutMs: 150,
    viewTimeoutMaxMs: 1_200,
    heartbeatMs: 60,
    standstillMs: 400,
  });

  const later = (delay: number, act: () => void): void => events.add(now + delay, act);
  const deliver = (to: number, message: Message, delay: number): void => {
    if (to >= honestCount) return;
    later(delay, () => {
      if (chaos() && isolatedUntil[to]! > now) return;
      trace = (Math.imul(trace, 31) + now + to) | 0;
      hosts[to]!.receive(message);
    });
  };

  let adversary: Adversary = { observe: () => {} };
  const broadcast = (from: number, message: Message): void => {
    adversary.observe(message);
    if (chaos() && isolatedUntil[from]! > now) return;
    for (let to = 0; to < honestCount; to++) {
      if (to === from) continue;
      if (chaos() && random.chance(lossRate)) continue;
      const copies = chaos() && random.chance(repeatRate) ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        const tail = chaos() && random.chance(tailRate) ? random.integer(1_200) : 0;
        deliver(to, message, 1 + random.integer(chaos() ? 40 : 25) + tail);
      }
    }
  };

  // The directed fault: whoever finalizes first is cut off, and others are started again.
  const onFinal = (seat: number): void => {
    if (!chaos() || !random.chance(triggerRate / 4)) return;
    isolatedUntil = isolatedUntil.map((until, i) =>
      i === seat || random.chance(0.2) ? now + 200 + random.integer(600) : until,
    );
    for (const [other, machine] of hosts.entries())
      if (other !== seat && random.chance(0.4))
        later(1, () => {
          machine.crash();
          later(20 + random.integer(200), machine.boot);
        });
  };

  const world: World = {
    engine,
    random,
    checker,
    genesis,
    now: () => now,
    later,
    broadcast,
    published: new Set(),
    newBlock: (view, proposer, parent, time) => {
      const id = sha256(utf8(`block ${serial++}`));
      const block: BlockRef = {
        id: hex(id),
        view,
        height: parent.height + 1,
        parent: parent.id,
        parentView: parent.view,
        proposer,
        time,
      };
      checker.made(block);
      return block;
    },
    loss: () => (chaos() ? lossRate : 0),
    crashChance: () => (chaos() ? crashRate : 0),
    onFinal,
    loses: plan.loses ?? null,
  };
  const hosts: Host[] = Array.from({ length: honestCount }, (_, self) =>
    host({ ...rulesOf(self), self }, world),
  );
  if (plan.fault === 'equivocate')
    adversary = equivocator(faultySeats, rulesOf(null), world, deliver);

  const weather = (): void => {
    const machine = random.pick(hosts);
    machine.busy(random.chance(0.5));
    if (random.chance(triggerRate / 3)) machine.skew(random.integer(400) - 200);
    if (random.chance(triggerRate / 2))
      isolatedUntil[random.integer(honestCount)] = now + random.integer(700);
    if (chaos()) later(100, weather);
  };

  for (const machine of hosts) later(random.integer(100), machine.boot);
  later(50, weather);
  let target = Number.POSITIVE_INFINITY;
  later(chaosEnd - now, () => {
    target = checker.finalHeight() + healedBlocks;
    for (const machine of hosts) machine.boot();
  });

  let count = 0;
  const done = (): boolean =>
    checker.forked() || hosts.every((machine) => machine.height() >= target);
  for (let event = events.next(); event !== null && !done(); event = events.next()) {
    now = event.at;
    if (now > chaosEnd + healMs || count++ > eventsMax) break;
    event.act();
  }

  const lowest = Math.min(...hosts.map((machine) => machine.height()));
  return {
    violations: checker.violations,
    progress: lowest - (target - healedBlocks),
    steps: hosts.reduce((sum, machine) => sum + machine.stepCount(), 0),
    finalHeight: checker.finalHeight(),
    trace: `${trace}/${now}/${checker.finalHeight()}`,
  };
}

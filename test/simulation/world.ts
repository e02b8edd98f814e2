/** Run replicas in virtual time over an unreliable network, from one seed. */
import { nativeSha256 } from '../../node/crypto.ts';
import { type Hex, hex } from '../../protocol/brand.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import { jobId, type SignedJob } from '../../protocol/job/job.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { boot } from '../../protocol/replica/boot.ts';
import type { Effect } from '../../protocol/replica/effect.ts';
import type { Input, Topic } from '../../protocol/replica/input.ts';
import { judgeGossip } from '../../protocol/replica/judge.ts';
import { step } from '../../protocol/replica/replica.ts';
import { serveFromMemory } from '../../protocol/replica/serve.ts';
import type { ReplicaState } from '../../protocol/replica/state.ts';
import { type Adversary, adversary, type Role } from './adversaries.ts';
import { type Checker, checker } from './checker.ts';
import { type Disk, emptyDisk, type Forgets, keptOn, store } from './disk.ts';
import { queue } from './engine/queue.ts';
import { type Behaviour, type Lie, simulateLane } from './lane.ts';
import { type SimulatedNetwork, simulatedNetwork } from './network.ts';
import { type Chance, chance } from './random.ts';
import { type Partition, type Transport, transport } from './transport.ts';
import type { Weather } from './weather.ts';

installSha256(nativeSha256);

/** The replica under test: the real one, or one with a rule taken out. */
export type Machine = {
  readonly boot: typeof boot;
  readonly step: typeof step;
  readonly judgeGossip: typeof judgeGossip;
  readonly serveFromMemory: typeof serveFromMemory;
};

export const realMachine: Machine = { boot, step, judgeGossip, serveFromMemory };

/** Crashes, as long as the chaos lasts. */
export type Chaos = {
  readonly untilMs: number;
  /** Chance, in ten thousand effects, that a machine stops before one. */
  readonly crashPerEffects: number;
  /** Percent of heights at whose first finality machines are cut off and crash. */
  readonly triggerPercent: number;
};

export type Plan = {
  readonly seed: number;
  readonly seats: number;
  readonly weather: Weather;
  /** Role of each faulty seat; the others are honest. */
  readonly roles?: ReadonlyMap<number, Role>;
  readonly chaos?: Chaos;
  readonly partition?: Partition;
  /** Each clock is off by at most so much. */
  readonly skewMs?: number;
  readonly forgets?: ReadonlySet<Forgets>;
  readonly machine?: Machine;
};

export type SimNode = {
  readonly seat: number;
  readonly role: Role | null;
  readonly tongue: Adversary | null;
  readonly disk: Disk;
  /** Jobs that its clients have submitted. */
  readonly clients: SignedJob[];
  /** Null while the machine is down. */
  state: ReplicaState | null;
  /** Counts boots: what was begun in another life is not heard in this one. */
  life: number;
  clockOffset: number;
  isolatedUntil: number;
  wakeAt: number;
};

/** How a seat bends what its lanes came to. */
function lieOf(role: Role | null): Lie | null {
  if (role === 'lying') return 'value';
  return role === 'miscounting' ? 'fuel' : null;
}

/** Milliseconds until a lane is executed. */
const executionMs = 30;
const eventCountMax = 3_000_000;

/** A world of replicas, all in this process, all on one virtual clock. */
export class World {
  readonly network: SimulatedNetwork;
  readonly nodes: SimNode[];
  readonly checker: Checker;
  readonly behaviours = new Map<Hex, Behaviour>();
  readonly #queue = queue();
  readonly #transport: Transport;
  readonly #crashes: Chance;
  readonly #plan: Plan;
  readonly #machine: Machine;
  now: number;
  events = 0;
  /** Counts for benchmarks: gossip messages, copies of them that went to a peer, their bytes. */
  readonly traffic = { published: 0, sent: 0, sentBytes: 0 };
  /** A word of everything that happened: equal for equal plans. */
  trace = 0;
  crashes = 0;
  #finality = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#machine = plan.machine ?? realMachine;
    this.network = simulatedNetwork(plan.seats, plan.seed);
    this.checker = checker(this.network, new Set(plan.roles?.keys()));
    this.#crashes = chance(plan.seed, 'crashes');
    this.now = this.network.startMs;
    const clocks = chance(plan.seed, 'clocks');
    this.nodes = Array.from({ length: plan.seats }, (_, seat): SimNode => {
      const role = plan.roles?.get(seat) ?? null;
      const skew = plan.skewMs ?? 0;
      return {
        seat,
        role,
        tongue: adversary(role, this.network, this.network.keys(seat)),
        disk: emptyDisk(),
        clients: [],
        state: null,
        life: 0,
        clockOffset: clocks.below(2 * skew + 1) - skew,
        isolatedUntil: 0,
        wakeAt: Number.POSITIVE_INFINITY,
      };
    });
    this.#transport = transport({
      weather: plan.weather,
      partition: plan.partition ?? null,
      chance: chance(plan.seed, 'net'),
      nodes: this.nodes,
      machine: this.#machine,
      elapsed: () => this.elapsedMs,
      at: (delay, act) => this.#at(delay, act),
    });
    for (const node of this.nodes) this.#boot(node);
  }

  /** Virtual milliseconds since the world began. */
  get elapsedMs(): number {
    return this.now - this.network.startMs;
  }

  get #chaotic(): boolean {
    const { chaos } = this.#plan;
    return chaos !== undefined && this.elapsedMs < chaos.untilMs;
  }

  /** Gives a job to one node, as its client would: again whenever the node comes back. */
  submit(to: number, signed: SignedJob, behaviour: Behaviour = {}, afterMs = 0): void {
    this.behaviours.set(hex(jobId(signed.job)), behaviour);
    const node = this.nodes[to]!;
    this.#at(afterMs, () => {
      node.clients.push(signed);
      this.#step(node, { kind: 'submitted', now: this.#clock(node), signed });
    });
  }

  /** Runs until `done` or until virtual time is over. `done` is asked when a block became final. */
  run(limitMs: number, done: () => boolean): boolean {
    const end = this.now + limitMs;
    for (let seen = -1; ; ) {
      if (seen !== this.#finality && done()) return true;
      seen = this.#finality;
      const next = this.#queue.next();
      if (next === null || next.at > end || this.events > eventCountMax) {
        if (next !== null) this.#queue.add(next.at, next.act);
        if (this.events > eventCountMax) this.checker.violate('I20 progress', 'too many events');
        this.now = Math.max(this.now, end);
        return done();
      }
      this.now = Math.max(this.now, next.at);
      this.events += 1;
      next.act();
    }
  }

  honest(): readonly SimNode[] {
    return this.nodes.filter(({ role }) => role === null);
  }

  /** The state of a job at a node's last final block; null if it does not know it. */
  jobState(node: SimNode, id: Uint8Array): ReturnType<StateCursor['job']> {
    return node.state === null ? null : new StateCursor(node.state.final.map).job(id);
  }

  /** Questions that went out to a peer. */
  get asked(): number {
    return this.#transport.asked();
  }

  /** Whether every honest node has a final block in which every job has ended. */
  ended(ids: readonly Uint8Array[]): boolean {
    return this.honest().every((node) => ids.every((id) => this.jobState(node, id)?.ended != null));
  }

  /** Hands bytes to one node as if a peer had published them. */
  inject(to: number, topic: Topic, bytes: Uint8Array, judged = true): void {
    const node = this.nodes[to]!;
    const { rules } = this.network;
    if (judged && judgeGossip(topic, bytes, rules).verdict !== 'accept') return;
    if (node.state !== null)
      this.#step(node, { kind: 'heard', now: this.#clock(node), topic, bytes, from: 'stranger' });
  }

  crash(node: SimNode): void {
    if (node.state === null) return;
    node.state = null;
    node.life += 1;
    node.wakeAt = Number.POSITIVE_INFINITY;
    this.crashes += 1;
    this.#at(100 + this.#crashes.below(1_500), () => this.#boot(node));
  }

  #boot(node: SimNode): void {
    if (node.state !== null) return;
    node.life += 1;
    const { state, effects } = this.#machine.boot(
      {
        ledger: this.network.rules,
        seat: node.seat,
        keys: this.network.keys(node.seat),
        repeatMs: 1_000,
        retryMs: 300,
        standstillMs: 3_000,
      },
      keptOn(node.disk, this.#plan.forgets ?? new Set(), node.seat),
      this.#clock(node),
    );
    node.state = state;
    this.#perform(node, effects);
    for (const signed of node.clients)
      this.#step(node, { kind: 'submitted', now: this.#clock(node), signed });
  }

  #clock(node: SimNode): number {
    return this.now + node.clockOffset;
  }

  #at(delay: number, act: () => void): void {
    this.#queue.add(this.now + delay, act);
  }

  /** Later, unless the machine has stopped in the meantime. */
  #during(node: SimNode, delay: number, act: () => void): void {
    const { life } = node;
    this.#at(delay, () => {
      if (node.life === life && node.state !== null) act();
    });
  }

  #step(node: SimNode, input: Input): void {
    if (node.state === null) return;
    this.trace = (Math.imul(this.trace, 31) + input.now + node.seat) | 0;
    const { state, effects } = this.#machine.step(node.state, input);
    node.state = state;
    this.#perform(node, effects);
  }

  #perform(node: SimNode, effects: readonly Effect[]): void {
    const { life } = node;
    const honest = node.role === null;
    const { chaos } = this.#plan;
    const stop = this.#chaotic ? this.#stopAt(effects.length, chaos!.crashPerEffects) : null;
    // Even seats have hosts that make a step durable as a whole, odd ones go effect by effect.
    const whole = node.seat % 2 === 0;
    if (whole && stop !== 0) for (const effect of effects) store(node.disk, effect);
    for (const [place, effect] of effects.entries()) {
      if (stop === place) {
        if (whole && stop !== 0 && honest)
          for (const late of effects.slice(place)) this.checker.durable(node.seat, late);
        this.crash(node);
        return;
      }
      if (!whole) store(node.disk, effect);
      if (honest) this.checker.performed(node.seat, effect);
      this.#act(node, effect);
      if (node.life !== life) {
        if (whole && honest)
          for (const late of effects.slice(place + 1)) this.checker.durable(node.seat, late);
        return;
      }
    }
  }

  #stopAt(count: number, perTenThousand: number): number | null {
    for (let place = 0; place < count; place++)
      if (this.#crashes.below(10_000) < perTenThousand) return place;
    return null;
  }

  #act(node: SimNode, effect: Effect): void {
    switch (effect.kind) {
      case 'publish':
        this.#publish(node, effect.topic, effect.bytes);
        return;
      case 'request': {
        const { id } = effect;
        this.#transport.ask(node, effect, (response) =>
          this.#step(node, { kind: 'answered', now: this.#clock(node), id, response }),
        );
        return;
      }
      case 'execute': {
        const { key, job } = effect.duty;
        const behaviour = this.behaviours.get(hex(job)) ?? {};
        this.#during(node, executionMs, () => {
          const outcome = simulateLane(effect.duty, behaviour, lieOf(node.role));
          this.#step(node, { kind: 'executed', now: this.#clock(node), key, outcome });
        });
        return;
      }
      case 'finalize':
        this.#finality += 1;
        this.checker.bounded(node.seat, node.state!);
        this.#trigger(node, effect.chain.header.height);
        return;
      case 'wake':
        this.#wake(node, effect.at - node.clockOffset);
        return;
      default:
        return;
    }
  }

  #wake(node: SimNode, at: number): void {
    if (at >= node.wakeAt) return;
    node.wakeAt = at;
    this.#during(node, at - this.now, () => {
      if (this.now < node.wakeAt) return;
      node.wakeAt = Number.POSITIVE_INFINITY;
      this.#step(node, { kind: 'tick', now: this.#clock(node) });
    });
  }

  #triggered = 0;
  /**
   * The directed faults, when a height becomes final for the first time: whoever made it final is
   * cut off and others start anew, or everybody stops at once; and clocks are set.
   */
  #trigger(node: SimNode, height: number): void {
    if (height <= this.#triggered) return;
    this.#triggered = height;
    const { chaos, skewMs = 0 } = this.#plan;
    const { percent, below } = this.#crashes;
    if (!this.#chaotic || !percent(chaos!.triggerPercent)) return;
    const blackout = percent(25);
    if (!blackout) node.isolatedUntil = this.elapsedMs + 3_000 + below(4_000);
    for (const other of this.nodes) {
      if (percent(20)) other.clockOffset = below(2 * skewMs + 1) - skewMs;
      const stops = blackout ? other.role === null : other !== node && percent(60);
      const { life } = other;
      if (stops) this.#at(1 + below(20), () => other.life === life && this.crash(other));
    }
  }

  #publish(node: SimNode, topic: Topic, bytes: Uint8Array): void {
    if (node.role === 'silent') return;
    this.traffic.published += 1;
    if (node.tongue === null) this.checker.heard(topic, bytes);
    for (const to of this.nodes) {
      if (to === node) continue;
      const said = node.tongue === null ? [bytes] : node.tongue.speak(topic, bytes, to.seat);
      for (const message of said) {
        if (node.tongue !== null) this.checker.heard(topic, message);
        this.traffic.sent += 1;
        this.traffic.sentBytes += message.length;
        this.#transport.send(node, to, () => this.#hear(to, topic, message, node));
      }
    }
  }

  // Judges are pure: one verdict serves all listeners.
  readonly #verdicts = new WeakMap<Uint8Array, boolean>();

  #hear(node: SimNode, topic: Topic, bytes: Uint8Array, from: SimNode): void {
    let admitted = this.#verdicts.get(bytes);
    if (admitted === undefined) {
      const verdict = this.#machine.judgeGossip(topic, bytes, this.network.rules);
      admitted = verdict.verdict === 'accept';
      this.#verdicts.set(bytes, admitted);
      if (verdict.verdict !== 'accept' && from.role === null)
        this.checker.refused(from.seat, verdict.code);
    }
    if (!admitted) return;
    const now = this.#clock(node);
    this.#step(node, { kind: 'heard', now, topic, bytes, from: String(from.seat) });
  }
}

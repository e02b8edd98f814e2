/** Run replicas in virtual time over an unreliable network, from one seed. */

import { nativeSha256 } from '../../node/crypto.ts';
import { type Hex, hex } from '../../protocol/brand.ts';
import type { Certificate } from '../../protocol/consensus/message.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import type { SignedJob } from '../../protocol/job/job.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { boot, nothingKept } from '../../protocol/replica/boot.ts';
import type { Effect } from '../../protocol/replica/effect.ts';
import type { Input, Topic } from '../../protocol/replica/input.ts';
import { judgeGossip } from '../../protocol/replica/judge.ts';
import { step } from '../../protocol/replica/replica.ts';
import { serveFromMemory } from '../../protocol/replica/serve.ts';
import type { ReplicaState } from '../../protocol/replica/state.ts';
import type { SealedBlock, SyncRequest, SyncResponse } from '../../protocol/replica/wire.ts';
import { disturb, type Role } from './adversaries.ts';
import { simulateLane } from './lane.ts';
import { type SimulatedNetwork, simulatedNetwork } from './network.ts';
import { type Chance, chance } from './random.ts';

installSha256(nativeSha256);

/** What a world is like. Percentages are per message. */
export type Weather = {
  readonly lossPercent: number;
  readonly duplicatePercent: number;
  readonly delayMinMs: number;
  readonly delaySpreadMs: number;
  /** Messages that take very long. */
  readonly tailPercent: number;
  readonly tailMs: number;
};

export const calm: Weather = {
  lossPercent: 0,
  duplicatePercent: 0,
  delayMinMs: 5,
  delaySpreadMs: 10,
  tailPercent: 0,
  tailMs: 0,
};

export const stormy: Weather = {
  lossPercent: 20,
  duplicatePercent: 20,
  delayMinMs: 5,
  delaySpreadMs: 120,
  tailPercent: 3,
  tailMs: 3_000,
};

export type Plan = {
  readonly seed: number;
  readonly seats: number;
  readonly weather: Weather;
  /** Role of each faulty seat; the others are honest. */
  readonly roles?: ReadonlyMap<number, Role>;
};

type SimNode = {
  readonly seat: number;
  readonly role: Role | null;
  state: ReplicaState;
  /** Final blocks and the certificates of the directly final ones, by height. */
  readonly blocks: SealedBlock[];
  readonly certificates: Map<number, Certificate>;
  readonly finals: Hex[];
  wakeAt: number;
};

type Event =
  | {
      readonly kind: 'gossip';
      readonly to: number;
      readonly topic: Topic;
      readonly bytes: Uint8Array;
      readonly from: number;
    }
  | {
      readonly kind: 'request';
      readonly to: number;
      readonly from: number;
      readonly id: number;
      readonly request: SyncRequest;
    }
  | { readonly kind: 'input'; readonly to: number; readonly input: (now: number) => Input }
  | { readonly kind: 'wake'; readonly to: number };

/** A world of replicas, all in this process, all on one virtual clock. */
export class World {
  readonly network: SimulatedNetwork;
  readonly nodes: SimNode[];
  readonly #heap: { at: number; order: number; event: Event }[] = [];
  readonly #net: Chance;
  readonly #plan: Plan;
  now: number;
  events = 0;
  #order = 0;
  /** Counts for benchmarks: gossip publications and bytes. */
  published = 0;
  publishedBytes = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.network = simulatedNetwork(plan.seats, plan.seed);
    this.#net = chance(plan.seed, 'net');
    this.now = this.network.startMs;
    this.nodes = [];
    for (let seat = 0; seat < plan.seats; seat++) {
      const { state, effects } = boot(
        {
          ledger: this.network.rules,
          seat,
          keys: this.network.keys(seat),
          repeatMs: 1_000,
          retryMs: 300,
          standstillMs: 3_000,
        },
        nothingKept,
        this.now,
      );
      this.nodes.push({
        seat,
        role: plan.roles?.get(seat) ?? null,
        state,
        blocks: [],
        certificates: new Map(),
        finals: [],
        wakeAt: Number.POSITIVE_INFINITY,
      });
      this.#perform(seat, effects);
    }
  }

  /** Gives a job to one node, as its client would. */
  submit(to: number, signed: SignedJob): void {
    this.#push(this.now, {
      kind: 'input',
      to,
      input: (now) => ({ kind: 'submitted', now, signed }),
    });
  }

  /** Runs until `done` or until virtual time is over. Returns whether `done` became true. */
  run(limitMs: number, done: (world: World) => boolean): boolean {
    const end = this.now + limitMs;
    const eventsMax = 2_000_000;
    for (;;) {
      if (done(this)) return true;
      const next = this.#pop();
      if (next === undefined || next.at > end || this.events > eventsMax) {
        this.now = Math.max(this.now, end);
        return done(this);
      }
      this.now = Math.max(this.now, next.at);
      this.events += 1;
      this.#handle(next.event);
    }
  }

  honest(): readonly SimNode[] {
    return this.nodes.filter(({ role }) => role === null);
  }

  /** The state of a job at a node's last final block; null if it does not know it. */
  jobState(node: SimNode, id: Uint8Array): ReturnType<StateCursor['job']> {
    return new StateCursor(node.state.final.map).job(id);
  }

  #handle(event: Event): void {
    const node = this.nodes[event.to]!;
    switch (event.kind) {
      case 'gossip': {
        const { topic, bytes } = event;
        if (!this.#admits(topic, bytes)) return;
        this.#step(node, { kind: 'heard', now: this.now, topic, bytes, from: String(event.from) });
        return;
      }
      case 'request': {
        if (node.role === 'silent') return;
        const response = this.#serve(node, event.request);
        const { id } = event;
        this.#send(event.from, (to) => ({
          kind: 'input',
          to,
          input: (now) => ({ kind: 'answered', now, id, response }),
        }));
        return;
      }
      case 'input':
        this.#step(node, event.input(this.now));
        return;
      case 'wake':
        if (this.now >= node.wakeAt) {
          node.wakeAt = Number.POSITIVE_INFINITY;
          this.#step(node, { kind: 'tick', now: this.now });
        }
        return;
    }
  }

  // Judges are pure: one verdict serves all listeners.
  readonly #verdicts = new WeakMap<Uint8Array, boolean>();

  #admits(topic: Topic, bytes: Uint8Array): boolean {
    let admitted = this.#verdicts.get(bytes);
    if (admitted === undefined) {
      admitted = judgeGossip(topic, bytes, this.network.rules).verdict !== 'reject';
      this.#verdicts.set(bytes, admitted);
    }
    return admitted;
  }

  #step(node: SimNode, input: Input): void {
    const { state, effects } = step(node.state, input);
    node.state = state;
    this.#perform(node.seat, effects);
  }

  #perform(seat: number, effects: readonly Effect[]): void {
    const node = this.nodes[seat]!;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'publish':
          this.#publish(node, effect.topic, effect.bytes);
          break;
        case 'request':
          this.#ask(node, effect);
          break;
        case 'execute': {
          const outcome = simulateLane(effect.duty, { lie: node.role === 'lying' });
          const { key } = effect.duty;
          this.#push(this.now + 30, {
            kind: 'input',
            to: seat,
            input: (now) => ({ kind: 'executed', now, key, outcome }),
          });
          break;
        }
        case 'finalize':
          for (const block of effect.blocks) {
            node.blocks.push(block);
            node.finals.push(hex(block.header.stateRoot));
          }
          node.certificates.set(effect.chain.header.height, effect.certificate);
          break;
        case 'wake':
          if (effect.at < node.wakeAt) {
            node.wakeAt = effect.at;
            this.#push(effect.at, { kind: 'wake', to: seat });
          }
          break;
        default:
          break;
      }
    }
  }

  #publish(node: SimNode, topic: Topic, bytes: Uint8Array): void {
    if (node.role === 'silent') return;
    this.published += 1;
    this.publishedBytes += bytes.length;
    for (const { seat: to } of this.nodes) {
      if (to === node.seat) continue;
      const said =
        node.role === 'equivocating'
          ? disturb(topic, bytes, to, this.network, this.network.keys(node.seat))
          : [bytes];
      for (const message of said)
        this.#send(to, () => ({ kind: 'gossip', to, topic, bytes: message, from: node.seat }));
    }
  }

  #ask(node: SimNode, { id, prefer, request }: Extract<Effect, { kind: 'request' }>): void {
    const others = this.nodes.length - 1;
    const to =
      prefer !== null && prefer !== ''
        ? Number(prefer)
        : (node.seat + 1 + this.#net.below(others)) % this.nodes.length;
    this.#send(to, () => ({ kind: 'request', to, from: node.seat, id, request }));
    // The asker gives up after a while; an answer that comes later finds nobody waiting.
    this.#push(this.now + 1_000, {
      kind: 'input',
      to: node.seat,
      input: (now) => ({ kind: 'answered', now, id, response: null }),
    });
  }

  #serve(node: SimNode, request: SyncRequest): SyncResponse {
    const held = serveFromMemory(node.state, request);
    if (held !== null) return held;
    if (request.kind === 'final') {
      const last = [...node.certificates.keys()].filter((height) => height >= request.from).at(-1);
      const blocks = node.blocks.slice(request.from - 1, last ?? 0);
      return { kind: 'final', blocks, certificate: node.certificates.get(last ?? 0) ?? null };
    }
    const wanted = request.kind === 'block' ? hex(request.hash) : '';
    const place = node.blocks.findIndex((_, at) => this.#hashAt(node, at) === wanted);
    return { kind: 'block', block: node.blocks[place] ?? null };
  }

  #hashAt(node: SimNode, place: number): Hex {
    const next = node.blocks[place + 1];
    return next === undefined ? hex(node.state.final.hash) : hex(next.header.parent);
  }

  /** Sends with loss, delay, reordering and duplication. */
  #send(to: number, make: (to: number) => Event): void {
    const { lossPercent, duplicatePercent, delayMinMs, delaySpreadMs } = this.#plan.weather;
    const { tailPercent, tailMs } = this.#plan.weather;
    const copies = this.#net.percent(duplicatePercent) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#net.percent(lossPercent)) continue;
      let delay = delayMinMs + this.#net.below(delaySpreadMs + 1);
      if (this.#net.percent(tailPercent)) delay += this.#net.below(tailMs + 1);
      this.#push(this.now + delay, make(to));
    }
  }

  #push(at: number, event: Event): void {
    const heap = this.#heap;
    const entry = { at, order: this.#order++, event };
    heap.push(entry);
    let place = heap.length - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (before(heap[above]!, entry)) break;
      heap[place] = heap[above]!;
      place = above;
    }
    heap[place] = entry;
  }

  #pop(): { at: number; event: Event } | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && before(heap[below + 1]!, heap[below]!)) below += 1;
      if (before(last, heap[below]!)) break;
      heap[place] = heap[below]!;
      place = below;
    }
    heap[place] = last;
    return top;
  }
}

function before(a: { at: number; order: number }, b: { at: number; order: number }): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Run drivers with their stores in virtual time, and cut one's power at any of its batches. */

import { type Driver, drive } from '../../node/driver.ts';
import { createKeeper } from '../../node/keeper.ts';
import { readKept } from '../../node/kept.ts';
import type { Bucket, Clock, Store, StoreChange } from '../../node/ports.ts';
import { type MemoryStore, openMemoryStore } from '../../node/storage/memory.ts';
import { orderedChanges, readSubmission, submissionChanges } from '../../node/submissions.ts';
import { answerSync } from '../../node/sync.ts';
import { hex } from '../../protocol/brand.ts';
import { voteCodec } from '../../protocol/consensus/message.ts';
import { jobId, type SignedJob } from '../../protocol/job/job.ts';
import { signedStatementCodec } from '../../protocol/job/statement.ts';
import { genesisChain } from '../../protocol/ledger/chain.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { boot } from '../../protocol/replica/boot.ts';
import type { Effect } from '../../protocol/replica/effect.ts';
import {
  sealedBlockCodec,
  syncRequestCodec,
  syncResponseCodec,
} from '../../protocol/replica/wire.ts';
import { queue } from '../simulation/engine/queue.ts';
import { simulateLane } from '../simulation/lane.ts';
import { type SimulatedNetwork, simulatedNetwork } from '../simulation/network.ts';
import { oaths } from '../simulation/oaths.ts';
import { type Chance, chance } from '../simulation/random.ts';

/** Stop at a batch: `before` nothing of it is written, `after` all of it and nothing else done. */
export type Cut = {
  readonly batch: number;
  readonly when: 'before' | 'after';
  /** With the power, what was not flushed is gone; without, only the process is. */
  readonly power: boolean;
  /** What this machine's clock is off by when it starts again. */
  readonly clockMs?: number;
};

/** What left a node, in order, with the number of batches that had been written before. */
export type Said = {
  readonly batches: number;
  readonly topic: 'jobs' | 'proposals' | 'votes' | 'statements';
  readonly bytes: Uint8Array;
};

export type Written = {
  readonly changes: readonly StoreChange[];
  readonly durable: boolean;
};

/** All that is known of a node whatever its disk says. */
export type Witness = {
  readonly said: Said[];
  readonly written: Written[];
  /** Hashes of blocks that it held final, by height. */
  readonly finals: Map<number, string>;
  readonly acknowledged: { readonly id: Uint8Array; readonly batches: number }[];
};

export type Host = {
  readonly seat: number;
  readonly disk: MemoryStore;
  readonly witness: Witness;
  driver: Driver | null;
  life: number;
  clockMs: number;
};

export type CrashPlan = {
  readonly seed: number;
  /** Of 100 messages, those that are lost. */
  readonly lossPercent?: number;
  readonly cut?: Cut;
  /** A bucket that the disk of seat 0 does not keep. */
  readonly forgets?: Bucket;
  /** Told of the disk of seat 0 between two lives. */
  readonly stopped?: (host: Host, world: CrashWorld) => Promise<void>;
};

const seats = 4;
const deadMs = 700;
const laneMs = 40;

/** Four machines on one virtual clock; seat 0 is the one that is watched and cut. */
export class CrashWorld {
  readonly network: SimulatedNetwork;
  readonly hosts: readonly Host[];
  readonly violations: string[] = [];
  /** Whether the cut has happened. */
  wasCut = false;
  readonly #plan: CrashPlan;
  readonly #queue = queue();
  readonly #delays: Chance;
  readonly #oaths = oaths((name, detail) => this.violations.push(`${name}: ${detail}`));
  now: number;

  constructor(plan: CrashPlan) {
    this.#plan = plan;
    const network = simulatedNetwork(seats, plan.seed);
    const parameters = { ...network.rules.genesis.parameters, stepMinMs: 50, heartbeatMs: 500 };
    const genesis = { ...network.rules.genesis, parameters };
    this.network = { ...network, rules: { ...network.rules, genesis } };
    this.now = network.startMs;
    this.#delays = chance(plan.seed, 'delays');
    this.hosts = Array.from({ length: seats }, (_, seat) => ({
      seat,
      disk: openMemoryStore(),
      witness: { said: [], written: [], finals: new Map(), acknowledged: [] },
      driver: null,
      life: 0,
      clockMs: 0,
    }));
  }

  /** Starts all, and runs until `done`, or until so many virtual milliseconds are over. */
  async run(limitMs: number, done: () => boolean): Promise<boolean> {
    const end = this.now + limitMs;
    if (this.hosts.every(({ life }) => life === 0))
      for (const host of this.hosts) await this.#start(host);
    for (
      let next = this.#queue.next();
      next !== null && next.at <= end;
      next = this.#queue.next()
    ) {
      this.now = Math.max(this.now, next.at);
      next.act();
      await quiet();
      if (done()) return true;
    }
    return done();
  }

  /** Gives a job to seat 0 as its API does: kept first, then acknowledged and taken. */
  submit(signed: SignedJob, afterMs = 1): void {
    const host = this.hosts[0]!;
    this.#at(afterMs, () => {
      if (host.driver === null) return;
      const changes = submissionChanges({ signed, state: 'pending', at: this.now });
      this.#write(host, changes, true).then(
        () => {
          const { acknowledged, written } = host.witness;
          acknowledged.push({ id: jobId(signed.job), batches: written.length });
          host.driver?.take({ kind: 'submitted', signed });
        },
        () => undefined,
      );
    });
  }

  endOf(id: Uint8Array): boolean {
    return this.hosts.every(({ driver }) => {
      if (driver === null) return false;
      return new StateCursor(driver.state().final.map).job(id)?.ended != null;
    });
  }

  async #start(host: Host): Promise<void> {
    const { seat, disk, witness } = host;
    const { rules } = this.network;
    const kept = await readKept(disk, 'the store in memory');
    host.life += 1;
    const setup = { ledger: rules, seat, keys: this.network.keys(seat) };
    const paces = { repeatMs: 1_000, retryMs: 300, standstillMs: 3_000 };
    const genesis = genesisChain(rules);
    const store: Store = {
      ...disk,
      batch: (changes, how) => this.#write(host, changes, how.durable),
    };
    const { life } = host;
    host.driver = drive(boot({ ...setup, ...paces }, kept, this.now + host.clockMs), {
      store,
      keeper: createKeeper(kept.final, genesis, (_, { blocks }) => orderedChanges(blocks)),
      clock: this.#clock(host),
      perform: (effect) => {
        if (host.life === life) this.#perform(host, effect);
      },
    });
    host.driver.failed.catch((reason: unknown) => {
      if (reason !== powerCut) this.violations.push(`seat ${seat} stopped: ${String(reason)}`);
    });
    if (life === 1) return;
    for (const { id } of witness.acknowledged) {
      const submission = await readSubmission(disk, id);
      if (submission === null) this.violations.push('acknowledged: a submission is lost');
      else host.driver.take({ kind: 'submitted', signed: submission.signed });
    }
  }

  /** The store as the driver of a host sees it: it may be cut, and it may forget. */
  async #write(host: Host, changes: readonly StoreChange[], durable: boolean): Promise<void> {
    const { cut, forgets } = this.#plan;
    const { seat, disk, witness } = host;
    const { life } = host;
    const isCut = seat === 0 && !this.wasCut && cut?.batch === witness.written.length;
    if (isCut && cut.when === 'before') throw this.#cut(host, cut);
    const kept = seat === 0 ? changes.filter(({ bucket }) => bucket !== forgets) : changes;
    await disk.batch(kept, { durable });
    if (host.life !== life) throw powerCut;
    witness.written.push({ changes, durable });
    for (const change of changes) {
      this.#noteFinal(host, change);
      const effect = loggedBy(change);
      if (effect !== null) this.#oaths.logged(seat, effect);
    }
    if (isCut) throw this.#cut(host, cut);
  }

  #cut(host: Host, { power, clockMs = 0 }: Cut): Error {
    this.wasCut = true;
    host.driver = null;
    host.life += 1;
    if (power) host.disk.loseUnsynced();
    host.clockMs = clockMs;
    this.#at(deadMs, () => {
      const start = async (): Promise<void> => {
        await this.#plan.stopped?.(host, this);
        await this.#start(host);
      };
      start().catch((reason: unknown) => this.violations.push(`no start: ${nameOf(reason)}`));
    });
    return powerCut;
  }

  #clock(host: Host): Clock {
    const { life } = host;
    let wish = 0;
    return {
      now: () => this.now + host.clockMs,
      wake: (at, callback) => {
        const mine = ++wish;
        this.#at(Math.max(at - host.clockMs - this.now, 0), () => {
          if (mine === wish && host.life === life) callback();
        });
      },
      stop: () => {
        wish += 1;
      },
    };
  }

  #at(delay: number, act: () => void): void {
    this.#queue.add(this.now + delay, act);
  }

  #during(host: Host, delay: number, act: (driver: Driver) => void): void {
    const { life } = host;
    this.#at(delay, () => {
      if (host.life === life && host.driver !== null) act(host.driver);
    });
  }

  #perform(host: Host, effect: Effect): void {
    const { seat, witness } = host;
    switch (effect.kind) {
      case 'publish': {
        const { topic, bytes } = effect;
        witness.said.push({ batches: witness.written.length, topic, bytes });
        this.#oaths.published(seat, topic, bytes);
        for (const to of this.hosts)
          if (to !== host && !this.#delays.percent(this.#plan.lossPercent ?? 0))
            this.#during(to, 5 + this.#delays.below(20), (driver) => {
              driver.take({ kind: 'heard', topic, bytes, from: String(seat) });
            });
        return;
      }
      case 'request':
        this.#ask(host, effect);
        return;
      case 'execute': {
        const { duty } = effect;
        this.#during(host, laneMs, (driver) => {
          // A second life comes to something else: what was said before must stay all the same.
          const behaviour = host.life > 1 ? ({ abstain: 'timeout' } as const) : {};
          const outcome = simulateLane(duty, behaviour);
          driver.take({ kind: 'executed', key: duty.key, outcome });
        });
        return;
      }
      default:
        return;
    }
  }

  #noteFinal({ seat, witness }: Host, { bucket, key, value }: StoreChange): void {
    if (bucket !== 'height' || value === null) return;
    const height = heightOf(value);
    for (const { witness: other } of this.hosts)
      if ((other.finals.get(height) ?? hex(key)) !== hex(key))
        this.violations.push(`agreement: seat ${seat} at height ${height}`);
    witness.finals.set(height, hex(key));
  }

  /** Asks one peer after the other, as `node/ask.ts` does, of their memory and their disks. */
  #ask(host: Host, { id, prefer, request }: Extract<Effect, { kind: 'request' }>): void {
    const body = syncRequestCodec.encode(request);
    const others = this.hosts.filter((other) => other !== host);
    const first =
      prefer === null
        ? this.#delays.below(others.length)
        : others.findIndex(({ seat }) => String(seat) === prefer);
    const attempt = (place: number): void => {
      if (place === others.length) {
        this.#during(host, 1, (driver) => driver.take({ kind: 'answered', id, response: null }));
        return;
      }
      const to = others[(Math.max(first, 0) + place) % others.length]!;
      this.#at(5, () => {
        if (to.driver === null) {
          attempt(place + 1);
          return;
        }
        answerSync(to.driver.state(), to.disk, body).then(
          (bytes) => {
            const response = syncResponseCodec.decode(bytes);
            if (response.kind === 'block' && response.block === null) attempt(place + 1);
            else this.#during(host, 5, (driver) => driver.take({ kind: 'answered', id, response }));
          },
          () => attempt(place + 1),
        );
      });
    };
    attempt(0);
  }
}

/** A height as the store writes it. */
export function heightOf({ buffer, byteOffset }: Uint8Array): number {
  return Number(new DataView(buffer, byteOffset, 8).getBigUint64(0));
}

const powerCut = new Error('the power is cut');

/** Everything that one event leads to is done: stores in memory only take promises. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The oath that a change makes durable, if it is one. */
function loggedBy({ bucket, value }: StoreChange): Effect | null {
  if (value === null) return null;
  if (bucket === 'vote') return { kind: 'log-vote', vote: voteCodec.decode(value) };
  if (bucket === 'statement')
    return { kind: 'log-statement', signed: signedStatementCodec.decode(value) };
  if (bucket === 'proposal') return { kind: 'log-proposal', block: sealedBlockCodec.decode(value) };
  return null;
}

function nameOf(reason: unknown): string {
  return reason instanceof Error ? ((reason as { code?: string }).code ?? reason.message) : '?';
}

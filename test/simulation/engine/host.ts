/** Host one engine on a simulated machine that may stop between any two effects. */
import { unreachable } from '../../../protocol/assert.ts';
import { type Hex, hex } from '../../../protocol/brand.ts';
import type { Boot } from '../../../protocol/consensus/engine.ts';
import type { BlockRef, Certificate, Vote } from '../../../protocol/consensus/message.ts';
import type {
  EngineEffect,
  EngineInput,
  EngineRules,
  EngineState,
  Transition,
} from '../../../protocol/consensus/state.ts';
import type { Checker } from './checker.ts';
import type { Random } from './random.ts';

/** The engine under test: the real one, or one with a rule taken out. */
export type Engine = {
  readonly start: (rules: EngineRules, boot: Boot) => Transition;
  readonly step: (state: EngineState, input: EngineInput, rules: EngineRules) => Transition;
};

export type Message =
  | {
      readonly kind: 'proposal';
      readonly block: BlockRef;
      readonly certificates: readonly Certificate[];
    }
  | { readonly kind: 'vote'; readonly vote: Vote }
  | { readonly kind: 'certificate'; readonly certificate: Certificate };

/** What a machine needs of the world around it. */
export type World = {
  readonly engine: Engine;
  readonly random: Random;
  readonly checker: Checker;
  readonly genesis: BlockRef;
  readonly now: () => number;
  readonly later: (delay: number, act: () => void) => void;
  readonly broadcast: (from: number, message: Message) => void;
  /** Blocks whose bodies an honest machine has had, so that others can fetch them. */
  readonly published: Set<Hex>;
  readonly newBlock: (view: number, proposer: number, parent: BlockRef, time: number) => BlockRef;
  /** Chance that a message or a fetch is lost, at this time. */
  readonly loss: () => number;
  /** Chance that a machine stops between two effects, at this time. */
  readonly crashChance: () => number;
  readonly onFinal: (seat: number) => void;
  /** What a crash destroys though it was durable. `votes` is a twin that must fail. */
  readonly loses: 'votes' | 'certificates' | null;
};

export type Host = {
  readonly boot: () => void;
  readonly crash: () => void;
  readonly alive: () => boolean;
  readonly receive: (message: Message) => void;
  readonly busy: (busy: boolean) => void;
  /** Moves the machine's clock by some milliseconds. */
  readonly skew: (by: number) => void;
  /** Height up to which the machine has every final block. */
  readonly height: () => number;
  readonly stepCount: () => number;
  readonly state: () => EngineState | null;
};

type Input = EngineInput extends infer I
  ? I extends { readonly now: number }
    ? Omit<I, 'now'>
    : never
  : never;

/** A machine that holds `rules.self`. */
export function host(rules: EngineRules & { readonly self: number }, world: World): Host {
  const { engine, random, checker, later } = world;
  const { self } = rules;
  let root = world.genesis;
  let finalCertificate: Certificate | null = null;
  let votes: Vote[] = [];
  let certificates: Certificate[] = [];
  const bodies = new Map<Hex, BlockRef>();

  let state: EngineState | null = null;
  let life = 0;
  let offset = random.integer(20);
  let isBusy = false;
  let steps = 0;
  let validated = new Set<Hex>();
  let fetching = new Set<Hex>();
  let reached: Certificate | null = null;

  const clock = (): number => world.now() + offset;
  const during = (delay: number, act: () => void): void => {
    const then = life;
    later(delay, () => {
      if (then === life && state !== null) act();
    });
  };

  const crash = (): void => {
    state = null;
    life += 1;
  };

  const boot = (): void => {
    if (state !== null) return;
    life += 1;
    validated = new Set([root.id]);
    fetching = new Set();
    reached = null;
    isBusy = false;
    const signed = world.loses === 'votes' ? [] : votes;
    if (world.loses === 'certificates') certificates = [];
    const blocks = [...bodies.values()].filter(({ view }) => view > root.view);
    const started = engine.start(rules, {
      now: clock(),
      root,
      finalCertificate,
      signed,
      certificates,
      blocks,
    });
    state = started.state;
    perform(started.effects);
    for (const { id } of blocks) validate(id);
  };

  const feed = (input: Input): string => {
    if (state === null) return '';
    steps += 1;
    const transition = engine.step(state, { ...input, now: clock() } as EngineInput, rules);
    state = transition.state;
    perform(transition.effects);
    return transition.line;
  };

  const perform = (effects: readonly EngineEffect[]): void => {
    for (const effect of effects) {
      if (state === null) return;
      if (random.chance(world.crashChance())) crashSoon();
      else act(effect);
    }
  };

  const act = (effect: EngineEffect): void => {
    switch (effect.kind) {
      case 'vote':
        votes.push(effect.vote);
        checker.signed(effect.vote, true);
        // Durable, and not yet sent: the worst moment to stop.
        if (random.chance(world.crashChance())) crashSoon();
        else world.broadcast(self, effect);
        break;
      case 'relay':
        certificates.push(effect.certificate);
        world.broadcast(self, { kind: 'certificate', certificate: effect.certificate });
        break;
      case 'repeat':
        for (const certificate of effect.certificates)
          world.broadcast(self, { kind: 'certificate', certificate });
        for (const vote of effect.votes) world.broadcast(self, { kind: 'vote', vote });
        break;
      case 'lead':
        during(proposalDelay(effect.parent), () => propose(effect));
        break;
      case 'finalized':
        checker.finalized(hex(effect.block));
        reached = effect.certificate;
        world.onFinal(self);
        applyFinal();
        break;
      case 'wanted':
        fetch(hex(effect.block));
        break;
      case 'equivocation':
        checker.accused(effect.second.seat);
        break;
      case 'wake':
        during(Math.max(0, effect.at - clock()) + random.integer(3), () => feed({ kind: 'tick' }));
        break;
      case 'notarized':
        break;
      default:
        unreachable(effect);
    }
  };

  const crashSoon = (): void => {
    crash();
    later(50 + random.integer(500), boot);
  };

  const proposalDelay = (parent: BlockRef): number =>
    isBusy ? 5 : Math.min(Math.max(5, parent.time + rules.heartbeatMs - clock()), 200);

  const propose = ({ view, parent, notar, skips }: EngineEffect & { kind: 'lead' }): void => {
    if (state?.view !== view || state.led?.parent !== parent.id) return;
    const block = world.newBlock(view, self, parent, Math.max(parent.time + 1, clock()));
    bodies.set(block.id, block);
    if (feed({ kind: 'proposed', block }) !== 'C26' || state === null) return;
    validated.add(block.id);
    world.published.add(block.id);
    const support = notar === null ? skips : [notar, ...skips];
    world.broadcast(self, { kind: 'proposal', block, certificates: support });
  };

  const fetch = (id: Hex): void => {
    if (fetching.has(id)) return;
    fetching.add(id);
    during(5 + random.integer(60), () => {
      fetching.delete(id);
      const block = checker.blocks.get(id);
      const found = world.published.has(id) && !random.chance(world.loss());
      if (found && block !== undefined) receiveBlock(block);
      else fetch(id);
    });
  };

  const receiveBlock = (block: BlockRef): void => {
    bodies.set(block.id, block);
    world.published.add(block.id);
    feed({ kind: 'announced', block });
    if (validated.has(block.id)) feed({ kind: 'validated', id: block.id });
    else validate(block.id);
  };

  const validate = (id: Hex): void => {
    const block = bodies.get(id);
    if (block === undefined || validated.has(id) || state === null) return;
    const parent = bodies.get(block.parent) ?? (block.parent === root.id ? root : undefined);
    if (parent === undefined) fetch(block.parent);
    else if (!validated.has(parent.id)) validate(parent.id);
    else if (block.height === parent.height + 1 && block.parentView === parent.view) {
      validated.add(id);
      feed({ kind: 'validated', id });
      applyFinal();
      for (const child of [...bodies.values()]) if (child.parent === id) validate(child.id);
    }
  };

  const applyFinal = (): void => {
    if (reached === null) return;
    const block = bodies.get(hex(reached.block));
    if (block === undefined || !validated.has(block.id)) return;
    root = block;
    finalCertificate = reached;
    reached = null;
    votes = votes.filter(({ view }) => view > root.view);
    certificates = certificates.filter(({ view }) => view >= root.view);
  };

  return {
    boot,
    crash,
    alive: () => state !== null,
    receive: (message) => {
      if (state === null) return;
      if (message.kind === 'vote') feed({ kind: 'vote', vote: message.vote });
      else if (message.kind === 'certificate')
        feed({ kind: 'certificate', certificate: message.certificate });
      else {
        for (const certificate of message.certificates) feed({ kind: 'certificate', certificate });
        if (state !== null) receiveBlock(message.block);
      }
    },
    busy: (busy) => {
      isBusy = busy;
      feed({ kind: 'busy', busy });
    },
    skew: (by) => {
      offset += by;
    },
    height: () => root.height,
    stepCount: () => steps,
    state: () => state,
  };
}

/** Play a seat that signs whatever it likes and sends it to whom it likes. */
import { type Hex, hex, unhex } from '../../../protocol/brand.ts';
import {
  type BlockRef,
  type Certificate,
  type Subject,
  type Vote,
  voteMessage,
} from '../../../protocol/consensus/message.ts';
import type { EngineRules } from '../../../protocol/consensus/state.ts';
import { type Digest, zeroDigest } from '../../../protocol/crypto/hash.ts';
import type { Message, World } from './host.ts';
import { fakeSignature } from './signature.ts';

/** Sends one message to one seat, after a delay of the adversary's choice. */
export type Send = (to: number, message: Message, delay: number) => void;

export type Adversary = { readonly observe: (message: Message) => void };

/**
 * Double voter and equivocating proposer: votes for every block, Skip and Final as well, each to a
 * random half; when it leads, two or three blocks on random parents; and it hands certificates,
 * put together from all votes that exist anywhere, to single seats early or late.
 */
export function equivocator(
  seats: readonly number[],
  rules: EngineRules,
  world: World,
  send: Send,
): Adversary {
  const { random, checker } = world;
  const everybody = Array.from({ length: rules.seats }, (_, seat) => seat);
  const treated = new Set<string>();
  const recent: BlockRef[] = [world.genesis];
  let quorumsSeen = 0;

  const toSome = (message: Message): void => {
    for (const seat of everybody)
      if (random.chance(0.5))
        send(seat, message, 1 + random.integer(random.chance(0.1) ? 900 : 40));
  };

  const vote = (seat: number, kind: Subject['kind'], view: number, block: Digest): void => {
    const subject: Subject = { kind, epoch: rules.epoch, view, block };
    const signature = fakeSignature(seat, voteMessage(rules.network, subject, seat));
    const signed: Vote = { ...subject, seat, signature };
    checker.signed(signed, false);
    toSome({ kind: 'vote', vote: signed });
  };

  const voteAll = (view: number, id: Hex): void => {
    if (treated.has(id)) return;
    treated.add(id);
    const block = unhex(id) as Digest;
    for (const seat of seats) {
      if (random.chance(0.9)) vote(seat, 'notar', view, block);
      if (random.chance(0.7)) vote(seat, 'final', view, block);
      if (random.chance(0.7)) vote(seat, 'skip', view, zeroDigest);
    }
  };

  /** Helps some along with leaving a view. */
  const skipAll = (view: number): void => {
    if (treated.has(`skip ${view}`)) return;
    treated.add(`skip ${view}`);
    for (const seat of seats) if (random.chance(0.7)) vote(seat, 'skip', view, zeroDigest);
  };

  const propose = (view: number): void => {
    const leader = rules.leaderOf(view);
    if (!seats.includes(leader) || treated.has(`lead ${view}`)) return;
    treated.add(`lead ${view}`);
    for (let twin = 0; twin < 2 + random.integer(2); twin++) {
      const parents = recent.filter((block) => block.view < view).slice(-6);
      const parent = random.chance(0.5) ? parents.at(-1)! : random.pick(parents);
      const block = world.newBlock(view, leader, parent, parent.time + 1 + random.integer(50));
      toSome({ kind: 'proposal', block, certificates: [] });
      if (random.chance(0.5)) world.published.add(block.id);
      note(block);
    }
  };

  const note = (block: BlockRef): void => {
    if (!recent.includes(block)) recent.push(block);
    if (recent.length > 40) recent.splice(1, 20);
    voteAll(block.view, block.id);
  };

  /** Some seat, and perhaps nobody else for long, gets each certificate that can be made. */
  const leak = (): void => {
    for (; quorumsSeen < checker.quorums.length; quorumsSeen++) {
      if (!random.chance(0.5)) continue;
      const votes = [...checker.quorums[quorumsSeen]!].sort((a, b) => a.seat - b.seat);
      const { kind, epoch, view, block } = votes[0]!;
      const certificate: Certificate = {
        kind,
        epoch,
        view,
        block,
        seats: votes.map(({ seat }) => seat),
        signatures: votes.map(({ signature }) => signature),
      };
      const message: Message = { kind: 'certificate', certificate };
      send(random.pick(everybody), message, 1);
      if (random.chance(0.3)) send(random.pick(everybody), message, 300 + random.integer(1_500));
    }
  };

  const observe = (message: Message): void => {
    leak();
    if (message.kind === 'proposal') {
      note(message.block);
      propose(message.block.view + 1);
    } else if (message.kind === 'vote') {
      if (message.vote.kind === 'skip') skipAll(message.vote.view);
      propose(message.vote.view + 1);
    } else {
      const { kind, view, block } = message.certificate;
      const known = kind === 'skip' ? undefined : checker.blocks.get(hex(block));
      if (known !== undefined) note(known);
      propose(view + 1);
    }
  };

  return { observe };
}

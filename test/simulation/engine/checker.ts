/** Watch everything that is signed and finalized; say what must never happen. */
import { type Hex, hex } from '../../../protocol/brand.ts';
import type { BlockRef, Vote } from '../../../protocol/consensus/message.ts';

/** Written from the theorems, without the engine's own predicates or its quorum. */
export type Checker = {
  /** A block that exists, true or false. */
  readonly made: (block: BlockRef) => void;
  /** A vote that has been signed, sent or not. */
  readonly signed: (vote: Vote, honest: boolean) => void;
  readonly finalized: (id: Hex) => void;
  readonly accused: (seat: number) => void;
  readonly blocks: ReadonlyMap<Hex, BlockRef>;
  readonly finalHeight: () => number;
  readonly violations: readonly string[];
  /** Whether two final blocks contradict each other: nothing worse can come. */
  readonly forked: () => boolean;
  /** Certificates that could be put together from all votes ever signed, newest last. */
  readonly quorums: readonly (readonly Vote[])[];
};

/** A checker for `seats` seats of which those in `faulty` may sign anything. */
export function checker(seats: number, faulty: ReadonlySet<number>, genesis: BlockRef): Checker {
  // Twice the overlap of two sets of q seats exceeds the faulty ones; counted without rounding.
  const reached = (votes: number): boolean => 3 * votes > 2 * seats;
  const violations: string[] = [];
  const blocks = new Map<Hex, BlockRef>([[genesis.id, genesis]]);
  const final = new Map<number, Hex>([[0, genesis.id]]);
  const votes = new Map<string, Map<number, Vote>>();
  const said = new Map<string, string>();
  const certified = new Map<string, string>();
  const quorums: Vote[][] = [];
  let finalHeight = 0;
  let fork = false;

  const violate = (what: string): void => {
    if (violations.length < 20 || fork) violations.push(what);
  };

  /** Notes a fact under a name; another fact under that name is a violation. */
  const once = (facts: Map<string, string>, name: string, fact: string, what: string): void => {
    const earlier = facts.get(name);
    if (earlier !== undefined && earlier !== fact) violate(`${what}: ${name}`);
    facts.set(name, fact);
  };

  const signed = (vote: Vote, honest: boolean): void => {
    const { kind, view, seat } = vote;
    const block = hex(vote.block);
    if (honest) {
      once(said, `${kind} seat ${seat} view ${view}`, block, 'honest seat signed two');
      const other = kind === 'final' ? 'skip' : 'final';
      if (kind !== 'notar' && said.has(`${other} seat ${seat} view ${view}`))
        violate(`honest seat signed Final and Skip: seat ${seat} view ${view}`);
    }
    const subject = `${kind} ${view} ${block}`;
    const tally = votes.get(subject) ?? new Map<number, Vote>();
    if (tally.has(seat)) return;
    votes.set(subject, tally.set(seat, vote));
    if (!reached(tally.size) || reached(tally.size - 1)) return;
    quorums.push([...tally.values()]);
    if (kind === 'notar') once(certified, `notar ${view}`, block, 'two notarized blocks');
    else {
      certified.set(`${kind} ${view}`, block);
      if (certified.has(`skip ${view}`) && certified.has(`final ${view}`))
        violate(`Final and Skip certified: view ${view}`);
    }
  };

  const finalized = (id: Hex): void => {
    let block = blocks.get(id);
    if (block === undefined) violate(`finalized a block that nobody made: ${id}`);
    finalHeight = Math.max(finalHeight, block?.height ?? 0);
    while (block !== undefined && final.get(block.height) !== block.id) {
      if (final.has(block.height)) {
        violate(`two final blocks at height ${block.height}`);
        fork = true;
        break;
      }
      final.set(block.height, block.id);
      block = blocks.get(block.parent);
    }
  };

  return {
    made: (block) => blocks.set(block.id, block),
    signed,
    finalized,
    accused: (seat) => {
      if (!faulty.has(seat)) violate(`accused an honest seat: ${seat}`);
    },
    blocks,
    finalHeight: () => finalHeight,
    violations,
    forked: () => fork,
    quorums,
  };
}

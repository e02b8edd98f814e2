// Goal: what a lane comes to depends on what was ordered in each block, not on the order within.
// Method: random plans of seven seats, played in several orders of each block; one of each outcome.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hash } from '../../protocol/crypto/hash.ts';
import type { Statement } from '../../protocol/job/statement.ts';
import { ratio } from '../../protocol/ratio.ts';
import { LaneScene } from '../support/lane-scene.ts';

describe('acceptance is a function of a set', () => {
  /** What everybody of a lane says in three blocks: commits, reveals, abstentions, by seat. */
  type Plan = readonly {
    readonly kind: 'truth' | 'lie' | 'abstain' | 'twice';
    readonly block: number;
  }[];
  const plans = fc.array(
    fc.record({
      kind: fc.constantFrom('truth', 'truth', 'lie', 'abstain', 'twice') as fc.Arbitrary<
        Plan[number]['kind']
      >,
      block: fc.integer({ min: 0, max: 2 }),
    }),
    { minLength: 7, maxLength: 7 },
  );

  /** Plays the plan; `sort` orders the statements of each block. */
  function play(
    plan: Plan,
    sort: (said: Statement[]) => Statement[],
    adversarial: number,
  ): LaneScene {
    const scene = new LaneScene({ adversarial, loss: ratio(1n, 2n) }).draw([0, 1, 2, 3, 4, 5, 6]);
    const all = (made: (seat: number) => Statement[]): Statement[] =>
      sort([0, 1, 2, 3, 4, 5, 6].flatMap(made));
    const commits = all((seat) => {
      const { kind } = plan[seat]!;
      if (kind === 'abstain') return [scene.abstain(seat)];
      const one = scene.commit(seat, kind === 'lie' ? { lie: 'value' } : {});
      return kind === 'twice' ? [one, scene.commit(seat, { lie: 'value' })] : [one];
    });
    for (const statement of commits) expect(scene.say(statement).ok).toBe(true);
    scene.end();
    for (let block = 0; block < 3 && scene.lane.outcome === 'open'; block++) {
      const reveals = all((seat) => {
        const { kind, block: own } = plan[seat]!;
        if (own !== block || kind === 'abstain' || kind === 'twice') return [];
        return [scene.reveal(seat, kind === 'lie' ? { lie: 'value' } : {})];
      });
      for (const statement of reveals) expect(scene.say(statement).ok).toBe(true);
      scene.end();
    }
    return scene;
  }

  const facts = ({ lane }: LaneScene) => ({
    outcome: lane.outcome,
    claim: lane.accepted === null ? null : lane.claims[lane.accepted],
    closed: lane.closed,
    slots: lane.slots.map(({ commit, claim: place, ...slot }) => ({
      ...slot,
      claim: place === null ? null : lane.claims[place],
      // Of two commits, the first that was ordered is kept, and neither counts.
      commit: slot.equivocated ? null : commit,
    })),
  });

  test('any order of a block that is admissible ends alike', () => {
    const outcomes = new Set<string>();
    const all = (...kinds: Plan[number]['kind'][]): Plan =>
      kinds.map((kind) => ({ kind, block: 0 }));
    const examples: [Plan, number, number][] = [
      [all('truth', 'truth', 'lie', 'lie', 'twice', 'twice', 'twice'), 1, 1],
      [all('truth', 'lie', 'truth', 'lie', 'truth', 'lie', 'truth'), 2, 2],
      [all('abstain', 'lie', 'abstain', 'twice', 'truth', 'abstain', 'truth'), 3, 2],
      [all('twice', 'truth', 'lie', 'twice', 'twice', 'abstain', 'twice'), 4, 3],
    ];
    fc.assert(
      fc.property(plans, fc.nat(), fc.integer({ min: 1, max: 3 }), (plan, salt, adversarial) => {
        const shuffled = (said: Statement[]): Statement[] => {
          const rank = (one: Statement): string =>
            Array.from(hash('dev', salt, one.seat, one.kind), String).join();
          return [...said].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
        };
        const first = play(plan, (said) => said, adversarial);
        expect(facts(play(plan, shuffled, adversarial))).toEqual(facts(first));
        expect(facts(play(plan, (said) => [...said].reverse(), adversarial))).toEqual(facts(first));
        outcomes.add(first.lane.outcome);
      }),
      { numRuns: 40, examples },
    );
    for (const outcome of ['accepted', 'contradiction', 'abstained', 'open'])
      expect(outcomes).toContain(outcome);
  });

  test('another set ends otherwise', () => {
    const honest: Plan = Array.from({ length: 7 }, () => ({ kind: 'truth', block: 0 }));
    const silent: Plan = honest.map(() => ({ kind: 'twice', block: 0 }));
    expect(play(honest, (said) => said, 2).lane.outcome).toBe('accepted');
    expect(play(silent, (said) => said, 2).lane.outcome).toBe('open');
  });
});

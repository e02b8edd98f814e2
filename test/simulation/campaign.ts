/** Plan a world from a seed, run it, and say what went wrong. */

import { sameClaim } from '../../protocol/aggregation/lane.ts';
import { type Job, jobId, type SignedJob } from '../../protocol/job/job.ts';
import type { JobRecord } from '../../protocol/ledger/record.ts';
import type { Role } from './adversaries.ts';
import { type Behaviour, modelClaim } from './lane.ts';
import { simulatedJob } from './network.ts';
import { chance } from './random.ts';
import { type WeatherName, weathers } from './weather.ts';
import { type Plan, World } from './world.ts';

/** What the f faulty seats of a campaign do; `none`: there are none. */
export const campaignRoles = ['none', 'silent', 'equivocating', 'lying', 'miscounting'] as const;
export const campaignWeathers = ['delayed', 'lossy', 'doubled', 'shuffled', 'stormy'] as const;
export type CampaignRole = (typeof campaignRoles)[number];

/** One seed of a campaign: everything else follows from these. */
export type Case = {
  readonly seed: number;
  readonly seats: number;
  readonly role: Role | 'none';
  readonly weather: WeatherName;
  readonly crashes?: boolean;
};

/** Seed s of a campaign: each role meets each weather once in 25 seeds. */
export function caseOf(seed: number, seats: number): Case {
  const role = campaignRoles[seed % campaignRoles.length]!;
  const place = Math.floor(seed / campaignRoles.length) % campaignWeathers.length;
  return { seed, seats, role, weather: campaignWeathers[place]! };
}

/** Faulty seats: the last ones, as many as consensus bears. */
export function rolesOf({ seats, role }: Pick<Case, 'seats' | 'role'>): Map<number, Role> {
  const faulty = Math.floor((seats - 1) / 3);
  const entries: [number, Role][] = [];
  if (role !== 'none') for (let i = 1; i <= faulty; i++) entries.push([seats - i, role]);
  return new Map(entries);
}

/** A few crashes a second at first, and the directed fault at one height in four. */
const crashChaos = { untilMs: 15_000, crashPerEffects: 15, triggerPercent: 25 };
/** Virtual time in which everything must have ended. */
const limitMs = 600_000;

export type Outcome = {
  readonly violations: readonly string[];
  readonly world: World;
  readonly virtualMs: number;
  /** How each job ended, such as `settled`; null where it did not. */
  readonly ends: readonly (JobRecord['state'] | null)[];
};

type Work = {
  readonly signed: SignedJob;
  readonly behaviour: Behaviour;
  readonly to: number;
  readonly afterMs: number;
};

/** Jobs of a seed: one or two, of which some fail and some cannot be run at all. */
function workOf(world: World, { seed, seats, role }: Case): readonly Work[] {
  const pick = chance(seed, 'workload');
  const anchor = world.nodes[0]!.state!.final.header;
  return Array.from({ length: pick.percent(30) ? 2 : 1 }, (_, place) => {
    const items = 3 + pick.below(8);
    const change: Partial<Job> = {
      nonce: BigInt(place + 1),
      input: { kind: 'generated', items },
      subtasks: 1 + pick.below(items),
    };
    const signed = simulatedJob(world.network, anchor, change);
    const kind = pick.below(20);
    const behaviour: Behaviour =
      kind === 0
        ? { abstain: 'timeout' }
        : kind <= 2 && role !== 'lying'
          ? { failing: pick.below(items) }
          : {};
    return { signed, behaviour, to: pick.below(seats - 2), afterMs: place * pick.below(3_000) };
  });
}

/**
 * Runs a case up to its end, or up to a violation whose name `until` describes.
 * @param plan - Replaces parts of the plan: rules taken out, disks that forget.
 */
export function runCase(one: Case, plan: Partial<Plan> = {}, until = /./): Outcome {
  const { seed, seats, weather } = one;
  const world = new World({
    seed,
    seats,
    weather: weathers[weather],
    roles: rolesOf(one),
    ...(one.crashes === true ? { chaos: crashChaos, skewMs: 300 } : {}),
    ...plan,
  });
  const work = workOf(world, one);
  for (const { signed, behaviour, to, afterMs } of work)
    world.submit(to, signed, behaviour, afterMs);
  const ids = work.map(({ signed }) => jobId(signed.job));
  const { violations: found } = world.checker;
  const done = world.run(
    limitMs,
    () => found.some(({ name }) => until.test(name)) || world.ended(ids),
  );
  const violations = found.map(({ name, detail }) => `${name}: ${detail}`);
  if (!done) violations.push(`I20 progress: ${stuckAt(world, ids)}`);
  const [node] = world.honest();
  const ends = work.map(({ signed, behaviour }, place) => {
    const record = node === undefined ? null : world.jobState(node, ids[place]!);
    if (record?.ended == null) return null;
    violations.push(...unsound(signed.job, behaviour, record));
    return record.state;
  });
  return { violations, world, virtualMs: world.now - world.network.startMs, ends };
}

/** I12: what was accepted is what the model says; liars are never more than assumed here. */
function unsound(job: Job, behaviour: Behaviour, record: JobRecord): string[] {
  if (record.state === 'voided' || record.state === 'expired')
    return behaviour.abstain === undefined && record.reason === 'LANE_CONTRADICTION'
      ? ['I12 soundness: two acceptable claims']
      : [];
  if (behaviour.abstain !== undefined) return [`I12 soundness: nobody ran it, yet ${record.state}`];
  const wrong = record.lanes.some(
    ({ claim }, lane) =>
      claim === null || !sameClaim(claim, modelClaim(job, behaviour, record.lanes.length, lane)),
  );
  const fails = behaviour.failing !== undefined;
  if (wrong || (record.state === 'failed') !== fails)
    return [`I12 soundness: ${record.state} with a result that the model does not give`];
  return [];
}

function stuckAt(world: World, ids: readonly Uint8Array[]): string {
  return world.nodes
    .map((node) => {
      const { state, seat } = node;
      if (state === null) return `${seat} down`;
      const jobs = ids.map((id) => world.jobState(node, id)?.reason ?? 'unknown').join('+');
      return `${seat} height ${state.finalRef.height} view ${state.engine.view} ${jobs}`;
    })
    .join(', ');
}

/** What runs a case again alone, and what it is like. */
export function nameOf({ seed, seats, role, weather, crashes }: Case): string {
  const file = crashes === true ? 'crash' : `n${seats}`;
  return `SEED=${seed} npx vitest run test/simulation/${file}.test.ts (${seats} seats, ${role}, ${weather})`;
}

/** Cases of a campaign by what they are like; `SEED` in the environment names a single one. */
export function casesOf(
  seats: number,
  count: number,
  crashes = false,
): readonly (readonly [title: string, cases: readonly Case[]])[] {
  const asked = process.env.SEED;
  const seeds = asked === undefined ? Array.from({ length: count }, (_, i) => i) : [Number(asked)];
  const groups = new Map<string, Case[]>();
  for (const seed of seeds) {
    const one = { ...caseOf(seed, seats), crashes };
    const title = `${one.role === 'none' ? 'nobody faulty' : `f ${one.role}`}, ${one.weather}`;
    groups.set(title, [...(groups.get(title) ?? []), one]);
  }
  return [...groups];
}

/** Runs cases and tells what went wrong, with the line that runs each again alone. */
export function faultsOf(cases: readonly Case[]): readonly string[] {
  return cases.flatMap((one) => {
    const { violations } = runCase(one);
    return violations.map((violation) => `${nameOf(one)}: ${violation}`);
  });
}

/** What must be equal for equal plans. */
export function traceOf(one: Case): unknown {
  const { world, virtualMs, ends } = runCase(one);
  const { trace, events, crashes, traffic } = world;
  return { trace, events, crashes, traffic, virtualMs, ends, finals: [...world.checker.finals] };
}

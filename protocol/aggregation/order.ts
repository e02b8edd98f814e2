/** Take one ordered statement into a lane, or say why it has no place there. */
import { verifyOpening } from '../algebra/transcript.ts';
import { mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import { laneSubtasks, subtaskItems } from '../job/split.ts';
import {
  type Abstain,
  type Commit,
  commitDigest,
  type LaneClaim,
  type Open,
  type Reveal,
  type Statement,
} from '../job/statement.ts';
import { blobCid } from '../merkle/blob.ts';
import { laneFuelMax } from './fuel.ts';
import {
  findSlot,
  type LaneRules,
  type LaneState,
  replaced,
  type Slot,
  sameClaim,
  type Wave,
} from './lane.ts';
import { pickedItems } from './pick.ts';

/** A lane with the statement in it, or the code of why it cannot be. */
export type Ordered =
  | { readonly ok: true; readonly lane: LaneState }
  | { readonly ok: false; readonly code: string };

/**
 * Orders one statement at a height. Its job, lane and signature have been checked by the caller.
 * @see spec/protocol/aggregation.md A1 to A22
 */
export function orderStatement(
  lane: LaneState,
  rules: LaneRules,
  statement: Statement,
  message: Uint8Array,
  height: number,
): Ordered {
  if (lane.outcome !== 'open') return refused('A1', 'LANE_CLOSED');
  const wave = lane.waves[statement.wave];
  const found = findSlot(lane, statement.wave, statement.seat);
  if (wave === undefined || found === null || !sameBytes(wave.drawId, statement.drawId))
    return refused('A2', 'LANE_NOT_DRAWN');
  const { slot, place } = found;
  const change = changeSlot(lane, rules, wave, slot, statement, height);
  if (typeof change === 'string') return { ok: false, code: change };
  const entry = {
    kind: statement.kind,
    seat: statement.seat,
    wave: statement.wave,
    height,
    message,
  };
  const slots = replaced(lane.slots, place, change.slot);
  return {
    ok: true,
    lane: { ...lane, slots, claims: change.claims ?? lane.claims, log: [...lane.log, entry] },
  };
}

type Change = { readonly slot: Slot; readonly claims?: readonly LaneClaim[] };

function changeSlot(
  lane: LaneState,
  rules: LaneRules,
  wave: Wave,
  slot: Slot,
  statement: Statement,
  height: number,
): Change | string {
  switch (statement.kind) {
    case 'commit':
      return commitSlot(wave, slot, statement);
    case 'abstain':
      return abstainSlot(slot, statement);
    case 'reveal':
      return revealSlot(lane, rules, wave, slot, statement, height);
    case 'open':
      return openSlot(lane, rules, wave, slot, statement);
  }
}

function commitSlot(wave: Wave, slot: Slot, commit: Commit): Change | string {
  if (slot.abstained !== null) return code('A3', 'LANE_ABSTAINED');
  if (wave.commitClose !== null) return code('A4', 'LANE_COMMIT_LATE');
  if (slot.commit === null) {
    mark('A5');
    return { slot: { ...slot, commit: commit.digest } };
  }
  if (sameBytes(slot.commit, commit.digest) || slot.equivocated) return code('A7', 'LANE_KNOWN');
  mark('A6');
  return { slot: { ...slot, equivocated: true } };
}

function abstainSlot(slot: Slot, abstain: Abstain): Change | string {
  if (slot.commit !== null) return code('A8', 'LANE_COMMITTED');
  if (slot.abstained !== null) return code('A9', 'LANE_KNOWN');
  mark('A10');
  return { slot: { ...slot, abstained: abstain.class } };
}

function revealSlot(
  lane: LaneState,
  rules: LaneRules,
  wave: Wave,
  slot: Slot,
  reveal: Reveal,
  height: number,
): Change | string {
  if (wave.commitClose === null || height <= wave.commitClose)
    return code('A11', 'LANE_REVEAL_EARLY');
  if (slot.claim !== null) return code('A12', 'LANE_KNOWN');
  if (slot.equivocated) return code('A13', 'LANE_EQUIVOCATED');
  if (slot.commit === null || !sameBytes(slot.commit, commitDigest(reveal)))
    return code('A14', 'LANE_REVEAL_MISMATCH');
  if (reveal.claim.mapFuel > laneFuelMax(rules) || !valueFits(reveal))
    return code('A15', 'LANE_VALUE_MISMATCH');
  mark('A16');
  const known = lane.claims.findIndex((claim) => sameClaim(claim, reveal.claim));
  const claims = known < 0 ? [...lane.claims, reveal.claim] : lane.claims;
  const claim = known < 0 ? lane.claims.length : known;
  return {
    slot: { ...slot, claim, saltKey: reveal.saltKey, workRoot: reveal.workRoot },
    claims,
  };
}

function valueFits({ claim, value }: Reveal): boolean {
  if (value === null) return true;
  return claim.valueCid !== null && sameBytes(blobCid(value), claim.valueCid);
}

function openSlot(
  lane: LaneState,
  rules: LaneRules,
  wave: Wave,
  slot: Slot,
  open: Open,
): Change | string {
  if (slot.wave === 0) return code('A17', 'LANE_OPENING_NEEDLESS');
  if (slot.claim === null || wave.openingBeacon === null) return code('A18', 'LANE_OPENING_EARLY');
  if (slot.opened) return code('A19', 'LANE_KNOWN');
  if (wave.closed !== null) return code('A20', 'LANE_OPENING_LATE');
  const { saltKey, workRoot } = slot;
  const picked = pickedItems(wave.openingBeacon, wave.drawId, slot.seat, rules);
  const subtasks = laneSubtasks(rules.subtasks, rules.lanes, rules.lane);
  const sizes = subtasks.map((subtask) => ({
    subtask,
    ...subtaskItems(rules.items, rules.subtasks, subtask),
  }));
  // Who claims a value claims that no item failed: an opening that says otherwise opens nothing.
  const succeeded = lane.claims[slot.claim]!.valueCid !== null;
  const fits =
    open.openings.length === picked.length &&
    picked.every((pick, index) => {
      const opening = open.openings[index]!;
      if (succeeded && opening.subtaskValueHash === null) return false;
      return verifyOpening(workRoot!, saltKey!, sizes, pick, opening);
    });
  if (!fits) return code('A21', 'LANE_OPENING_WRONG');
  mark('A22');
  return { slot: { ...slot, opened: true } };
}

function refused(line: string, code: string): Ordered {
  mark(line);
  return { ok: false, code };
}

function code(line: string, name: string): string {
  mark(line);
  return name;
}

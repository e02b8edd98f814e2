/** Draw the lanes of jobs ordered one block ago, and the next waves of open lanes. */
import { currentWave, emptyLane } from '../aggregation/lane.ts';
import { awaitsWave, drawWave } from '../aggregation/wave.ts';
import { assert, mark } from '../assert.ts';
import { adversaryDenominator } from '../job/job.ts';
import { cutLane, drawId, drawSeats, laneCut } from '../sampling/draw.ts';
import { drawPlan, skippedViews, skippedWaveViews } from '../sampling/plan.ts';
import type { LedgerRules } from './chain.ts';
import type { BlockContext } from './context.ts';
import { rulesOfLane } from './items.ts';
import type { JobPlan, JobRecord } from './record.ts';
import type { StateCursor } from './state.ts';

/**
 * Draws wave 0 of every job of the parent block from the beacon of this one.
 * @see spec/protocol/ledger.md L19
 */
export function drawJobs(cursor: StateCursor, block: BlockContext, rules: LedgerRules): void {
  const ids = cursor.ordered();
  if (ids.length === 0) return;
  const order = permutation(block, 0, rules);
  let offset = 0;
  for (const id of ids) {
    const record = cursor.job(id);
    assert(record !== null, 'an ordered job has a record');
    mark('L19');
    const plan = planJob(record, block, offset, rules);
    offset += plan.lanes;
    const running: JobRecord = { ...record, state: 'running', reason: 'JOB_AWAITS_LANES', plan };
    cursor.setJob(id, running);
    const base = block.parent.height;
    for (let lane = 0; lane < plan.lanes; lane++) {
      const cut = laneCut({ offset: plan.offset, lane, lanesMax: plan.lanesMax });
      const draw = {
        base,
        drawId: waveDrawId(block, 0, rules),
        skippedViews: plan.skippedViews,
        order: cutLane(order, plan.perLane, cut),
      };
      cursor.setLane(id, lane, drawWave(emptyLane, rulesOfLane(running, rules, lane), draw));
    }
  }
}

function planJob(
  record: JobRecord,
  block: BlockContext,
  offset: number,
  rules: LedgerRules,
): JobPlan {
  const seats = rules.genesis.seats.length;
  const skipped = skippedViews({
    next: block,
    parent: { height: record.includedHeight - 1, view: record.parentView },
    anchor: { height: record.anchorHeight, view: record.anchorView },
  });
  const { adversarial, perLane, lanesMax } = drawPlan({
    seats,
    adversary: adversaryDenominator(record.adversary),
    lossExponent: record.lossExponent,
    skippedViews: skipped,
  });
  return {
    seats,
    seatSetHash: rules.seatSet,
    adversarial,
    perLane,
    lanesMax,
    lanes: Math.min(record.subtasks, lanesMax),
    offset,
    skippedViews: skipped,
    drawnMs: block.timeMs,
  };
}

/**
 * Draws the next wave of every lane whose wave closed in the parent block.
 * @see spec/protocol/ledger.md L20
 */
export function drawWaves(cursor: StateCursor, block: BlockContext, rules: LedgerRules): void {
  for (const id of cursor.open()) {
    const record = cursor.job(id)!;
    if (record.plan === null) continue;
    for (let lane = 0; lane < record.plan.lanes; lane++) {
      const state = cursor.lane(id, lane)!;
      if (!awaitsWave(state)) continue;
      const { closed, commitClose: height, commitCloseView: view } = currentWave(state);
      assert(closed === block.parent.height, 'a lane waits one block for its next wave');
      mark('L20');
      const wave = state.waves.length;
      const before = cursor.recent(block.parent.height - 1);
      assert(
        before !== null && height !== null && view !== null,
        'a wave closes after its commits',
      );
      const draw = {
        base: block.parent.height,
        drawId: waveDrawId(block, wave, rules),
        skippedViews: skippedWaveViews({
          next: block,
          parent: before,
          commitClose: { height, view },
        }),
        order: permutation(block, wave, rules),
      };
      cursor.setLane(id, lane, drawWave(state, rulesOfLane(record, rules, lane), draw));
    }
  }
}

function permutation(block: BlockContext, wave: number, rules: LedgerRules): readonly number[] {
  return drawSeats({
    network: rules.network,
    height: block.parent.height,
    wave,
    beacon: block.beacon,
    seats: rules.genesis.seats.length,
  });
}

function waveDrawId(block: BlockContext, wave: number, rules: LedgerRules): Uint8Array {
  return drawId({
    network: rules.network,
    height: block.parent.height,
    blockHash: block.parent.hash,
    wave,
    beacon: block.beacon,
  });
}

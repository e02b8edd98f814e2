/** Say on which block a view may build. */
import { hex } from '../brand.ts';
import type { BlockRef, Certificate } from './message.ts';
import { certificateOf, type EngineState } from './state.ts';

/** Whether the block `id` is the last final one, or notarized in `view`. */
function supported(state: EngineState, id: string, view: number): boolean {
  if (view === state.root.view) return id === state.root.id;
  const notar = certificateOf(state, 'notar', view);
  return notar !== null && hex(notar.block) === id;
}

/** Whether every view strictly between two is skip-certified. */
function gapSkipped(state: EngineState, parentView: number, view: number): boolean {
  for (let between = parentView + 1; between < view; between++)
    if (certificateOf(state, 'skip', between) === null) return false;
  return true;
}

/** Rule I3 without the body: the parent is notarized or final, and every view between skipped. */
export function follows(state: EngineState, { parent, parentView, view }: BlockRef): boolean {
  if (parentView < state.root.view || parentView >= view) return false;
  return supported(state, parent, parentView) && gapSkipped(state, parentView, view);
}

/** Where a leader builds, with the certificates that a proposal rests on. */
export type Ground = {
  readonly parent: BlockRef;
  readonly notar: Certificate | null;
  readonly skips: readonly Certificate[];
};

/**
 * The highest block that the current view may build on and whose state we have: notarized or
 * final, validated, with every view between skip-certified. Null while there is none.
 */
export function groundOf(state: EngineState): Ground | null {
  const skips: Certificate[] = [];
  for (let view = state.view - 1; view >= state.root.view; view--) {
    const notar = certificateOf(state, 'notar', view);
    const id = view === state.root.view ? state.root.id : notar && hex(notar.block);
    const block = id === null ? undefined : state.blocks.get(id);
    if (block?.validated) {
      const support = notar !== null && hex(notar.block) === id ? notar : state.finalCertificate;
      return { parent: block.ref, notar: support, skips: skips.reverse() };
    }
    const skip = certificateOf(state, 'skip', view);
    if (skip === null) return null;
    skips.push(skip);
  }
  return null;
}

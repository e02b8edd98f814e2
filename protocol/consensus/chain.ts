/** Say on which block a view may build. */
import { hex } from '../brand.ts';
import type { BlockRef, Certificate } from './message.ts';
import { certificateOf, type EngineState, type KnownBlock } from './state.ts';

/** Whether the block `id` is the last final one, or notarized in `view`. */
function supported(state: EngineState, id: string, view: number): boolean {
  if (view === state.root.view) return id === state.root.id;
  const notar = certificateOf(state, 'notar', view);
  return notar !== null && hex(notar.block) === id;
}

/** Whether every view strictly between two is skip-certified. */
function gapSkipped(state: EngineState, parentView: number, view: number): boolean {
  for (let between = view - 1; between > parentView; between--) {
    // What is known to be skipped is not looked at again.
    if (between < state.view && between >= state.barren) between = state.barren;
    else if (certificateOf(state, 'skip', between) === null) return false;
  }
  return true;
}

/** Rule I3 without the body: the parent is notarized or final, and every view between skipped. */
export function follows(state: EngineState, { parent, parentView, view }: BlockRef): boolean {
  if (parentView < state.root.view || parentView >= view) return false;
  return supported(state, parent, parentView) && gapSkipped(state, parentView, view);
}

/** The block of a view on which a later one may build: notarized or final, and validated. */
function fertile(state: EngineState, view: number): KnownBlock | null {
  const notar = certificateOf(state, 'notar', view);
  const id = view === state.root.view ? state.root.id : notar && hex(notar.block);
  const block = id === null ? undefined : state.blocks.get(id);
  return block?.validated ? block : null;
}

/** The state with as many views known to be barren as there are; the same one if it knew. */
export function surveyed(state: EngineState): EngineState {
  const { root } = state;
  let { barren } = state;
  while (
    barren > root.view &&
    certificateOf(state, 'skip', barren - 1) !== null &&
    fertile(state, barren - 1) === null
  )
    barren -= 1;
  return barren === state.barren ? state : { ...state, barren };
}

/** The state in which a view before the current one may have got a block to build on. */
export function bearing(state: EngineState, view: number): EngineState {
  if (view < state.barren || view >= state.view) return state;
  return { ...state, barren: view + 1 };
}

/** The state in the view after a certificate's; what of the views before is barren stays known. */
export function entered(state: EngineState, certificate: Certificate, now: number): EngineState {
  const { kind, view } = certificate;
  const next = { ...state, view: view + 1, enteredAt: now, entry: certificate };
  const isBarren = kind === 'skip' && view === state.view && fertile(state, view) === null;
  return isBarren ? next : { ...next, barren: view + 1 };
}

/**
 * The highest block that the current view may build on and whose state we have: notarized or
 * final, validated, with every view between skip-certified. Null while there is none.
 */
export function parentOf(state: EngineState): BlockRef | null {
  for (let view = state.barren - 1; view >= state.root.view; view--) {
    const block = fertile(state, view);
    if (block !== null) return block.ref;
    if (certificateOf(state, 'skip', view) === null) return null;
  }
  return null;
}

/** Skip certificates that a leader is given with its parent, the nearest ones. */
const skipCountMax = 1_024;

/** The certificates that a proposal of the current view on a parent rests on. */
export function supportOf(
  state: EngineState,
  { id, view: parentView }: BlockRef,
): { readonly notar: Certificate | null; readonly skips: readonly Certificate[] } {
  const skips: Certificate[] = [];
  for (let view = state.view - 1; view > parentView && skips.length < skipCountMax; view--)
    skips.push(certificateOf(state, 'skip', view)!);
  const notar = certificateOf(state, 'notar', parentView);
  const support = notar !== null && hex(notar.block) === id ? notar : state.finalCertificate;
  return { notar: support, skips: skips.reverse() };
}

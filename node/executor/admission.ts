/** Judge a program as every sandbox does: by our own caps, by the engine, by the ABI. */
import { mark } from '../../protocol/assert.ts';
import { type Admission, admitProgram } from '../../protocol/execution/admit.ts';
import { instrument } from '../../protocol/execution/instrument.ts';
import { validateModule } from './engine.ts';

type Rejection = Extract<Admission, { readonly kind: 'rejected' }>;

/** A program that may run, with its rewritten bytes; or why none may run it. */
export type Judgement =
  | (Extract<Admission, { readonly kind: 'ok' }> & { readonly rewritten: Uint8Array })
  | Rejection;

/**
 * Judges a program by all that is asked of it before it runs. Never throws; takes about a tenth of
 * a second for the largest.
 * @see spec/protocol/execution.md X75
 */
export function judgeProgram(bytes: Uint8Array): Judgement {
  // Our own caps first: the engine's validation of a module beyond them may take all memory.
  const made = instrument(bytes);
  const admission = admitProgram(bytes, {
    validate: (module) => made.kind === 'rejected' || validateModule(module),
  });
  if (admission.kind === 'ok' && made.kind === 'ok') return { ...admission, rewritten: made.bytes };
  mark('X75');
  return admission.kind === 'rejected' ? admission : (made as Rejection);
}

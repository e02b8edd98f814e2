/** Fold and render inside a web worker, one task at a time: the entry of its only script. */
import { admitProgram } from '../../protocol/execution/admit.ts';
import { combineValues, type StepFailureClass } from '../../protocol/execution/evaluate.ts';
import { valueBytesMax } from '../../protocol/params.ts';
import type { FoldWork } from '../../protocol/receipt/audit.ts';
import { engine, type Module, validateModule } from '../executor/engine.ts';
import { type CallResult, callProgram, notAdmitted } from '../executor/instance.ts';

/** What a page asks: the two halves of {@link FoldWork}. */
export type WorkerTask =
  | ({ readonly kind: 'fold' } & Pick<FoldWork, 'program' | 'values'>)
  | ({ readonly kind: 'render'; readonly value: Uint8Array } & Pick<
      FoldWork,
      'program' | 'parameters'
    >);

/** What a worker answers; `local` says nothing about the program. */
export type WorkerAnswer =
  | { readonly kind: 'value'; readonly value: Uint8Array }
  | { readonly kind: 'failed'; readonly class: StepFailureClass }
  | { readonly kind: 'local'; readonly reason: string };

type Opened = { readonly module: Module; readonly renders: boolean };

/** A receipt names its program and does not prove that a seat would have admitted it. */
function open(program: Uint8Array): Opened {
  const admission = admitProgram(program, { validate: validateModule });
  if (admission.kind === 'rejected') throw notAdmitted(admission.reason);
  return { module: new engine.Module(program), renders: admission.exports.render };
}

function fold({ module }: Opened, values: readonly Uint8Array[]): CallResult {
  const combine = (a: Uint8Array, b: Uint8Array): CallResult =>
    callProgram(module, { name: 'anw_combine', arguments: [a, b], valueBytesMax });
  let folded: CallResult = { ok: true, value: new Uint8Array(0) };
  for (const value of values) if (folded.ok) folded = combineValues(combine, folded.value, value);
  return folded;
}

function render({ module, renders }: Opened, parameters: Uint8Array, value: Uint8Array) {
  if (!renders) return { ok: true, value } as const;
  return callProgram(module, { name: 'anw_render', arguments: [parameters, value], valueBytesMax });
}

function answer(task: WorkerTask): WorkerAnswer {
  try {
    const opened = open(task.program);
    const result =
      task.kind === 'fold'
        ? fold(opened, task.values)
        : render(opened, task.parameters, task.value);
    return result.ok
      ? { kind: 'value', value: result.value }
      : { kind: 'failed', class: result.class };
  } catch (error) {
    return { kind: 'local', reason: error instanceof Error ? error.message : String(error) };
  }
}

/** What we use of a worker's global scope: its types come only with those of browsers. */
type Scope = {
  onmessage: (event: { readonly data: WorkerTask }) => void;
  readonly postMessage: (answer: WorkerAnswer) => void;
};

const scope = globalThis as unknown as Scope;
scope.onmessage = ({ data }) => scope.postMessage(answer(data));

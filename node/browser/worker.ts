/** Fold and render inside a web worker, one task at a time: the entry of its only script. */
import type { Folded, FoldFuel, StepFailureClass } from '../../protocol/execution/evaluate.ts';
import type { FoldWork } from '../../protocol/receipt/audit.ts';
import type { CallResult } from '../executor/instance.ts';
import { fold, openProgram, render } from '../executor/program.ts';

/** What a page asks: the two halves of {@link FoldWork}, with the fuel of each. */
export type WorkerTask =
  | ({ readonly kind: 'fold'; readonly fuel: FoldFuel } & Pick<FoldWork, 'program' | 'values'>)
  | ({
      readonly kind: 'render';
      readonly value: Uint8Array;
      readonly fuel: bigint;
    } & Pick<FoldWork, 'program' | 'parameters'>);

/** What a worker answers; `local` says nothing about the program. */
export type WorkerAnswer =
  | { readonly kind: 'value'; readonly value: Uint8Array }
  | { readonly kind: 'failed'; readonly class: StepFailureClass; readonly limit: bigint }
  | { readonly kind: 'local'; readonly reason: string };

function run(task: WorkerTask): Folded<CallResult> {
  // A receipt names its program and does not prove that a seat would have admitted it.
  const program = openProgram(task.program);
  if (task.kind === 'fold') return fold(program, task.values, task.fuel);
  const shown = render(program, task.parameters, task.value, task.fuel);
  return shown.ok ? shown : { ...shown, limit: task.fuel };
}

function answer(task: WorkerTask): WorkerAnswer {
  try {
    const result = run(task);
    return result.ok
      ? { kind: 'value', value: result.value }
      : { kind: 'failed', class: result.class, limit: result.limit };
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

/** Fold and render inside a web worker, one task at a time: the entry of its only script. */
import type { StepFailureClass } from '../../protocol/execution/evaluate.ts';
import type { FoldWork } from '../../protocol/receipt/audit.ts';
import { fold, openProgram, render } from '../executor/program.ts';

/** What a page asks: the two halves of {@link FoldWork}, with the fuel of each. */
export type WorkerTask = { readonly fuel: bigint } & (
  | ({ readonly kind: 'fold' } & Pick<FoldWork, 'program' | 'values'>)
  | ({ readonly kind: 'render'; readonly value: Uint8Array } & Pick<
      FoldWork,
      'program' | 'parameters'
    >)
);

/** What a worker answers; `local` says nothing about the program. */
export type WorkerAnswer =
  | { readonly kind: 'value'; readonly value: Uint8Array }
  | { readonly kind: 'failed'; readonly class: StepFailureClass }
  | { readonly kind: 'local'; readonly reason: string };

function answer(task: WorkerTask): WorkerAnswer {
  try {
    // A receipt names its program and does not prove that a seat would have admitted it.
    const program = openProgram(task.program);
    const result =
      task.kind === 'fold'
        ? fold(program, task.values, task.fuel)
        : render(program, task.parameters, task.value, task.fuel);
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

/** Fold and render what an audit leaves to do, in a web page, without ever waiting for ever. */
import { itemFailureClasses } from '../../protocol/algebra/result.ts';
import type { StepFailureClass } from '../../protocol/execution/evaluate.ts';
import { wallGuardMs } from '../../protocol/execution/fuel.ts';
import { valueBytesMax } from '../../protocol/params.ts';
import type { FoldOutcome, FoldWork } from '../../protocol/receipt/audit.ts';
import type { WorkerAnswer, WorkerTask } from './worker.ts';

export type PageSandbox = {
  /**
   * `worker.ts` with its imports as one classic script. A page that is one file carries it as a
   * text; its policy must allow `worker-src blob:` and `script-src 'wasm-unsafe-eval'`.
   */
  readonly workerSource: string;
  /** Milliseconds that a fold or a render with that much fuel may take, as on a node. */
  readonly guard?: (fuel: bigint) => number;
};

/** What we use of a browser's workers: their types come only with those of browsers. */
declare class Worker {
  constructor(url: string);
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onmessageerror: (() => void) | null;
  onerror: ((event: { readonly message?: string; preventDefault(): void }) => void) | null;
  postMessage(task: WorkerTask): void;
  terminate(): void;
}

/**
 * Folds and renders in a worker of its own, which is ended before this resolves; one that loops
 * may live on for the seconds that its browser grants. Never rejects: what this browser cannot run,
 * or not in time, is `not-run`.
 * @param work - What the audit left to do; null where it left nothing.
 */
export async function foldAndRender(
  work: FoldWork | null,
  { workerSource, guard = wallGuardMs }: PageSandbox,
): Promise<FoldOutcome> {
  if (work === null) return { kind: 'not-run', because: 'there is nothing to fold' };
  const { program, parameters, values, fuel } = work;
  const url = URL.createObjectURL(new Blob([workerSource], { type: 'text/javascript' }));
  let worker: Worker | null = null;
  try {
    worker = new Worker(url);
    const toFold = { kind: 'fold', program, values, fuel } as const;
    const folded = await ask(worker, toFold, guard(foldFuel(work)));
    if (folded.kind !== 'value') return withoutResult('fold', folded);
    const { value } = folded;
    const toShow = { kind: 'render', program, parameters, value, fuel: fuel.render } as const;
    const shown = await ask(worker, toShow, guard(fuel.render));
    if (shown.kind !== 'value') return withoutResult('render', shown);
    return { kind: 'rendered', result: shown.value };
  } catch (error) {
    // No workers here, a policy that forbids them, or memory that this browser does not have.
    return { kind: 'not-run', because: error instanceof Error ? error.message : String(error) };
  } finally {
    worker?.terminate();
    URL.revokeObjectURL(url);
  }
}

/** Most that all combines together can use: a worker does not tell when one has ended. */
function foldFuel({ values, fuel: { combine, fold } }: FoldWork): bigint {
  const all = combine * BigInt(values.length);
  return all < fold ? all : fold;
}

function withoutResult(
  step: 'fold' | 'render',
  answer: Exclude<WorkerAnswer, { readonly kind: 'value' }>,
): FoldOutcome {
  return answer.kind === 'failed'
    ? { kind: 'unrenderable', step, class: answer.class, limit: answer.limit }
    : { kind: 'not-run', because: answer.reason };
}

/** Asks a worker once. It is not to be asked again after any other answer than a value. */
function ask(worker: Worker, task: WorkerTask, wallMs: number): Promise<WorkerAnswer> {
  const local = (reason: string): WorkerAnswer => ({ kind: 'local', reason });
  return new Promise((resolve, reject) => {
    const settle = (answer: WorkerAnswer): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    const timer = setTimeout(() => settle(local(`nothing came back within ${wallMs} ms`)), wallMs);
    worker.onmessage = ({ data }) =>
      settle(isAnswer(data) ? data : local('the worker spoke nonsense'));
    worker.onmessageerror = () => settle(local('what the worker said could not be read'));
    worker.onerror = (event) => {
      event.preventDefault();
      settle(local(event.message ?? 'the worker did not start'));
    };
    try {
      worker.postMessage(task);
    } catch (error) {
      clearTimeout(timer);
      reject(error);
    }
  });
}

/** Whether something is an answer. A program that broke out of its instance may say anything. */
function isAnswer(data: unknown): data is WorkerAnswer {
  const answer = data as Partial<
    Record<'kind' | 'value' | 'class' | 'limit' | 'reason', unknown>
  > | null;
  switch (answer?.kind) {
    case 'value':
      return answer.value instanceof Uint8Array && answer.value.length <= valueBytesMax;
    case 'failed':
      return (
        itemFailureClasses.includes(answer.class as StepFailureClass) &&
        typeof answer.limit === 'bigint'
      );
    case 'local':
      return typeof answer.reason === 'string';
    default:
      return false;
  }
}

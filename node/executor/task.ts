/** Define what parent and child of the executor say to each other. */
import { isAbsolute, resolve } from 'node:path';
import { combineLimit, type FoldFuel } from '../../protocol/execution/evaluate.ts';
import type { FailureClass, ItemSource, LocalFailureClass } from '../ports.ts';
import type { Member } from './crew.ts';
import type { EngineReport, EngineVectors } from './examine.ts';

/** What a child is asked to do. Numbers and bytes are packed: a subtask may have 2^20 items. */
export type Task =
  | {
      readonly kind: 'subtask';
      readonly programPath: string;
      readonly parameters: Uint8Array;
      /** Per place. On the way to a child it is empty: parts went before. */
      readonly items: readonly ItemSource[];
      readonly plan: Int32Array;
      readonly fuel: { readonly item: bigint; readonly combine: bigint };
    }
  | CallTask
  /** Shows whether the engine does what all engines do. */
  | { readonly kind: 'examine'; readonly vectors: EngineVectors };

/** A task that comes to one value. */
export type CallTask = FoldTask | SingleTask;

type FoldTask = {
  readonly kind: 'fold';
  readonly programPath: string;
  readonly values: readonly Uint8Array[];
  readonly fuel: FoldFuel;
};

/** A task that is one call, and all that belongs to it. */
type SingleTask = { readonly programPath: string; readonly fuel: bigint } & (
  | { readonly kind: 'render'; readonly parameters: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'count'; readonly parameters: Uint8Array }
  | { readonly kind: 'sample'; readonly seed: Uint8Array }
  | {
      readonly kind: 'check';
      readonly parameters: Uint8Array;
      /** A path, or the index of a generated item. */
      readonly item: string | bigint;
      readonly value: Uint8Array;
      readonly seed: Uint8Array;
    }
);

/** Units that a whole task may use, and that a single call of it may. */
export function callLimits(task: CallTask): { readonly all: bigint; readonly each: bigint } {
  return task.kind === 'fold'
    ? { all: task.fuel.fold, each: combineLimit(task.fuel) }
    : { all: task.fuel, each: task.fuel };
}

export { placeStates } from '../../protocol/execution/evaluate.ts';

/** Most fuel of an item and of a combine, that of all combines, most bytes of an instance. */
export type Spent = {
  readonly itemMax: bigint;
  readonly combineMax: bigint;
  readonly combineSum: bigint;
  readonly memoryBytesMax: number;
  /** Fuel of all calls, of failing ones what this engine counted. */
  readonly used: bigint;
};

type ValueResult = {
  readonly kind: 'value';
  readonly value: Uint8Array;
  readonly wallMs: number;
  readonly fuel: bigint;
};

type FailedResult = {
  readonly kind: 'failed';
  readonly class: FailureClass;
  readonly reason: string;
  /** Limit of the call that failed. */
  readonly fuel: bigint;
  /** What all calls used, as this engine counted. */
  readonly used: bigint;
};

/** What a task came to, as a child tells it. */
export type TaskResult =
  | {
      readonly kind: 'subtask';
      /** One of {@link placeStates} a place. */
      readonly states: Uint8Array;
      /** 32 bytes a place. */
      readonly hashes: Uint8Array;
      /** 32 bytes a combine, or null. */
      readonly folds: Uint8Array | null;
      readonly value: Uint8Array | null;
      readonly combineFailed: boolean;
      readonly mapFuel: bigint;
      readonly spent: Spent;
      readonly slowestItemMs: number;
      /** Of the lowest failing item, or else of the failing combine. */
      readonly said: string | null;
    }
  | ValueResult
  | FailedResult
  | { readonly kind: 'examined'; readonly report: EngineReport }
  | { readonly kind: 'local'; readonly class: LocalFailureClass; readonly reason: string };

/** What a child is told: all parts of a subtask's items in order, then the task. */
export type ParentMessage =
  | { readonly kind: 'items'; readonly part: ItemPart }
  | { readonly kind: 'task'; readonly task: Task };

/** Places of one part; the last part of a subtask may have fewer. */
export const partItemCount = 8_192;

/** Some items of a subtask, packed: a million paths would not fit into a child's heap. */
export type ItemPart = {
  /** Per place the index of a generated item, or -1 for a file. */
  readonly indices: Int32Array;
  /** Per place where its path ends in `paths`. */
  readonly ends: Uint32Array;
  /** The paths as UTF-8, one after another. */
  readonly paths: Uint8Array;
};

/** Packs items, with absolute paths: a child has a directory of its own. */
export function packedItems(items: readonly ItemSource[]): ItemPart {
  const indices = new Int32Array(items.length).fill(-1);
  const ends = new Uint32Array(items.length);
  const paths: Buffer[] = [];
  let end = 0;
  for (const [place, item] of items.entries()) {
    if (item.kind === 'generated') indices[place] = item.index;
    else {
      const path = Buffer.from(isAbsolute(item.path) ? item.path : resolve(item.path));
      paths.push(path);
      end += path.length;
    }
    ends[place] = end;
  }
  return { indices, ends, paths: Buffer.concat(paths) };
}

/** The item at a place: a path, or the index of a generated item. */
export function itemAt(parts: readonly ItemPart[], place: number): string | bigint {
  const { indices, ends, paths } = parts[Math.floor(place / partItemCount)]!;
  const at = place % partItemCount;
  const index = indices[at]!;
  if (index >= 0) return BigInt(index);
  return Buffer.from(paths.buffer, paths.byteOffset, paths.length).toString(
    'utf8',
    at === 0 ? 0 : ends[at - 1]!,
    ends[at]!,
  );
}

/** What a child says. `step` feeds the wall guard. */
export type ChildMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'step' }
  | {
      readonly kind: 'end';
      readonly result: TaskResult;
      readonly residentBytes: number;
      /** It goes on more slowly than a new one would. */
      readonly worn: boolean;
    };

/** How long a task may take: in all, or from one sign of progress to the next. */
export type WallGuard = { readonly wallMs: number; readonly each: 'task' | 'step' };

/** A task that somebody waits for. */
export type Waiting = {
  readonly task: Task;
  readonly guard: WallGuard;
  readonly turn: string;
  /** Answers; a second answer is not heard. */
  readonly settle: (result: TaskResult) => void;
  /** Where it was begun; null before that. */
  member: Member | null;
};

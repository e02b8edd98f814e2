/** Define what parent and child of the executor say to each other. */
import type { LocalFailureClass } from '../ports.ts';

/** What a child is asked to do. Numbers and bytes are packed: a subtask may have 2^20 items. */
export type Task =
  | {
      readonly kind: 'subtask';
      readonly programPath: string;
      readonly parameters: Uint8Array;
      /** Per place: a path, or the index of a generated item. */
      readonly items: readonly (string | number)[];
      readonly plan: Int32Array;
    }
  | { readonly kind: 'fold'; readonly programPath: string; readonly values: readonly Uint8Array[] }
  | {
      readonly kind: 'render';
      readonly programPath: string;
      readonly parameters: Uint8Array;
      readonly value: Uint8Array;
    }
  | { readonly kind: 'count'; readonly programPath: string; readonly parameters: Uint8Array };

/** Per place of a subtask: not run, done, or why it failed. */
export const placeStates = ['skipped', 'ok', 'trap', 'bad-value'] as const;

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
      readonly slowestItemMs: number;
    }
  | { readonly kind: 'value'; readonly value: Uint8Array; readonly wallMs: number }
  | { readonly kind: 'failed'; readonly class: 'trap' | 'bad-value'; readonly reason: string }
  | { readonly kind: 'local'; readonly class: LocalFailureClass; readonly reason: string };

/** What a child says. `step` feeds the wall guard. */
export type ChildMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'step' }
  | { readonly kind: 'end'; readonly result: TaskResult; readonly residentBytes: number };

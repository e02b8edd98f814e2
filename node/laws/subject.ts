/** Say what the laws are tested on: a program in a sandbox, and items of a job. */
import type { ProgramExports } from '../../protocol/execution/abi.ts';
import type { Manifest } from '../../protocol/execution/manifest.ts';
import type { Executor, ItemSource } from '../ports.ts';

/** A program where its sandbox can read it. */
export type Subject = {
  readonly program: {
    readonly bytes: Uint8Array;
    readonly exports: ProgramExports;
    readonly manifest: Manifest;
  };
  readonly programPath: string;
  readonly parameters: Uint8Array;
  /** Folder of our own, readable by the executor. */
  readonly scratch: string;
  readonly executor: Executor;
  readonly signal: AbortSignal;
  /** Whose turn its calls take; the program's own unless given. */
  readonly turn?: string;
  /** Calls under way at once, at most; as many as there are unless given. */
  readonly callCountMax?: number;
};

/** Items of a job, as far as they are here. */
export type Items = {
  /** Items that there are; 0 without. */
  readonly count: number;
  readonly source: (index: number) => ItemSource;
  /** Bytes of an item that lies in a file; null for one that the program makes. */
  readonly bytes: (index: number) => Promise<Uint8Array | null>;
  /** Which of them are taken, in rising order; drawn by the seed unless given. */
  readonly places?: readonly number[];
  /** Whether a seat may combine just these in an order of its own: true unless given. */
  readonly together?: boolean;
};

export const noItems: Items = {
  count: 0,
  source: (index) => ({ kind: 'generated', index }),
  bytes: async () => null,
};

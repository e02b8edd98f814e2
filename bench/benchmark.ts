/** Say what a benchmark is and what it finds: figures with their spread, never a single number. */

/** Repetitions of one figure. */
export type Spread = {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly runs: number;
};

/** One figure, and what it is to be held against: a peer or a limit, measured in the same run. */
export type Row = {
  readonly what: string;
  readonly unit: string;
  readonly figure: Spread;
  /** Processor time of one repetition, this process and its children, in milliseconds. */
  readonly cpuMs?: Spread;
  /** Wall time of one repetition in milliseconds, where the figure is of processor time. */
  readonly wallMs?: Spread;
  readonly against?: {
    readonly name: string;
    readonly figure: Spread;
    /** Figure by peer, each repetition with its own peer's, so that both saw the same machine. */
    readonly ratio: Spread;
  };
  readonly note?: string;
};

/** How much of a full run is wanted. */
export type Effort = {
  /** Repetitions to make of `full`. */
  readonly runs: (full: number) => number;
};

export type Benchmark = {
  readonly name: string;
  readonly question: string;
  readonly run: (effort: Effort) => Promise<readonly Row[]>;
};

export const fullEffort: Effort = { runs: (full) => full };
/** To see that everything runs: its figures mean little. */
export const quickEffort: Effort = { runs: (full) => Math.min(full, 2) };

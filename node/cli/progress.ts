/** Show how far a job is: a few lines drawn again on a terminal, else a line per change. */
import type { TextStream } from './output.ts';

/** One lane as the person sees it. */
export type LaneView = {
  readonly accepted: boolean;
  /** Agreeing reveals so far, and how many are needed. */
  readonly votes: number;
  readonly needed: number;
};

/** What is known of a job that is under way. Every text is one line. */
export type ProgressView = {
  /** The state in a word or two: `ordered`, `running`, `revealing`. */
  readonly state: string;
  readonly elapsedMs: number;
  readonly lanes: readonly LaneView[];
  /** Parts of the whole, `subtasks` unless they are named. */
  readonly subtasks: { readonly done: number; readonly total: number; readonly name?: string };
  /** Items that were run, where a command runs some itself. */
  readonly items?: { readonly done: number; readonly total: number };
  /** The error bound so far and the one that was asked for, as texts; null before there is one. */
  readonly bound: { readonly soFar: string; readonly asked: string } | null;
  /** How much of the job the best guess so far covers; null where nobody tells. */
  readonly guess: string | null;
  /** What is awaited, from whom, until when; null when nothing is. */
  readonly awaited: string | null;
};

/** A display that is under way. */
export type Progress = {
  readonly show: (view: ProgressView) => void;
  /** Takes the drawn lines away; the next `show` draws them again. */
  readonly clear: () => void;
  readonly end: () => void;
};

/** Milliseconds between two drawings: quick enough to follow, slow enough to read. */
const redrawMs = 100;
/** Width where the terminal does not tell its own. */
const defaultWidth = 80;
const barWidth = 24;

/** Starts a display on a stream; on null it stays silent. */
export function startProgress(stream: TextStream | null, terminal: boolean): Progress {
  if (stream === null) return { show: () => {}, clear: () => {}, end: () => {} };
  return terminal ? drawing(stream) : listing(stream);
}

/** The display's lines, none longer than `width` columns. */
export function renderProgress(view: ProgressView, width: number): readonly string[] {
  const { state, elapsedMs, lanes, subtasks, items, bound, guess, awaited } = view;
  const lines = [`${state}  ${(elapsedMs / 1_000).toFixed(1)} s`];
  if (lanes.length > 0) {
    const accepted = lanes.filter((lane) => lane.accepted).length;
    lines.push(row('lanes', bar(accepted, lanes.length), `${accepted} of ${lanes.length}`));
    const open = lanes.flatMap((lane, index) => (lane.accepted ? [] : [laneText(lane, index)]));
    if (open.length > 0) lines.push(row('', open.join(', ')));
  }
  if (subtasks.total > 0) {
    const { done, total, name = 'subtasks' } = subtasks;
    lines.push(row(name, bar(done, total), `${done} of ${total}`));
  }
  if (items !== undefined && items.total > 0) {
    const { done, total } = items;
    lines.push(row('items', bar(done, total), `${done} of ${total}`));
  }
  if (bound !== null) lines.push(row('bound', `${bound.soFar} so far, ${bound.asked} asked`));
  if (guess !== null) lines.push(row('guess', `${guess}, provisional`));
  if (awaited !== null) lines.push(row('waiting', awaited));
  return lines.map((text) => cut(text, width));
}

/** The display as one plain line. */
export function progressLine(view: ProgressView): string {
  const { state, lanes, subtasks, bound, guess, awaited } = view;
  const accepted = lanes.filter((lane) => lane.accepted).length;
  return [
    state,
    ...(lanes.length > 0 ? [`${accepted} of ${lanes.length} lanes`] : []),
    ...(subtasks.total > 0 ? [partsText(subtasks)] : []),
    ...(bound === null ? [] : [`bound ${bound.soFar}`]),
    ...(guess === null ? [] : [`provisional guess for ${guess}`]),
    ...(awaited === null ? [] : [`waiting for ${awaited}`]),
  ].join(', ');
}

function partsText({ done, total, name = 'subtasks' }: ProgressView['subtasks']): string {
  return `${done} of ${total} ${name}`;
}

function drawing(stream: TextStream): Progress {
  let drawn = 0;
  let latest: ProgressView | null = null;
  let timer: NodeJS.Timeout | null = null;

  const clear = (): void => {
    if (drawn > 0) stream.write(`\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  const draw = (): void => {
    timer = null;
    if (latest === null) return;
    // One column is left free: a terminal may break a line that fills its last one.
    const lines = renderProgress(latest, Math.max(20, (stream.columns ?? defaultWidth) - 1));
    clear();
    stream.write(`${lines.join('\n')}\n`);
    drawn = lines.length;
  };
  return {
    show: (view) => {
      const first = latest === null;
      latest = view;
      if (first) draw();
      else timer ??= setTimeout(draw, redrawMs).unref();
    },
    clear,
    end: () => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      latest = null;
      clear();
    },
  };
}

function listing(stream: TextStream): Progress {
  let last = '';
  const show = (view: ProgressView): void => {
    const accepted = view.lanes.filter((lane) => lane.accepted).length;
    const stage = `${view.state} ${accepted} ${view.guess}`;
    if (stage === last) return;
    last = stage;
    stream.write(`${progressLine(view)}\n`);
  };
  return { show, clear: () => {}, end: () => {} };
}

function laneText({ votes, needed }: LaneView, index: number): string {
  return `lane ${index}: ${votes} of ${needed} agree`;
}

function row(label: string, ...parts: readonly string[]): string {
  return `  ${label.padEnd(9)} ${parts.join('  ')}`;
}

function bar(done: number, total: number): string {
  const filled = Math.floor((barWidth * done) / total);
  return '█'.repeat(filled) + '░'.repeat(barWidth - filled);
}

function cut(text: string, width: number): string {
  const letters = [...text];
  return letters.length <= width ? text : `${letters.slice(0, width - 1).join('')}…`;
}

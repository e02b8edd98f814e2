/** Write rows as a Markdown table that is also readable as it stands. */
import type { Row, Spread } from './benchmark.ts';

/** Four significant digits, and no more than make sense to a person. */
export function formatNumber(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1_000) return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ');
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1).replace(/\.0$/, '');
  return Number(value.toPrecision(3)).toString();
}

/** The median, and the range where there is one. */
export function formatSpread({ median, least, most }: Spread): string {
  const [low, middle, high] = [least, median, most].map(formatNumber);
  return low === high ? middle! : `${middle} (${low}–${high})`;
}

export function formatTable(rows: readonly Row[]): string {
  const head = ['what', 'figure', 'processor ms', 'wall ms', 'against', 'ratio', 'n', 'note'];
  const lines = rows.map(({ what, unit, figure, cpuMs, wallMs, against, note }) => [
    what,
    `${formatSpread(figure)} ${unit}`.trim(),
    cpuMs === undefined ? '' : formatSpread(cpuMs),
    wallMs === undefined ? '' : formatSpread(wallMs),
    against === undefined ? '' : `${against.name}: ${formatSpread(against.figure)}`,
    against === undefined ? '' : `${formatSpread(against.ratio)}`,
    String(figure.runs),
    note ?? '',
  ]);
  const used = head.map((_, at) => lines.some((line) => line[at] !== ''));
  const all = [head, ...lines].map((line) => line.filter((_, at) => used[at]));
  const widths = all[0]!.map((_, at) => Math.max(...all.map((line) => line[at]!.length)));
  const show = (line: readonly string[]): string =>
    `| ${line.map((cell, at) => cell.padEnd(widths[at]!)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [show(all[0]!), rule, ...all.slice(1).map(show)].join('\n');
}

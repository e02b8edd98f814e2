/** Draw what the laws are tested with: extremes, mixed magnitudes, and picks from a pool. */
import { hash } from 'node:crypto';
import { type Stream, stream } from '../../protocol/crypto/stream.ts';
import type { CutRule } from '../../protocol/execution/manifest.ts';
import { agrees, associates, commutes, keeps, type Statement } from './law.ts';
import type { Origin } from './origin.ts';

/** The stream of a seed that a person wrote. */
export function seededStream(seed: string, purpose: string): Stream {
  return stream(new Uint8Array(hash('sha256', `anwansi/check ${purpose} ${seed}`, 'buffer')));
}

/** Numbers at whose edges programs go wrong, and floats whose sum depends on the order. */
const extremeNumbers = [
  ...['0', '1', '-1', '2', '10', '0.1', '0.2', '0.3', '-0.1', '1e16', '-1e16', '1e-9', '1e308'],
  ...['-1e308', '5e-324', '3.141592653589793', '99.99', '127', '128', '-128', '255', '256'],
  ...['32767', '32768', '65535', '65536', '2147483647', '-2147483648', '4294967295'],
  ...['4294967296', '9007199254740991', '9007199254740993', '9223372036854775807'],
  ...['-9223372036854775808', '18446744073709551615', '-0', '007'],
];

const extremeFloats = [
  ...[
    0,
    -0,
    1,
    -1,
    0.1,
    0.2,
    0.3,
    -0.1,
    1e16,
    -1e16,
    1e-9,
    1e308,
    -1e308,
    5e-324,
    Math.PI,
    2 ** 53,
  ],
];

const extremeIntegers = [
  ...[0n, 1n, 2n, -1n, 127n, 128n, 255n, 256n, 32_767n, 65_535n, 2n ** 31n - 1n, 2n ** 31n],
  ...[2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 61n - 1n, 2n ** 63n - 1n, 2n ** 63n],
];

const pick = <T>(draw: Stream, list: readonly T[]): T => list[draw.below(list.length)]!;

/** An integer of a drawn number of bits. */
function drawnInteger(draw: Stream): bigint {
  const value = (BigInt(draw.below(2 ** 32)) << 32n) | BigInt(draw.below(2 ** 32));
  return value >> BigInt(draw.below(64));
}

/** A number as text: an extreme, an integer of any magnitude, or a decimal of any magnitude. */
function drawnNumber(draw: Stream): string {
  const sign = draw.below(3) === 0 ? '-' : '';
  switch (draw.below(4)) {
    case 0:
      return pick(draw, extremeNumbers);
    case 1:
      return `${sign}${BigInt.asUintN(63, drawnInteger(draw))}`;
    case 2:
      return `${sign}${draw.below(1_000)}.${String(draw.below(1_000_000)).padStart(6, '0')}`;
    default:
      return `${sign}${1 + draw.below(9)}.${draw.below(1_000_000)}e${draw.below(41) - 20}`;
  }
}

/** Eight bytes: an extreme integer or float, or one of a drawn magnitude; little-endian. */
function drawnLane(draw: Stream): Uint8Array {
  const lane = new Uint8Array(8);
  const view = new DataView(lane.buffer);
  switch (draw.below(4)) {
    case 0:
      view.setBigInt64(0, BigInt.asIntN(64, pick(draw, extremeIntegers)), true);
      break;
    case 1:
      view.setFloat64(0, pick(draw, extremeFloats), true);
      break;
    case 2:
      view.setBigUint64(0, drawnInteger(draw), true);
      break;
    default:
      view.setFloat64(0, drawnFloat(draw), true);
  }
  return lane;
}

/** A float: of any magnitude, or a decimal as people write them, which no float is exactly. */
function drawnFloat(draw: Stream): number {
  if (draw.below(2) === 0) return (draw.below(2 ** 32) - 2 ** 31) * 2 ** (draw.below(121) - 60);
  return (draw.below(2_000_001) - 1_000_000) / 10 ** (1 + draw.below(5));
}

/** An item of the job's own with some of its numbers of eight bytes near what they were. */
function nearItem(item: Uint8Array, draw: Stream): Uint8Array {
  const near = item.slice();
  const view = new DataView(near.buffer);
  const lanes = near.length >> 3;
  const isFloat = draw.below(2) === 0;
  const tenths = (draw.below(199) - 99) / 10;
  for (let at = 0; at < lanes * 8; at += 8) {
    if (lanes > 1 && draw.below(2) === 0) continue;
    const float = view.getFloat64(at, true);
    const few = BigInt(draw.below(33) - 16);
    if (isFloat && Number.isFinite(float)) view.setFloat64(at, float * tenths + 0.1, true);
    else view.setBigInt64(at, BigInt.asIntN(64, view.getBigInt64(at, true) + few), true);
  }
  return near;
}

const words = ['a', 'b', 'the', 'The', 'word', 'Word', 'é', '漢字', 'x1', 'zebra', '-', '""'];

function drawnText(draw: Stream): string {
  const field = (): string => (draw.below(3) === 0 ? pick(draw, words) : drawnNumber(draw));
  const many = <T>(most: number, make: () => T): T[] =>
    Array.from({ length: 1 + draw.below(most) }, make);
  switch (draw.below(5)) {
    case 0:
      return `${drawnNumber(draw)}\n`;
    case 1:
      return many(6, () => `${drawnNumber(draw)}\n`).join('');
    case 2:
      return many(4, () => `${many(5, field).join(',')}\n`).join('');
    case 3:
      return `${many(12, () => pick(draw, words)).join(' ')}\n`;
    default:
      return `${many(6, field).join(' ')}${draw.below(2) === 0 ? '' : '\n'}`;
  }
}

/** A line of the job's own with one of its numbers, or one of its words, put in another's place. */
function changedLine(line: Uint8Array, draw: Stream): string {
  const text = Buffer.from(line).toString('latin1');
  const found = [...text.matchAll(/-?\d+(?:\.\d+)?|[A-Za-z]+/g)];
  if (found.length === 0) return text;
  const { 0: old, index } = pick(draw, found);
  const put = draw.below(4) === 0 ? pick(draw, words) : drawnNumber(draw);
  return `${text.slice(0, index)}${put}${text.slice(index + old.length)}`;
}

/** A line of the job's own with one letter or digit for another: as long, and not the same. */
function twinLine(line: Uint8Array, draw: Stream): string {
  const text = Buffer.from(line).toString('latin1');
  const places = [...text.matchAll(/[A-Za-z0-9]/g)].map(({ index }) => index);
  if (places.length === 0) return text;
  const at = pick(draw, places);
  const put = /\d/.test(text[at]!) ? String(draw.below(10)) : pick(draw, [...'abcxyz']);
  return text.slice(0, at) + put + text.slice(at + 1);
}

/**
 * Items that another input could have, made up by the program's rule of cutting.
 * @param lines - Lines of the job's own items, or whole ones of fixed size, to be changed in places.
 */
export function madeItems(
  cut: CutRule,
  lines: readonly Uint8Array[],
  count: number,
  draw: Stream,
): Uint8Array[] {
  const lanes = (bytes: number): Uint8Array => {
    const item = new Uint8Array(Math.ceil(bytes / 8) * 8);
    for (let at = 0; at < item.length; at += 8) item.set(drawnLane(draw), at);
    return item.subarray(0, bytes);
  };
  return Array.from({ length: count }, () => {
    if (cut.kind === 'fixed')
      return lines.length > 0 && draw.below(2) === 0
        ? nearItem(pick(draw, lines), draw)
        : lanes(cut.bytes);
    const kind = draw.below(6);
    // Beside text of the job's own, bytes of any kind are rare: examples shall be readable.
    if (kind === 0 && (lines.length === 0 || draw.below(4) === 0))
      return lanes(8 * (1 + draw.below(4)));
    const own = kind <= 3 && lines.length > 0;
    const change = kind === 3 ? twinLine : changedLine;
    const text = own ? change(pick(draw, lines), draw) : drawnText(draw);
    return Uint8Array.from(Buffer.from(text, own ? 'latin1' : 'utf8'));
  });
}

/** Seeds for `anw_sample`: all equal bytes, extremes in each lane, and any. */
export function sampleSeeds(count: number, draw: Stream): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => {
    if (at < 2) return new Uint8Array(32).fill(at === 0 ? 0 : 255);
    const seed = new Uint8Array(32);
    for (let lane = 0; lane < 32; lane += 8) {
      const bytes =
        at % 3 === 0 ? Uint8Array.from({ length: 8 }, () => draw.below(256)) : drawnLane(draw);
      if (at % 3 !== 1 || lane === 0) seed.set(bytes, lane);
    }
    return seed;
  });
}

/** Groups of origins, one a way of coming to values, so that none crowds out another. */
export type Pool = readonly (readonly Origin[])[];

function pickOrigin(pool: Pool, draw: Stream): Origin {
  return pick(draw, pick(draw, pool));
}

/** The statement of one run. The pool has a group, and no group is empty. */
export function drawStatement(run: number, groups: Pool, draw: Stream): Statement {
  // Values of one kind are of one magnitude: sums of these round, where others are absorbed.
  const pool = draw.below(2) === 0 ? groups : [pick(draw, groups)];
  const a = pickOrigin(pool, draw);
  // A value beside itself shows what duplicates do.
  const b = draw.below(4) === 0 ? a : pickOrigin(pool, draw);
  const place = run % 10;
  if (place === 9) return keeps(a, draw.below(2) === 0 ? 'left' : 'right');
  if (place === 3 || place === 7) {
    const more = Array.from({ length: 1 + draw.below(6) }, () => pickOrigin(pool, draw));
    return agrees('canonical', [a, b, ...more], draw);
  }
  return place % 4 === 0 ? commutes(a, b) : associates(a, b, pickOrigin(pool, draw));
}

/** Which of `count` items are looked at: the first, the last, and some between. */
export function drawnIndices(count: number, most: number, draw: Stream): number[] {
  if (count <= most) return Array.from({ length: count }, (_, index) => index);
  const chosen = new Set([0, 1, count - 1]);
  while (chosen.size < most) chosen.add(draw.below(count));
  return [...chosen].sort((a, b) => a - b);
}

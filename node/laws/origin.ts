/** Say where a value comes from, so that it can be made again, made simpler, and told. */
import { isUtf8 } from 'node:buffer';
import { hex } from '../../protocol/brand.ts';
import type { CutRule } from '../../protocol/execution/manifest.ts';

/** How a program came to a value. Each can be reached by a job, or is vouched for by `anw_sample`. */
export type Origin =
  /** `map` of an item of the job at hand. */
  | { readonly kind: 'item'; readonly index: number }
  /** `map` of an item made up, as another input could have it. */
  | { readonly kind: 'made'; readonly bytes: Uint8Array }
  /** `anw_sample` of 32 bytes. */
  | { readonly kind: 'sample'; readonly seed: Uint8Array }
  /** Values combined from left to right. */
  | { readonly kind: 'fold'; readonly parts: readonly Origin[] }
  /** A value combined with itself, and that with itself, so many times. */
  | { readonly kind: 'doubled'; readonly part: Origin; readonly times: number }
  /** The value of no bytes. */
  | { readonly kind: 'empty' };

/** Twenty doublings are as many items as a job may have. */
export const doublingMax = 20;

/** What is known of the job's items: their bytes, or null where the program makes them. */
export type ItemBytes = (index: number) => Uint8Array | null;

/** A text that is equal for equal origins only. */
export function originKey(origin: Origin): string {
  switch (origin.kind) {
    case 'item':
      return `i${origin.index}`;
    case 'made':
      return `m${hex(origin.bytes)}`;
    case 'sample':
      return `s${hex(origin.seed)}`;
    case 'fold':
      return `(${origin.parts.map(originKey).join(' ')})`;
    case 'doubled':
      return `${originKey(origin.part)}*${origin.times}`;
    case 'empty':
      return '0';
  }
}

/** The items of the job that a value is folded of; null where anything else is in it. */
export function jobItems(origin: Origin): readonly number[] | null {
  if (origin.kind === 'item') return [origin.index];
  if (origin.kind !== 'fold') return null;
  const items: number[] = [];
  for (const part of origin.parts) {
    const some = jobItems(part);
    if (some === null) return null;
    items.push(...some);
  }
  return items;
}

/**
 * Origins that are simpler than one, the simplest first. Each step makes it smaller, so that
 * whoever goes on from the first that will do comes to an end.
 */
export function simplerOrigins(origin: Origin, cut: CutRule, itemBytes: ItemBytes): Origin[] {
  switch (origin.kind) {
    case 'item': {
      const bytes = itemBytes(origin.index);
      if (bytes !== null) return simplerItems(bytes, cut).map((part) => made(part));
      const indices = [0, 1, origin.index >> 1, origin.index - 1];
      return [...new Set(indices)]
        .filter((index) => index >= 0 && index < origin.index)
        .map((index) => ({ kind: 'item', index }));
    }
    case 'made':
      return simplerItems(origin.bytes, cut).map((part) => made(part));
    case 'sample':
      return simplerBytes(origin.seed).map((seed) => ({ kind: 'sample', seed }));
    case 'fold':
      return simplerFolds(origin.parts, cut, itemBytes);
    case 'doubled': {
      const { part, times } = origin;
      const fewer = [...new Set([times >> 1, times - 1])].filter((some) => some > 0);
      const smaller = simplerOrigins(part, cut, itemBytes).slice(0, 8);
      return [
        part,
        ...fewer.map((some) => ({ ...origin, times: some })),
        ...smaller.map((one) => ({ ...origin, part: one })),
      ];
    }
    case 'empty':
      return [];
  }
}

const made = (bytes: Uint8Array): Origin => ({ kind: 'made', bytes });

function simplerFolds(parts: readonly Origin[], cut: CutRule, itemBytes: ItemBytes): Origin[] {
  const fold = (some: readonly Origin[]): Origin[] =>
    some.length === 0 || some.length === parts.length
      ? []
      : [some.length === 1 ? some[0]! : { kind: 'fold', parts: some }];
  const half = parts.length >> 1;
  const found = [
    ...parts.slice(0, 12),
    ...fold(parts.slice(0, half)),
    ...fold(parts.slice(half)),
    ...parts.slice(0, 24).flatMap((_, left) => fold(parts.filter((__, at) => at !== left))),
  ];
  if (parts.length > 3) return found;
  return [
    ...found,
    ...parts.flatMap((part, at) =>
      simplerOrigins(part, cut, itemBytes)
        .slice(0, 8)
        .map((one): Origin => ({ kind: 'fold', parts: parts.with(at, one) })),
    ),
  ];
}

/** Bytes of which fewer are not zero. */
function simplerBytes(bytes: Uint8Array): Uint8Array[] {
  const used = [...bytes.keys()].filter((at) => bytes[at] !== 0);
  const without = (places: readonly number[]): Uint8Array => {
    const copy = bytes.slice();
    for (const place of places) copy[place] = 0;
    return copy;
  };
  const half = used.length >> 1;
  const groups = [used, used.slice(half), used.slice(0, half), ...used.slice(0, 32).map(one)];
  return groups.filter((places) => places.length > 0).map(without);
}

const one = (place: number): number[] => [place];

const wordPattern = /-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[A-Za-z]+/g;

/** Items that the same rule of cutting could give, and that are smaller. */
function simplerItems(bytes: Uint8Array, cut: CutRule): Uint8Array[] {
  if (cut.kind === 'fixed') return simplerBytes(bytes);
  const text = Buffer.from(bytes).toString('latin1');
  const lines = text.split(/(?<=\n)/);
  const texts: string[] = [];
  if (lines.length > 1) {
    const half = lines.length >> 1;
    texts.push(...lines.slice(0, 16), lines.slice(0, half).join(''), lines.slice(half).join(''));
    for (let left = 0; left < Math.min(lines.length, 16); left++)
      texts.push(lines.filter((_, at) => at !== left).join(''));
  }
  if (text.length <= 256)
    for (const { 0: word, index } of text.matchAll(wordPattern))
      for (const shorter of ['0', '1', word.slice(0, word.length >> 1), word.slice(0, -1)])
        if (shorter.length < word.length && shorter !== '' && shorter !== '-')
          texts.push(text.slice(0, index) + shorter + text.slice(index + word.length));
  if (lines.length === 1 && text.length > 1)
    texts.push(text.slice(0, text.length >> 1), text.slice(text.length >> 1), text.slice(0, -1));
  const shorter = [...new Set(texts)]
    .filter((one) => one.length > 0 && one.length < text.length)
    .map((one) => Uint8Array.from(Buffer.from(one, 'latin1')));
  if (isPrintable(text)) return shorter;
  // What can be read is simpler than what cannot.
  const readable = bytes.length > 64 ? [] : ['a', 'b', '1'].map((one) => one.repeat(bytes.length));
  return [...readable.map((one) => Buffer.from(one)), ...shorter, ...simplerBytes(bytes)];
}

function isPrintable(text: string): boolean {
  return /^[\x20-\x7e\t\r\n]*$/.test(text);
}

const shownBytesMax = 48;

/**
 * Bytes as a person reads them: a text in quotes, else hexadecimal.
 * @param length - Bytes in all, where only the first ones are here.
 */
export function shownBytes(bytes: Uint8Array, length = bytes.length): string {
  if (length === 0) return 'no bytes';
  const shown = bytes.subarray(0, shownBytesMax);
  const more = length > shownBytesMax ? `… (${length} bytes)` : '';
  const text = shownText(shown.length < length ? wholeLetters(shown) : shown);
  return `${text ?? `0x${hex(shown)}`}${more}`;
}

/** A text in quotes, with escapes for marks that steer a line; null for bytes that are none. */
function shownText(bytes: Uint8Array): string | null {
  const text = Buffer.from(bytes).toString('utf8');
  // What has control characters, or letters that nobody assigned, is rather a number.
  if (bytes.length === 0 || !isUtf8(bytes) || /[^\P{C}\p{Cf}\t\r\n]/u.test(text)) return null;
  return JSON.stringify(text).replace(
    /[\p{Cf}\u2028\u2029]/gu,
    (mark) => `\\u{${mark.codePointAt(0)!.toString(16)}}`,
  );
}

/** Bytes without a letter of UTF-8 at their end that was cut through. */
export function wholeLetters(bytes: Uint8Array): Uint8Array {
  const tail = bytes.subarray(-3);
  // The last byte that begins a letter, and how many are to follow it.
  const at = tail.findLastIndex((byte) => (byte & 0xc0) !== 0x80);
  const first = tail[at] ?? 0;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  return at >= 0 && at + length > tail.length ? bytes.subarray(0, at - tail.length) : bytes;
}

/** Tell by what was measured that a job is bound to fail, before anybody pays for it. */
import { shownBytes, wholeLetters } from '../laws/origin.ts';
import type { FailureClass } from '../ports.ts';
import { ClientError } from './error.ts';
import type { FailingLines } from './failing-lines.ts';
import { type FuelLimits, formatFuel } from './fuel.ts';
import type { ItemPlace, Measured, MeasuredItem } from './measure.ts';

/** What failed on this machine, as it will on every other one. */
export type Foreseen = {
  readonly class: FailureClass;
  /** What this machine's engine says of it, for people; null where it says nothing. */
  readonly said: string | null;
  /** Units within which it failed. */
  readonly limit: bigint;
} & (
  | {
      readonly what: 'item';
      readonly item: number;
      readonly place: ItemPlace | null;
      /** Fewer lines of it that fail as it does; null where none are known. */
      readonly lines: FailingLines | null;
      /** Items that were tried, and those of them that failed. */
      readonly tried: number;
      readonly failed: number;
    }
  /** The item is the one whose value was to be taken in. */
  | { readonly what: 'combine'; readonly item: number }
  /** Items whose values had been folded. */
  | { readonly what: 'render'; readonly items: number }
);

const codes = {
  item: 'ITEM_FAILED',
  combine: 'COMBINE_FAILED',
  render: 'RENDER_FAILED',
} as const satisfies Readonly<Record<Foreseen['what'], string>>;

/** The stable code of what is foreseen. */
export function foreseenCode({ what }: Foreseen): (typeof codes)[Foreseen['what']] {
  return codes[what];
}

/**
 * Why a job with these limits will fail, what decides first: its lowest failing item, a combine,
 * the rendering. What only ran out of less fuel than the job would give it is no failure.
 */
export function foreseenFailures(measured: Measured, limits: FuelLimits): readonly Foreseen[] {
  const { items, combine, render } = measured;
  const found: Foreseen[] = [];
  const failing = items.filter((item) => item.class !== null);
  const sure = failing.find((item) => isSure(item.class!, item.fuel, limits.item));
  if (sure !== undefined)
    found.push({
      ...{ what: 'item', item: sure.index, class: sure.class!, said: sure.said, place: sure.place },
      lines: sure.lines,
      ...{ limit: sure.fuel, tried: items.length, failed: failing.length },
    });
  const had = measured.limits;
  if (combine?.class != null && isSure(combine.class, had.combine, limits.combine)) {
    const { class: failure, said, index } = combine;
    found.push({ what: 'combine', item: index!, class: failure, said, limit: had.combine });
  }
  if (render?.class != null && isSure(render.class, had.render, limits.render)) {
    const folded = items.length - failing.length;
    const { class: failure, said } = render;
    found.push({ what: 'render', items: folded, class: failure, said, limit: had.render });
  }
  return found;
}

/** Only of what ran out of fuel can it be that more would have done. */
function isSure(failure: FailureClass, had: bigint, limit: bigint): boolean {
  return failure !== 'out-of-fuel' || had >= limit;
}

/** What ran out of less fuel than the job will give it, in sentences without full stops. */
export function openEnds({ items, combine, render, limits: had }: Measured, limits: FuelLimits) {
  const longer = (what: string, name: keyof FuelLimits): string =>
    `${what} takes more than the ${formatFuel(had[name])} units of fuel within which it is ` +
    `measured; the job gives it ${formatFuel(limits[name])}`;
  const ran = (failure: FailureClass | null | undefined, name: keyof FuelLimits): boolean =>
    failure === 'out-of-fuel' && had[name] < limits[name];
  const dear = items.find((item) => ran(item.class, 'item') && item.fuel === had.item);
  return [
    ...(dear === undefined ? [] : [longer(`item ${dear.index}`, 'item')]),
    ...(ran(combine?.class, 'combine') ? [longer('a combine', 'combine')] : []),
    ...(ran(render?.class, 'render') ? [longer('the rendering', 'render')] : []),
  ];
}

/** What is foreseen, in a sentence without its full stop. */
export function foreseenSentence(failure: Foreseen): string {
  const said = failure.said === null ? '' : ` (${failure.said})`;
  const ranOut = failure.class === 'out-of-fuel';
  const units = `${formatFuel(failure.limit)} units of fuel`;
  const ended = (all: string): string =>
    ranOut
      ? `used up ${units} here, all that ${all}${said}`
      : `failed here: ${failure.class}${said}`;
  switch (failure.what) {
    case 'item': {
      const { item: index, place, lines } = failure;
      return `${itemText({ index, place, lines })} ${ended('the job would give it')}${linesText(lines)}`;
    }
    case 'combine':
      return `combining the value of item ${failure.item} with those before it ${ended('the job would give a combine')}`;
    case 'render': {
      const of = failure.items === 1 ? 'one item' : `${failure.items} items`;
      return `anw_render, on the value of ${of}, ${ended('the job would give it')}`;
    }
  }
}

/** An item, where it lies and, where no lines of it are told, how it begins. */
export function itemText(item: Pick<MeasuredItem, 'index' | 'place' | 'lines'>): string {
  const { index, place, lines } = item;
  if (place === null) return `item ${index}`;
  const { start, bytes, head } = place;
  const last = start + Math.max(bytes, 1) - 1;
  if (lines !== null) return `item ${index}, bytes ${start} to ${last} of the input,`;
  const some = head.subarray(0, shownMax);
  const begins = shownBytes(bytes > shownMax ? wholeLetters(some) : some);
  return `item ${index}, bytes ${start} to ${last} of the input, ${begins}${bytes > shownMax ? '…' : ''},`;
}

const shownMax = 40;

/** That fewer lines of an item fail too, behind what is said of the item; empty without. */
export function linesText(lines: FailingLines | null): string {
  if (lines === null) return '';
  const { first, last, of, least } = lines;
  const where = of === 'input' ? 'of the input' : 'of that item';
  const text = shownLine(lines);
  if (first === last) return `; so does line ${last} ${where}: ${text}`;
  const end = least ? `the last of them: ${text}` : 'which is as far as the search came';
  return `; so do lines ${first} to ${last} ${where}, ${end}`;
}

const lineLengthMax = 80;

/** How a line begins, in quotes, with escapes for what steers a terminal; else hexadecimal. */
export function shownLine({ text: bytes }: Pick<FailingLines, 'text'>): string {
  // The last letter may have been cut through.
  const letters = [...new TextDecoder().decode(bytes)];
  const shown = letters.slice(0, lineLengthMax);
  if (shown.includes('\ufffd')) return shownBytes(bytes);
  const escaped = JSON.stringify(shown.join('')).replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (letter) => `\\u{${letter.codePointAt(0)!.toString(16)}}`,
  );
  return `${escaped}${letters.length > lineLengthMax ? '…' : ''}`;
}

/** What may be behind a trap that the engine speaks of in its own words; null for any other. */
export function trapHint(said: string | null): string | null {
  if (said?.includes('memory access out of bounds') !== true) return null;
  return (
    'An index may lie outside of its array; or, in C, the stack may be full: it has 64 KiB, ' +
    'which large local arrays and deep recursion use up.'
  );
}

/** @throws ClientError ITEM_FAILED, COMBINE_FAILED, RENDER_FAILED where a job is bound to fail */
export function refuseForeseen(measured: Measured, limits: FuelLimits): void {
  const [failure] = foreseenFailures(measured, limits);
  if (failure === undefined) return;
  const code = foreseenCode(failure);
  throw new ClientError({ code, failure, sentence: foreseenSentence(failure) });
}

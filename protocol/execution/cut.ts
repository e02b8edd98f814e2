/** Cut an input into items so that no word straddles two of them. */
import { assert, mark } from '../assert.ts';
import { itemBytesMax, itemBytesTarget, itemCountMax } from '../params.ts';
import type { CutRule } from './manifest.ts';
import { InputError } from './rejection.ts';

const lineFeed = 0x0a;

/** Whether text may be cut behind a byte: below 0x80, neither letter nor digit. */
function separates(byte: number): boolean {
  if (byte >= 0x80) return false;
  const letter = byte | 0x20;
  return !((byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x7a));
}

/**
 * Cuts a stream into items. The items depend on the stream and the rule alone, never on how the
 * stream was chopped into chunks. Holds at most one item and one chunk of the caller's.
 *
 * An empty stream has no items; it is the caller who refuses it.
 * @see spec/protocol/execution.md X15 to X22
 */
export class Cutter {
  readonly #rule: CutRule;
  #buffer: Uint8Array = new Uint8Array(0);
  /** What is held lies in the buffer from `start` to `end`. */
  #start = 0;
  #end = 0;
  /** How many of the held bytes are known to have no place to cut; 0 before the first look. */
  #searched = 0;
  #offset = 0;
  #count = 0;
  #ended = false;

  constructor(rule: CutRule) {
    this.#rule = rule;
  }

  /**
   * Takes the next bytes of the stream and returns the items that they complete.
   * @throws {@link InputError} `INPUT_UNSPLITTABLE` or `INPUT_TOO_MANY_ITEMS`; the cutter is over.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    assert(!this.#ended, 'nothing follows the end of a stream');
    const items: Uint8Array[] = [];
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + itemBytesTarget);
      this.#hold(part);
      at += part.length;
      for (let cut = this.#cut(); cut > 0; cut = this.#cut()) items.push(this.#take(cut));
    }
    return items;
  }

  /**
   * Ends the stream and returns its last item, if any.
   * @throws {@link InputError} `INPUT_TOO_MANY_ITEMS`
   */
  finish(): Uint8Array[] {
    assert(!this.#ended, 'a stream ends once');
    this.#ended = true;
    if (this.#start === this.#end) return [];
    mark('X17');
    return [this.#take(this.#end - this.#start)];
  }

  #hold(part: Uint8Array): void {
    const held = this.#buffer.subarray(this.#start, this.#end);
    const needed = held.length + part.length;
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(2 * itemBytesTarget, this.#buffer.length * 2, needed));
      grown.set(held);
      this.#buffer = grown;
    } else this.#buffer.set(held);
    this.#buffer.set(part, held.length);
    this.#start = 0;
    this.#end = needed;
  }

  /** Length of the next item, or 0 when more of the stream must be seen. */
  #cut(): number {
    const held = this.#end - this.#start;
    switch (this.#rule.kind) {
      case 'whole':
        if (held > itemBytesMax) this.#unsplittable();
        mark('X15');
        return 0;
      case 'fixed':
        mark('X16');
        return held >= this.#rule.bytes ? this.#rule.bytes : 0;
      case 'lines':
        return held > itemBytesTarget ? this.#cutText(held) : 0;
    }
  }

  #cutText(held: number): number {
    const bytes = this.#buffer.subarray(this.#start, this.#end);
    if (this.#searched === 0) {
      const line = bytes.lastIndexOf(lineFeed, itemBytesTarget - 1);
      if (line >= 0) {
        mark('X18');
        return line + 1;
      }
      for (let at = itemBytesTarget - 1; at >= 0; at--) {
        if (!separates(bytes[at]!)) continue;
        mark('X19');
        return at + 1;
      }
      this.#searched = itemBytesTarget;
    }
    const end = Math.min(held, itemBytesMax);
    for (let at = this.#searched; at < end; at++) {
      if (!separates(bytes[at]!)) continue;
      mark('X20');
      return at + 1;
    }
    this.#searched = end;
    if (held > itemBytesMax) this.#unsplittable();
    return 0;
  }

  #take(length: number): Uint8Array {
    if (this.#count === itemCountMax) {
      mark('X22');
      this.#ended = true;
      throw new InputError({ code: 'INPUT_TOO_MANY_ITEMS', itemCountMax });
    }
    const item = this.#buffer.slice(this.#start, this.#start + length);
    this.#start += length;
    this.#offset += length;
    this.#searched = 0;
    this.#count += 1;
    return item;
  }

  #unsplittable(): never {
    mark('X21');
    this.#ended = true;
    throw new InputError({ code: 'INPUT_UNSPLITTABLE', offset: this.#offset, itemBytesMax });
  }
}

/** The items of an input that is at hand whole. @throws {@link InputError} as the cutter does. */
export function cutInput(rule: CutRule, input: Uint8Array): Uint8Array[] {
  const cutter = new Cutter(rule);
  const items = cutter.push(input);
  items.push(...cutter.finish());
  return items;
}

/** Write bytes of a WebAssembly binary into a buffer that grows. */

/** A place to append to. */
export class Writer {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 1024) {
    this.bytes = new Uint8Array(capacity);
  }

  /** What was written so far; only until the next write. */
  get written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  #reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.written);
    this.bytes = grown;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.#reserve(1);
    this.bytes[this.length++] = value;
  }

  /** Bytes one by one: opcodes and what is as short. */
  op(...values: readonly number[]): void {
    for (const value of values) this.byte(value);
  }

  /** `bytes[from..to)`. */
  copy(bytes: Uint8Array, from = 0, to = bytes.length): void {
    const count = to - from;
    this.#reserve(count);
    // Most pieces are a few bytes, for which a view costs more than a loop.
    if (count > 64) this.bytes.set(bytes.subarray(from, to), this.length);
    else for (let at = 0; at < count; at++) this.bytes[this.length + at] = bytes[from + at]!;
    this.length += count;
  }

  /** An unsigned LEB128 integer below 2^53. */
  unsigned(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  /** A signed LEB128 integer from 0 to 2^53. */
  signed(value: number): void {
    let rest = value;
    while (rest >= 0x40) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  /** The length of the bytes, then the bytes. */
  sized(bytes: Uint8Array): void {
    this.unsigned(bytes.length);
    this.copy(bytes);
  }
}

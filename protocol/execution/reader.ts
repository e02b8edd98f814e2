/** Read bytes of a WebAssembly binary, never beyond a given end. */
import { mark } from '../assert.ts';
import { ProgramError } from './rejection.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A cursor over `bytes[at..end)`. Every read is bounds-checked. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  /** @throws {@link ProgramError} `PROGRAM_MALFORMED`, always. */
  malformed(reason: string): never {
    mark('X3');
    throw new ProgramError('PROGRAM_MALFORMED', this.at, reason);
  }

  byte(): number {
    if (this.at >= this.end) this.malformed('the module ends in the middle of a value');
    return this.bytes[this.at++]!;
  }

  /** An unsigned LEB128 integer below 2^32, at most five bytes. */
  u32(): number {
    let value = 0;
    for (let place = 0; place < 5; place++) {
      const byte = this.byte();
      if (place === 4 && byte > 0x0f) this.malformed('an integer exceeds 32 bits');
      value += (byte & 0x7f) * 2 ** (7 * place);
      if (byte < 0x80) return value;
    }
    return this.malformed('an integer exceeds five bytes');
  }

  /** Passes over bytes. */
  skip(count: number): void {
    if (count > this.end - this.at) this.malformed(`${count} bytes exceed what is left`);
    this.at += count;
  }

  /** Passes over a LEB128 integer of at most `bytesMax` bytes, whatever its value. */
  skipInteger(bytesMax: number): void {
    for (let count = 0; count < bytesMax; count++) if (this.byte() < 0x80) return;
    this.malformed(`an integer exceeds ${bytesMax} bytes`);
  }

  /** An index below `count`. */
  index(count: number, what: string): number {
    const index = this.u32();
    if (index >= count) this.malformed(`${what} ${index} does not exist`);
    return index;
  }

  /** A reader of the next `length` bytes; this one goes on behind them. */
  part(length: number): Reader {
    if (length > this.end - this.at) this.malformed(`${length} bytes exceed what is left`);
    const part = new Reader(this.bytes, this.at, this.at + length);
    this.at += length;
    return part;
  }

  /** A name: its length, then that many bytes of UTF-8. */
  name(): string {
    const { bytes, at, end } = this.part(this.u32());
    try {
      return decoder.decode(bytes.subarray(at, end));
    } catch {
      return this.malformed('a name is not UTF-8');
    }
  }

  /** A count, then as many values; each takes at least a byte, which bounds the count. */
  list<T>(read: (reader: this) => T): T[] {
    const values: T[] = [];
    this.each((reader) => values.push(read(reader)));
    return values;
  }

  /** The same without keeping the values; says how many there were. */
  each(read: (reader: this) => void): number {
    const count = this.count();
    for (let i = 0; i < count; i++) read(this);
    return count;
  }

  /** A count of entries that take at least a byte each. */
  count(): number {
    const count = this.u32();
    if (count > this.end - this.at) this.malformed(`${count} entries exceed what is left`);
    return count;
  }

  /** Demands that everything was read. */
  finish(): void {
    if (!this.done) this.malformed(`${this.end - this.at} bytes too many`);
  }
}

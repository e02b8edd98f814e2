/** Count the items of an encoding before anything is built from it. */

/**
 * Whether bytes hold at most `headsMax` CBOR items, as far as their heads tell. It allocates
 * nothing: eight megabytes of empty lists would else become eight million objects before any
 * shape is looked at. What is malformed passes here and is refused by the decoder.
 */
export function headsWithin(bytes: Uint8Array, headsMax: number): boolean {
  let heads = 0;
  for (let at = 0; at < bytes.length; ) {
    heads += 1;
    if (heads > headsMax) return false;
    const major = bytes[at]! >> 5;
    const short = bytes[at]! & 31;
    at += 1;
    let argument = short;
    if (short >= 24 && short <= 27) {
      const width = 1 << (short - 24);
      argument = 0;
      for (let i = 0; i < width; i++) argument = argument * 256 + (bytes[at + i] ?? 0);
      at += width;
    } else if (short > 27) return true;
    // Only the contents of byte strings and texts are no heads.
    if (major === 2 || major === 3) at += argument;
  }
  return true;
}

/** Show texts of strangers as lines: no control characters, no more than a line holds. */

/** A text without line ends, escape sequences and marks of direction, cut to `lengthMax`. */
export function plainText(text: string, lengthMax: number): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();
  return line.length <= lengthMax ? line : `${line.slice(0, lengthMax - 1)}…`;
}

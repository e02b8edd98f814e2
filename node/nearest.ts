/** Find the word that somebody meant. */

/** Letters to insert, remove or change to make `b` of `a`. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The word that is likest to what was written, or null when none is like it. */
export function nearestWord(written: string, words: readonly string[]): string | null {
  const reach = Math.max(2, Math.floor(written.length / 3));
  let best: { word: string; distance: number } | null = null;
  for (const word of words) {
    const distance = editDistance(written.toLowerCase(), word.toLowerCase());
    if (distance <= reach && (best === null || distance < best.distance)) best = { word, distance };
  }
  return best?.word ?? null;
}

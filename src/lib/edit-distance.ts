// Finds what somebody probably meant: the nearest of the known words, for "did you mean" hints on
// settings, environment variables and options. Never on a hot path.

/** How many letters must be inserted, removed or replaced to turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  // Row i holds the distances between the first i letters of `a` and every prefix of `b`.
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}

/**
 * The known word nearest to `word`, or null when none is near enough to be a likely slip of the
 * fingers (a third of the letters wrong is too much).
 */
export function nearest(word: string, known: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** "; did you mean 'x'?" or "", ready to be put behind a sentence about an unknown word. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const meant = nearest(word, known);
  return meant === null ? "" : `; did you mean '${meant}'?`;
}

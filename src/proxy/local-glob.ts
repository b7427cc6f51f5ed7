/**
 * Redis' glob patterns, without regard to case: `*`, `?`, `[a-z]`, `[^a]` and `\` before a
 * character that stands for itself. For the names of parameters in CONFIG GET.
 */

export function hasGlob(pattern: string): boolean {
  return /[*?[]/.test(pattern);
}

/**
 * Does all of `text` match? Only the last `*` is ever tried again, one character further on: what
 * stands between two stars is best matched as early as possible. So no pattern is expensive.
 */
export function globMatches(pattern: string, text: string): boolean {
  const wanted = pattern.toLowerCase();
  const given = text.toLowerCase();
  let p = 0;
  let t = 0;
  let afterStar = -1;
  let retryAt = 0;
  while (t < given.length || p < wanted.length) {
    if (wanted[p] === "*") {
      afterStar = ++p;
      retryAt = t;
      continue;
    }
    if (p < wanted.length && t < given.length && elementHolds(wanted, p, given[t])) {
      p = elementEnd(wanted, p);
      t++;
      continue;
    }
    if (afterStar < 0 || retryAt >= given.length) return false;
    p = afterStar;
    t = ++retryAt;
  }
  return true;
}

/** Where the element that begins at `p` ends: a class, an escaped character, or one character. */
function elementEnd(pattern: string, p: number): number {
  if (pattern[p] === "[") return classEnd(pattern, p) + 1;
  return pattern[p] === "\\" && p + 1 < pattern.length ? p + 2 : p + 1;
}

function elementHolds(pattern: string, p: number, char: string): boolean {
  if (pattern[p] === "?") return true;
  if (pattern[p] === "[") return classHolds(pattern, p + 1, classEnd(pattern, p), char);
  const isEscaped = pattern[p] === "\\" && p + 1 < pattern.length;
  return pattern[isEscaped ? p + 1 : p] === char;
}

/** Index of the `]` that closes the class opened at `open`, or of the end when none does. */
function classEnd(pattern: string, open: number): number {
  let i = open + 1;
  while (i < pattern.length && pattern[i] !== "]") i += pattern[i] === "\\" ? 2 : 1;
  return Math.min(i, pattern.length);
}

function classHolds(pattern: string, from: number, to: number, char: string): boolean {
  let i = from;
  const isNegated = pattern[i] === "^";
  if (isNegated) i++;
  let holds = false;
  while (i < to) {
    if (pattern[i] === "\\" && i + 1 < to) i++;
    const low = pattern[i];
    if (pattern[i + 1] === "-" && i + 2 < to) {
      const high = pattern[i + 2];
      if (low <= high ? char >= low && char <= high : char >= high && char <= low) holds = true;
      i += 3;
    } else {
      if (low === char) holds = true;
      i++;
    }
  }
  return holds !== isNegated;
}

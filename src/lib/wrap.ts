// Texts for terminals: no line is longer than the 80 columns that every terminal has.

const COLUMNS = 80;

/** The first line begins with `head`, the others with so many spaces. A long word stays whole. */
export function wrapped(text: string, head = "", indent = head.length): string[] {
  const lines: string[] = [];
  let line = head;
  let words = 0;
  for (const word of text.split(" ")) {
    if (words > 0 && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = " ".repeat(indent) + word;
      words = 1;
    } else {
      line += words === 0 ? word : ` ${word}`;
      words += 1;
    }
  }
  return [...lines, line];
}

export type Entry = readonly [word: string, meaning: string];

/** How wide the words of a listing are. */
export function wordWidth(entries: readonly Entry[]): number {
  return Math.max(...entries.map(([word]) => word.length));
}

/** Words, and beside each what it means. Several listings of one width stand below one another. */
export function listing(entries: readonly Entry[], width = wordWidth(entries)): string[] {
  return entries.flatMap(([word, meaning]) => wrapped(meaning, `  ${word.padEnd(width + 2)}`));
}

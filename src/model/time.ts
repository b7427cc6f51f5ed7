// Time stamps as the original programs print them. Nobody parses them; they are for reading.

/** "2026-11-22 17:09:37.616391726 +0000 UTC m=+0.006173277": a moment, and seconds since start. */
export function timeText(atMs: number, secondsSinceStart: number): string {
  const iso = new Date(atMs).toISOString(); // 2026-11-22T17:09:37.616Z
  const stamp = `${iso.slice(0, 10)} ${iso.slice(11, 23)}000000 +0000 UTC`;
  return `${stamp} m=+${Math.max(0, secondsSinceStart).toFixed(9)}`;
}

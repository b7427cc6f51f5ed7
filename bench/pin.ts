// With --pin the proxies and the servers share the first processor and the load has the others.
// Else the scheduler moves them about, and on two processors that doubles the figures of one second
// and halves those of the next (docs/performance.md). With more processors there is room for all.
import { cpus } from "node:os";

/** What the load runs on. */
export function loadProcessors(): string {
  const last = cpus().length - 1;
  if (last === 0) throw new Error("--pin needs a machine with two processors");
  return `1-${last}`;
}

/** Also for what the process will start. */
export function pinToFirst(pid: number): void {
  const { success, stderr } = Bun.spawnSync(["taskset", "-apc", "0", String(pid)]);
  if (!success) throw new Error(`taskset: ${stderr.toString().trim()}`);
}

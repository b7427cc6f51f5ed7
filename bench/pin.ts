// Which processors a run uses. Pinned, the proxies and the servers share the first one and the load
// has the others. Else the scheduler moves them about, and on two processors that doubles the
// figures of one second and halves those of the next (docs/performance.md); with more there is room
// for all. Both are asked for by name: a shell may be bound to some, and would pass that on.
import { cpus } from "node:os";

/** As taskset takes them. */
export interface Layout {
  readonly proxies: string;
  readonly load: string;
}

export function layout(isPinned: boolean): Layout {
  const last = cpus().length - 1;
  if (!isPinned) return { proxies: range(0, last), load: range(0, last) };
  if (last === 0) throw new Error("--pin needs a machine with two processors");
  return { proxies: "0", load: range(1, last) };
}

function range(first: number, last: number): string {
  return first === last ? String(first) : `${first}-${last}`;
}

/** Also for what the process will start. */
export function bind(pid: number, processors: string): void {
  const { success, stderr } = Bun.spawnSync(["taskset", "-apc", processors, String(pid)]);
  if (!success) throw new Error(`taskset: ${stderr.toString().trim()}`);
}

/**
 * Which servers have shut this proxy out, as a worker remembers it. Only a dashboard lets us in: it
 * takes our token from the servers and then orders us to start. A server that does not know of the
 * fence any more without such an order has lost it, with the rest of its data, and is not used:
 * what we know of the slots may be long past. Asked by `backend.ts`.
 */
import { FENCED } from "./handshake.ts";

export class FenceMemory {
  /** How often we were let in. */
  round = 0;
  readonly #servers = new Set<string>();

  /**
   * What a handshake came to, in the light of earlier ones. `round` is that of its beginning: what
   * was asked before we were let in says nothing of now.
   */
  judge(address: string, verdict: string, round: number): string {
    if (verdict === FENCED && round === this.round) this.#servers.add(address);
    return verdict === "done" && this.#servers.has(address) ? FENCED : verdict;
  }

  letIn(): void {
    this.round++;
    this.#servers.clear();
  }
}

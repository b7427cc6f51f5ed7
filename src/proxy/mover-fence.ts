/**
 * Makes sure that no transfer of keys to a target is under way any more, whatever became of the
 * command that began it.
 *
 * A MIGRATE that has timed out may still arrive: its bytes wait in a kernel, and are carried out
 * when the network or the target recovers. If the key has been moved once more and deleted
 * meanwhile, it would come back. So the connections that may carry such bytes are ended before the
 * next attempt, and by a new connection of ours: the target accepts it after all those that were
 * opened before. Used by `mover.ts`.
 */
import { ask, askAll } from "./ask.ts";
import { Backend } from "./backend.ts";
import type { BackendContext } from "./backend-context.ts";
import { causeOf, transfersIn } from "./mover-commands.ts";

export class MoverFence {
  readonly #connection: Backend;

  constructor(
    readonly source: string,
    readonly target: string,
    readonly context: BackendContext,
    /** Called once: may keys be moved again? */
    readonly onDone: (isFenced: boolean) => void,
  ) {
    this.#connection = new Backend(target, 0, 2, false, context);
  }

  begin(): void {
    ask(this.#connection, ["CLIENT", "LIST"], (reply, isLost) => {
      if (isLost) this.#end(false);
      else if (reply[0] === MINUS) this.#giveUp(causeOf(reply));
      else this.#kill(transfersIn(reply.latin1Slice(), this.source));
    });
  }

  #kill(ids: readonly string[]): void {
    if (ids.length === 0) {
      this.#end(true);
      return;
    }
    const commands = ids.map((id) => ["CLIENT", "KILL", "ID", id]);
    // "No such client" is as good: it has ended by itself.
    askAll(this.#connection, commands, (_replies, isLost) => this.#end(!isLost));
  }

  /** A server that does not allow this has no fence; what that risks is in docs/migration.md. */
  #giveUp(cause: string): void {
    this.context.log(`transfers to ${this.target} cannot be ended after a failure: ${cause}`);
    this.#end(true);
  }

  #end(isFenced: boolean): void {
    this.#connection.close();
    this.onDone(isFenced);
  }

  onTick(nowMs: number): void {
    this.#connection.onTick(nowMs);
  }
}

const MINUS = 45;

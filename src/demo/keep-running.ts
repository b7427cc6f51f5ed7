// Keeps one program of the demo running: starts it again when it dies, says so, and gives up on one
// that dies again at once, with the end of its log.
import { exitText, type ChildProcess } from "../lib/child-process.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";

const SHORT_LIFE_MS = 5000;
const LAST_LINES = 15;

export interface Role {
  /** What the person sees: "the server of group 2". */
  readonly title: string;
  readonly start: () => Promise<ChildProcess>;
  /** A program that lives shorter than this would only die again. */
  readonly shortLifeMs?: number;
}

export class KeptProgram {
  child: ChildProcess;
  #role: Role;
  #isStopping = false;
  #say: (line: string) => void;
  #fail: (error: Error) => void;

  private constructor(role: Role, child: ChildProcess, callbacks: Callbacks) {
    this.#role = role;
    this.child = child;
    this.#say = callbacks.say;
    this.#fail = callbacks.fail;
    void this.#watch();
  }

  static async start(role: Role, callbacks: Callbacks): Promise<KeptProgram> {
    return new KeptProgram(role, await startOrExplain(role), callbacks);
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    await this.child.stop("SIGTERM", graceMs);
  }

  async #watch(): Promise<void> {
    const { title, shortLifeMs = SHORT_LIFE_MS } = this.#role;
    try {
      for (;;) {
        const startedMs = performance.now();
        const status = await this.child.exited;
        if (this.#isStopping) return;
        const ended = `${title} ended with ${exitText(status)}`;
        if (performance.now() - startedMs < shortLifeMs) {
          const log = this.child.lastLines(LAST_LINES);
          throw new OperatorError(`${ended} soon after its start; its log ends:\n${log}`);
        }
        this.#say(`${ended}; starting it again.`);
        this.child = await startOrExplain(this.#role);
        // It may have been told to stop while it was starting.
        if (this.#isStopping) await this.child.stop();
      }
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(messageOf(error)));
    }
  }
}

async function startOrExplain(role: Role): Promise<ChildProcess> {
  try {
    return await role.start();
  } catch (error) {
    throw new OperatorError(`${role.title} could not be started: ${messageOf(error)}`);
  }
}

export interface Callbacks {
  /** Called with one line for the person. */
  readonly say: (line: string) => void;
  /** Called when it cannot be kept running. */
  readonly fail: (error: Error) => void;
}

// One program that we started: its log file, its end, and how to stop it. Used by the demo, the
// benchmarks and the tests, which all run real servers and the real proxy as separate processes.
//
// The program's output goes to a file, not through a pipe: nothing is lost when it is killed, a
// busy parent cannot slow it down, and the file is still there for somebody who asks why it died.
import { closeSync, openSync, readFileSync } from "node:fs";

export interface ChildOptions {
  readonly command: string[];
  /** Appended to; holds standard output and standard error together. */
  readonly logFile: string;
  readonly cwd?: string;
  readonly env?: Record<string, string | undefined>;
  /** In a process group of its own, so that Ctrl-C in the terminal reaches only us. */
  readonly detached?: boolean;
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const READY_POLL_MS = 5;

export class ChildProcess {
  readonly pid: number;
  readonly exited: Promise<ExitStatus>;
  status: ExitStatus | null = null; // set when it has ended
  #child: Bun.Subprocess;
  #logFile: string;

  constructor(options: ChildOptions) {
    this.#logFile = options.logFile;
    const log = openSync(options.logFile, "a");
    try {
      this.#child = Bun.spawn(options.command, {
        cwd: options.cwd,
        env: options.env,
        detached: options.detached ?? false,
        stdio: ["ignore", log, log],
      });
    } finally {
      closeSync(log);
    }
    this.pid = this.#child.pid;
    this.exited = this.#child.exited.then(() => {
      const { exitCode, signalCode } = this.#child;
      const status = { code: exitCode, signal: signalCode as NodeJS.Signals | null };
      this.status = status;
      return status;
    });
  }

  get isRunning(): boolean {
    return this.status === null;
  }

  log(): string {
    return readFileSync(this.#logFile, "utf8");
  }

  /** What to show a person when it died: the end of its log. */
  lastLines(count: number): string {
    return this.log().trimEnd().split("\n").slice(-count).join("\n");
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(signal);
  }

  /** Asks it to end, and ends it by force when it has not obeyed after `graceMs`. */
  async stop(signal: NodeJS.Signals = "SIGTERM", graceMs = 5000): Promise<ExitStatus> {
    this.signal(signal);
    const force = setTimeout(() => this.signal("SIGKILL"), graceMs);
    const status = await this.exited;
    clearTimeout(force);
    return status;
  }

  /** Waits until `isReady` says so; throws with the end of the log if the program ends first. */
  async ready(isReady: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      // First, because on its port somebody else may answer, whom it gave way to.
      if (this.status !== null) this.#giveUp(`it ended with ${exitText(this.status)}`);
      if (await isReady()) return;
      if (performance.now() > deadline) this.#giveUp(`it was not ready after ${timeoutMs} ms`);
      await Bun.sleep(READY_POLL_MS);
    }
  }

  #giveUp(trouble: string): never {
    throw new Error(`${trouble}; its log ends:\n${this.lastLines(20)}`);
  }
}

export function exitText(status: ExitStatus): string {
  return status.signal !== null ? `signal ${status.signal}` : `status ${status.code}`;
}

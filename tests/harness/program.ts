// What every program that a test starts has in common: a port, a directory of its own, a log that
// is printed when the test fails, and an end that leaves nothing behind. The files beside this one
// say how each is started.
import type { ChildProcess, ExitStatus } from "../../src/lib/child-process.ts";
import { freePort } from "./ports.ts";
import { keepLog } from "./system-test.ts";
import { tempDir } from "./temp-dir.ts";

/** An orderly end may wait for clients. */
const STOP_GRACE_MS = 20_000;

export abstract class TestProgram implements AsyncDisposable {
  readonly address: string;
  readonly #dir = tempDir();
  readonly #freezeLog: () => void;
  #child: ChildProcess | null = null;

  constructor(
    name: string,
    readonly port: number = freePort(),
  ) {
    this.address = `127.0.0.1:${port}`;
    this.#freezeLog = keepLog(`${name} ${this.address}`, () => this.log());
  }

  /**
   * Resolves when it is ready. After `kill()` or `stop()` it starts again, on the same port and
   * with the same directory.
   */
  abstract start(): Promise<void>;

  /** `start()` calls this as soon as there is a process. */
  protected runs(child: ChildProcess): ChildProcess {
    this.#child = child;
    return child;
  }

  get dir(): string {
    return this.#dir.path;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child?.isRunning ?? false;
  }

  get exited(): Promise<ExitStatus> {
    if (this.#child === null) throw new Error(`${this.address} was not started`);
    return this.#child.exited;
  }

  log(): string {
    return this.#child?.log() ?? "";
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.signal(signal);
  }

  /** It stands still with its sockets open: what a hung program looks like. */
  pause(): void {
    this.signal("SIGSTOP");
  }

  resume(): void {
    this.signal("SIGCONT");
  }

  /** kill -9: the end that no program can prepare for. */
  async kill(): Promise<void> {
    if (this.#child !== null) await this.stop("SIGKILL");
  }

  /** An orderly end; resolves with how it ended. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<ExitStatus> {
    if (this.#child === null) throw new Error(`${this.address} was not started`);
    // A stopped process takes SIGKILL but keeps any other signal until it goes on.
    this.resume();
    return await this.#child.stop(signal, STOP_GRACE_MS);
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#freezeLog();
    this.#dir[Symbol.dispose]();
  }
}

/** Starts it; one that does not start leaves nothing behind either. */
export async function started<P extends TestProgram>(program: P): Promise<P> {
  try {
    await program.start();
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
  return program;
}

// A program that leads, to be killed or put to sleep by a test: `Leader` runs this very file.
// It writes a rising number whenever it leads, and prints what happens, a line each.
import { join } from "node:path";
import { type Coordinator, LeadershipLost } from "../../src/coordinator/coordinator.ts";
import { openCoordinator } from "../../src/coordinator/open.ts";
import { ChildProcess } from "../../src/lib/child-process.ts";
import { keepLog } from "../harness/system-test.ts";
import { tempDir } from "../harness/temp-dir.ts";
import type { Service } from "./contract.ts";

const PATH = "/codis3/lab/topom";
const COUNT_PATH = "/codis3/lab/count";

export class Leader implements AsyncDisposable {
  readonly #dir = tempDir();
  readonly #child: ChildProcess;
  readonly #freezeLog: () => void;

  constructor(service: Service, ttlMs: number) {
    const args = [service.name, service.address, String(ttlMs)];
    this.#child = new ChildProcess({
      command: [process.execPath, import.meta.path, ...args],
      logFile: join(this.#dir.path, "leader.log"),
    });
    this.#freezeLog = keepLog("leader", () => this.#child.log());
  }

  get isLeading(): boolean {
    return this.#child.log().includes("leads ");
  }

  get fence(): bigint {
    return BigInt(/^leads (\d+)$/m.exec(this.#child.log())?.[1] ?? "0");
  }

  /** The numbers that it has written, as far as it knows. */
  get written(): number[] {
    return [...this.#child.log().matchAll(/^wrote (\d+)$/gm)].map(([, count]) => Number(count));
  }

  get writes(): number {
    return this.written.length;
  }

  get isRunning(): boolean {
    return this.#child.isRunning;
  }

  /** It tried to write and was told that it does not lead. */
  get hasLost(): boolean {
    return this.#child.log().includes("lost ");
  }

  async kill(): Promise<void> {
    await this.#child.stop("SIGKILL");
  }

  pause(): void {
    this.#child.signal("SIGSTOP");
  }

  resume(): void {
    this.#child.signal("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#freezeLog();
    this.#dir[Symbol.dispose]();
  }
}

async function main(name: string, address: string, ttlMs: number): Promise<void> {
  const coordinator = openCoordinator({ name, address });
  for (;;) {
    try {
      await leadOnce(coordinator, ttlMs);
    } catch (error) {
      process.stdout.write(`failed ${String(error)}\n`);
      await Bun.sleep(50);
    }
  }
}

/** Goes on from the number that is there, so that a number written twice was lost in between. */
async function leadOnce(coordinator: Coordinator, ttlMs: number): Promise<void> {
  const lead = await coordinator.lead(PATH, "leader", { ttlMs });
  process.stdout.write(`leads ${lead.fence}\n`);
  let count = Number((await coordinator.read(COUNT_PATH)) ?? 0);
  for (;;) {
    count++;
    try {
      await lead.write([{ kind: "put", path: COUNT_PATH, data: String(count) }]);
      process.stdout.write(`wrote ${count}\n`);
      await Bun.sleep(5);
    } catch (error) {
      if (error instanceof LeadershipLost) {
        process.stdout.write(`lost ${error.message}, held: ${lead.isHeld}\n`);
        return;
      }
      // Written or not: its number is not used again.
      process.stdout.write(`failed ${String(error)}\n`);
      await Bun.sleep(50);
    }
  }
}

if (import.meta.main) {
  const [name, address, ttlMs] = process.argv.slice(2);
  await main(name, address, Number(ttlMs));
}

// A program that leads, to be killed or put to sleep by a test: `startLeader` runs this very file.
// It writes a rising number, as fast as it can, and prints what happens, a line each.
import { join } from "node:path";
import { LeadershipLost } from "../../src/coordinator/coordinator.ts";
import { openCoordinator } from "../../src/coordinator/open.ts";
import { ChildProcess } from "../../src/lib/child-process.ts";
import { keepLog } from "../harness/system-test.ts";
import { tempDir } from "../harness/temp-dir.ts";
import type { Service } from "./contract.ts";

const PATH = "/codis3/lab/topom";

export async function startLeader(service: Service, ttlMs: number): Promise<Leader> {
  return new Leader([service.name, service.address, String(ttlMs)]);
}

export class Leader implements AsyncDisposable {
  readonly #dir = tempDir();
  readonly #child: ChildProcess;
  readonly #freezeLog: () => void;

  constructor(args: readonly string[]) {
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

  /** How many writes have succeeded. */
  get writes(): number {
    return Number(
      this.#child
        .log()
        .match(/^wrote (\d+)$/gm)
        ?.at(-1)
        ?.slice(6) ?? 0,
    );
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
  const lead = await coordinator.lead(PATH, "leader", { ttlMs });
  process.stdout.write(`leads ${lead.fence}\n`);
  for (let count = 1; ; count++) {
    try {
      await lead.write([{ kind: "put", path: "/codis3/lab/count", data: String(count) }]);
      process.stdout.write(`wrote ${count}\n`);
      await Bun.sleep(5);
    } catch (error) {
      if (!(error instanceof LeadershipLost)) {
        process.stdout.write(`failed ${String(error)}\n`);
        await Bun.sleep(50);
        continue;
      }
      process.stdout.write(`lost ${error.message}, held: ${lead.isHeld}\n`);
      return;
    }
  }
}

if (import.meta.main) {
  const [name, address, ttlMs] = process.argv.slice(2);
  await main(name, address, Number(ttlMs));
}

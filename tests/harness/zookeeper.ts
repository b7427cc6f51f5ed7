// A real ZooKeeper for a test: its own port, directory and log, gone at the end of the block.
// Debian has it as a library; it is started as its own script would start it.
//
//   await using zookeeper = await startZookeeper();
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ChildProcess } from "../../src/lib/child-process.ts";
import { started, TestProgram } from "./program.ts";

const START_TIMEOUT_MS = 30_000;
const JAVA = "/usr/share/java";

/** Sessions may be as short as two of these; it looks for expired ones once in each. */
const TICK_MS = 200;

/** What `systemTest` looks for. */
export const ZOOKEEPER_PROGRAMS = ["java", `${JAVA}/zookeeper.jar`] as const;

export async function startZookeeper(): Promise<Zookeeper> {
  return await started(new Zookeeper());
}

export class Zookeeper extends TestProgram {
  readonly name = "zookeeper";

  constructor() {
    super("zookeeper");
  }

  async start(): Promise<void> {
    const data = join(this.dir, "data");
    mkdirSync(data, { recursive: true });
    const config = join(this.dir, "zoo.cfg");
    writeFileSync(config, this.#config(data));
    const child = new ChildProcess({
      command: [
        ...["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"],
        ...["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"],
        ...["-cp", `${JAVA}/zookeeper.jar:${JAVA}/slf4j-simple.jar`],
        ...["org.apache.zookeeper.server.quorum.QuorumPeerMain", config],
      ],
      logFile: join(this.dir, "zookeeper.log"),
      env: { PATH: process.env.PATH },
    });
    await this.runs(child).ready(() => answersOk(this.port), START_TIMEOUT_MS);
  }

  #config(data: string): string {
    return [
      `tickTime=${TICK_MS}`,
      "maxSessionTimeout=60000", // else it cuts every session to twenty ticks
      `dataDir=${data}`,
      `clientPort=${this.port}`,
      "clientPortAddress=127.0.0.1",
      "admin.enableServer=false",
      "4lw.commands.whitelist=ruok",
      "maxClientCnxns=0",
      "",
    ].join("\n");
  }
}

function answersOk(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => void socket.write("ruok"),
        data: (_, chunk) => resolve(chunk.toString() === "imok"),
        close: () => resolve(false),
        error: () => resolve(false),
        connectError: () => resolve(false),
      },
    }).catch(() => resolve(false));
  });
}

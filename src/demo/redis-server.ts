// Starts one real redis-server for the demo, the benchmarks or a test, and waits until it answers.
// The server gets its settings as arguments, unless a test is about its configuration file.
import { join } from "node:path";
import { ChildProcess } from "../lib/child-process.ts";

export interface RedisServerOptions {
  readonly port: number;
  /** Its working directory: data and log live here. Must exist. */
  readonly dir: string;
  /** More settings, as on the command line: ["--appendonly", "yes"]. */
  readonly args?: readonly string[];
  /** A configuration file that the server may rewrite; what is given here comes on top of it. */
  readonly configFile?: string;
  readonly detached?: boolean;
}

const START_TIMEOUT_MS = 20_000;

export async function startRedisServer(options: RedisServerOptions): Promise<ChildProcess> {
  const child = new ChildProcess({
    command: [
      "redis-server",
      ...(options.configFile === undefined ? [] : [options.configFile]),
      ...["--port", String(options.port), "--bind", "127.0.0.1"],
      ...["--dir", options.dir, "--dbfilename", "dump.rdb"],
      ...["--daemonize", "no", "--protected-mode", "no"],
      ...(options.args ?? []),
    ],
    logFile: join(options.dir, "redis.log"),
    cwd: options.dir,
    detached: options.detached ?? false,
  });
  try {
    await child.ready(() => answersPing(options.port), START_TIMEOUT_MS);
  } catch (error) {
    await child.stop("SIGKILL");
    throw error;
  }
  return child;
}

/** True when a Redis answers there. One that asks for a password or still loads its data answers
 *  with an error: asking for a password counts as ready, loading does not. */
export function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    let text = "";
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => void socket.write("*1\r\n$4\r\nPING\r\n"),
        data(socket, chunk) {
          text += chunk.toString("latin1");
          if (!text.endsWith("\r\n")) return;
          resolve(text.startsWith("+PONG") || text.startsWith("-NOAUTH"));
          socket.end();
        },
        close: () => resolve(false),
        error: () => resolve(false),
        connectError: () => resolve(false),
      },
    }).catch(() => resolve(false));
  });
}

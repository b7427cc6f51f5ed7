// A client that asks all the time, to show that a proxy goes on serving while something else
// happens to it: how often it was answered, and the longest it had to wait.
//
//   const probe = startProbe(client, "key");
//   ...
//   const { answers, longestMs } = await probe.stop();
import type { RespClient } from "./resp-client.ts";

export interface Probe {
  readonly answers: number;
  readonly longestMs: number;
  /** Throws when a reply was wrong. */
  stop(): Promise<{ answers: number; longestMs: number }>;
}

/** Sends PING and GET of `key`, whose value must not change, one after the other. */
export function startProbe(client: RespClient, key: string): Probe {
  const seen = { answers: 0, longestMs: 0 };
  let isOver = false;
  const running = ask();
  running.catch(() => {}); // told by stop(), unless the test has failed before

  async function ask(): Promise<void> {
    const value = await client.call("GET", key);
    while (!isOver) {
      const begun = performance.now();
      const [pong, got] = await client.pipeline([["PING"], ["GET", key]]);
      seen.longestMs = Math.max(seen.longestMs, performance.now() - begun);
      if (pong !== "PONG" || got !== value) throw new Error(`the probe got ${pong} and ${got}`);
      seen.answers++;
    }
  }

  return {
    get answers() {
      return seen.answers;
    },
    get longestMs() {
      return seen.longestMs;
    },
    stop: async () => {
      isOver = true;
      await running;
      return { ...seen };
    },
  };
}

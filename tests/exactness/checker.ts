// Clients that write all the time, through whatever proxy they can reach, and hand every outcome to
// the ledger. They never repeat a write: a repeated one would hide a lost one.
import { type Reply, ReplyError } from "../../src/resp/value.ts";
import { connect, encode, type RespClient } from "../harness/resp-client.ts";
import { Random } from "../harness/random.ts";
import { until } from "../harness/until.ts";
import { isAcknowledged, isRefusal, type Write } from "./book.ts";
import type { Ledger } from "./ledger.ts";

export interface WritersOptions {
  readonly ledger: Ledger;
  readonly seed: number;
  readonly count: number;
  /** Ports of the proxies. */
  readonly ports: readonly number[];
  readonly onEvent?: (text: string) => void;
}

/** A reply that takes longer counts as lost. Requests may wait for 10 s while slots are held. */
const REPLY_TIMEOUT_MS = 30_000;
const LONGEST_PIPELINE = 16;
const RECONNECT_MS = 20;
const REFUSED_MS = 5;
/** A wait that is worth a line: longer than any mishap lasts. */
const LONG_WAIT_MS = 5_000;

export class Writers {
  #isOver = false;
  /** The longest that a writer has waited for a reply. */
  longestMs = 0;
  /** The longest that a writer has gone without an acknowledged write, whatever it tried. */
  longestGapMs = 0;
  readonly #ended: Promise<unknown>;

  constructor(private readonly options: WritersOptions) {
    const writers = Array.from({ length: options.count }, (_, i) => this.#write(i));
    this.#ended = Promise.all(writers);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }

  async #write(writer: number): Promise<void> {
    const { seed, ports, ledger } = this.options;
    const random = new Random(seed + writer);
    let client: RespClient | null = null;
    const gap = new Gap();
    for (let attempt = writer; !this.#isOver;) {
      client ??= await open(ports[attempt % ports.length]);
      if (client === null) {
        attempt++;
        await Bun.sleep(RECONNECT_MS);
        continue;
      }
      const size = random.chance(0.6) ? 1 : random.between(2, LONGEST_PIPELINE);
      const batch = Array.from({ length: size }, () => ledger.next(random, writer));
      const isSent = await this.#send(client, batch, gap);
      this.longestGapMs = Math.max(this.longestGapMs, gap.longestMs);
      if (isSent) continue;
      client.reset();
      client = null;
      attempt++;
    }
    client?.reset();
  }

  /** False when the connection is lost; what was not answered then is unknown. */
  async #send(client: RespClient, batch: readonly Write[], gap: Gap): Promise<boolean> {
    const begunMs = performance.now();
    let answered = 0;
    try {
      client.send(Buffer.concat(batch.map(({ args }) => encode(...args))));
      let isRefused = false;
      for (; answered < batch.length; answered++) {
        const reply = await client.read();
        batch[answered].settle(reply);
        isRefused = isRefusal(reply);
        if (isAcknowledged(reply)) gap.end();
      }
      const tookMs = Math.round(performance.now() - begunMs);
      this.longestMs = Math.max(this.longestMs, tookMs);
      if (tookMs > LONG_WAIT_MS) this.#noteWait(batch, tookMs);
      // A server that is down refuses at once, and would be asked all the time.
      if (isRefused) await Bun.sleep(REFUSED_MS);
      return true;
    } catch {
      for (const { settle } of batch.slice(answered)) settle(null);
      return false;
    }
  }

  #noteWait(batch: readonly Write[], tookMs: number): void {
    const names = batch.map(({ args }) => `${args[0]} ${args[1]}`).join(", ");
    this.options.onEvent?.(`a client waited ${tookMs} ms for ${names}`);
  }
}

/** The time between two acknowledged writes of one writer. */
class Gap {
  longestMs = 0;
  #sinceMs = performance.now();

  end(): void {
    const nowMs = performance.now();
    this.longestMs = Math.max(this.longestMs, nowMs - this.#sinceMs);
    this.#sinceMs = nowMs;
  }
}

async function open(port: number): Promise<RespClient | null> {
  try {
    return await connect(port, { readTimeoutMs: REPLY_TIMEOUT_MS });
  } catch {
    return null;
  }
}

/** Asks through a proxy until it is answered without an error. */
export function patient(port: number): (...args: string[]) => Promise<Reply> {
  return async (...args) => {
    let answer: Reply = null;
    await until(
      async () => {
        answer = null;
        using client = await connect(port, { readTimeoutMs: REPLY_TIMEOUT_MS });
        answer = await client.call(...args);
        return !(answer instanceof ReplyError);
      },
      {
        timeoutMs: 60_000,
        what: () => `${args.join(" ")} is answered, not with ${String(answer)}`,
      },
    );
    return answer;
  };
}

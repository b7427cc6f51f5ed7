// Puts the keys in place that the workloads read. Each proxy gets them through its own port,
// because each has its own idea of which server a key belongs to.
import { connect, encode } from "../tests/harness/resp-client.ts";
import { LARGE_KEYS, SMALL_KEYS } from "./workloads.ts";

const BATCH = 100;
/** redis-benchmark writes its random numbers with this many digits. */
const DIGITS = 12;

export async function fill(port: number): Promise<void> {
  for (const keys of [SMALL_KEYS, LARGE_KEYS]) {
    using client = await connect(port);
    const value = "v".repeat(keys.valueBytes);
    for (let from = 0; from < keys.count; from += BATCH) {
      const numbers = Array.from({ length: BATCH }, (_, i) => from + i);
      const requests = numbers.map((n) => ["SET", keyName(keys.prefix, n), value]);
      client.send(Buffer.concat(requests.map((request) => encode(...request))));
      for (const _ of requests) await expectOk(client);
    }
  }
}

function keyName(prefix: string, number: number): string {
  return prefix + String(number).padStart(DIGITS, "0");
}

async function expectOk(client: { read(): Promise<unknown> }): Promise<void> {
  const reply = await client.read();
  if (reply !== "OK") throw new Error(`filling the servers: ${String(reply)}`);
}

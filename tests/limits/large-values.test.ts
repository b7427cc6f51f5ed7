// Large values: they pass unchanged, within bounded memory, and others are served meanwhile.
import { expect } from "bun:test";
import { randomBytes } from "node:crypto";
import { peakRssBytes, rssBytes } from "../harness/figures.ts";
import { keyOf } from "../harness/keys.ts";
import { startProbe, type Probe } from "../harness/probe.ts";
import { startProduct } from "../harness/proxy.ts";
import { connect, encode, type Argument } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const KB = 1024;
const MB = 1024 * KB;

/** Around every size at which the proxy treats values differently, and well beyond. */
const SIZES = [
  ...[16 * KB - 1, 16 * KB, 32 * KB, 64 * KB - 2, 64 * KB, 64 * KB + 1, 128 * KB, 256 * KB + 7],
  ...[512 * KB, MB, 4 * MB + 3, 16 * MB, 64 * MB],
];

test("values of 16 KB to 64 MB come back byte for byte", async () => {
  await using product = await startProduct();
  using client = await LargeClient.connect(product.proxy.port);
  for (const size of SIZES) {
    await client.set(`key:${size}`, size);
    await client.get(`key:${size}`, size);
  }
  // Once more with all of them stored, and by a session that has not sent any of them.
  using reader = await LargeClient.connect(product.proxy.port);
  for (const size of SIZES) await reader.get(`key:${size}`, size);
});

test("large values in every place of a command keep their order among small ones", async () => {
  await using product = await startProduct();
  using client = await connect(product.proxy.port);
  const texts = [70_000, 200_000, 1_000_000].map((size) => randomBytes(size / 2).toString("hex"));
  const [a, b, c] = texts;
  const [first, second, list] = [keyOf(1), keyOf(600), keyOf(2)];
  const requests: Argument[][] = [
    ["MSET", first, a, second, b],
    ["PING"],
    ["MGET", first, keyOf(3), second, first],
    ["RPUSH", list, "small", c, "tiny", b, "end"],
    ["ECHO", a],
    ["LRANGE", list, 0, -1],
    ["GETSET", first, c],
    ["APPEND", first, b],
    ["SETRANGE", second, 10, a],
    ["STRLEN", first],
    ["GET", second],
    ["EVAL", "return {KEYS[1], ARGV[1]}", 1, second, c],
    ["NOSUCH", a],
    ["DEL", first, second, list],
  ];
  const replies = await client.pipeline(requests);
  const [stored, pong, got, pushed, echoed, range, old, length, patched] = replies;
  expect([stored, pong, pushed, length, patched]).toEqual([
    ...["OK", "PONG", 5],
    c.length + b.length,
    b.length,
  ]);
  expect(isEqual(got, [a, null, b, a])).toBe(true);
  expect(isEqual(range, ["small", c, "tiny", b, "end"])).toBe(true);
  expect(isEqual([echoed, old], [a, a])).toBe(true);
  const patchedText = b.slice(0, 10) + a + b.slice(10 + a.length);
  expect(isEqual(replies.slice(9, 12), [c.length + b.length, patchedText, [second, c]])).toBe(true);
  expect(replies[12]).toBeInstanceOf(Error);
  expect(replies[13]).toBe(3);
});

test("512 MB go in and out within three times their size, and others are served", async () => {
  await using product = await startProduct();
  const { proxy } = product;
  const [worker] = await proxy.workerPids();
  using other = await connect(proxy.port);
  using neighbour = await connect(proxy.port);
  const [large, elsewhere, beside] = [keyOf(1), keyOf(600), keyOf(2)];
  await other.pipeline([
    ["SET", elsewhere, "value"],
    ["SET", beside, "value"],
  ]);
  const size = 512 * MB;
  const base = rssBytes(worker);
  // One whose server has nothing to do with the value, and one who shares its connection.
  const probes = [startProbe(other, elsewhere), startProbe(neighbour, beside)];
  using sender = await LargeClient.connect(proxy.port);
  const begunMs = performance.now();
  await sender.set(large, size);
  report("SET of 512 MB", probes, peakRssBytes(worker) - base);
  expect(peakRssBytes(worker)).toBeLessThan(3 * size);
  // It went by a connection of its own.
  const setMs = performance.now() - begunMs;
  for (const { longestMs } of probes) expect(longestMs).toBeLessThan(setMs / 2);
  await sender.get(large, size);
  report("GET of 512 MB", probes, peakRssBytes(worker) - base);
  expect(peakRssBytes(worker)).toBeLessThan(3 * size);
  const tookMs = performance.now() - begunMs;
  const [far] = await Promise.all(probes.map((probe) => probe.stop()));
  expect(far.answers).toBeGreaterThan(100);
  expect(far.longestMs).toBeLessThan(tookMs / 2);
});

test("clients that leave in the middle of a large value leave nothing behind", async () => {
  await using product = await startProduct();
  const { proxy } = product;
  const [worker] = await proxy.workerPids();
  const size = 32 * MB;
  using stayer = await LargeClient.connect(proxy.port);
  await stayer.set("large", size);
  await stayer.get("large", size);
  const before = rssBytes(worker);
  for (let round = 0; round < 12; round++) {
    using sender = await connect(proxy.port);
    sender.send(`*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$${size}\r\n`);
    sender.send(Buffer.alloc(size - MB));
    using reader = await connect(proxy.port);
    reader.send(encode("GET", "large"));
    await until(() => reader.unreadBytes > MB && sender.unsentBytes === 0);
    sender.reset();
    reader.reset();
  }
  await stayer.get("large", size);
  // Twelve of each kind would be 768 MB.
  expect(peakRssBytes(worker) - before).toBeLessThan(400 * MB);
});

function report(what: string, probes: readonly Probe[], bytes: number): void {
  const gaps = probes.map(({ answers, longestMs }) => `${answers}/${Math.round(longestMs)} ms`);
  process.stderr.write(`${what}: ${gaps.join(", ")}, ${Math.round(bytes / MB)} MB more\n`);
}

/** Of a length that divides no buffer size, so that misplaced bytes cannot look right. */
const PATTERN = randomBytes(1_000_003);

/** Sends and checks a value without ever holding it. */
class LargeClient implements Disposable {
  #socket: Bun.Socket | null = null;
  #onDrain: () => void = () => {};
  #onData: (chunk: Buffer) => void = () => {};

  static async connect(port: number): Promise<LargeClient> {
    const client = new LargeClient();
    client.#socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_socket, chunk) => client.#onData(chunk),
        drain: () => client.#onDrain(),
      },
    });
    return client;
  }

  async set(key: string, size: number): Promise<void> {
    let reply = "";
    this.#onData = (chunk) => (reply += chunk.toString("latin1"));
    const head = Buffer.from(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${size}\r\n`);
    this.#socket?.write(head);
    let sent = 0;
    const send = (): void => {
      while (sent < size) {
        const at = sent % PATTERN.length;
        const length = Math.min(PATTERN.length - at, size - sent);
        const taken = this.#socket?.write(PATTERN, at, length) ?? 0;
        if (taken > 0) sent += taken;
        if (taken < length) return;
      }
      this.#onDrain = () => {};
      this.#socket?.write("\r\n");
    };
    this.#onDrain = send;
    send();
    await until(() => reply !== "", { timeoutMs: 30_000, what: () => `${sent} bytes are stored` });
    expect(reply).toBe("+OK\r\n");
  }

  async get(key: string, size: number): Promise<void> {
    const head = `$${size}\r\n`;
    const total = head.length + size + 2;
    let received = 0;
    let wrongAt = -1;
    this.#onData = (chunk) => {
      if (wrongAt < 0 && !isExpected(chunk, received, head, size)) wrongAt = received;
      received += chunk.length;
    };
    this.#socket?.write(encode("GET", key));
    await until(() => received >= total, {
      timeoutMs: 30_000,
      what: () => `${total} bytes are here: ${received}`,
    });
    expect([wrongAt, received]).toEqual([-1, total]);
  }

  [Symbol.dispose](): void {
    this.#socket?.terminate();
  }
}

/** Whether `chunk`, which begins at `offset` of the reply, is right; the line end is not. */
function isExpected(chunk: Buffer, offset: number, head: string, size: number): boolean {
  let pos = 0;
  if (offset < head.length) {
    const length = Math.min(head.length - offset, chunk.length);
    if (chunk.toString("latin1", 0, length) !== head.slice(offset, offset + length)) return false;
    pos = length;
  }
  while (pos < chunk.length) {
    const at = offset + pos - head.length;
    if (at >= size) return true;
    const from = at % PATTERN.length;
    const length = Math.min(PATTERN.length - from, chunk.length - pos, size - at);
    if (chunk.compare(PATTERN, from, from + length, pos, pos + length) !== 0) return false;
    pos += length;
  }
  return true;
}

/** Like toEqual, whose report of a difference would be megabytes long. */
function isEqual(value: unknown, expected: unknown): boolean {
  return Bun.deepEquals(value, expected);
}

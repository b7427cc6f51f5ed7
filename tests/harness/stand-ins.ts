// Many light proxies and servers in one process, for tests about the size of a product: the proxies
// speak the real admin API and keep the slots they are given, the servers answer what a dashboard
// polls. No request of a client ever gets anywhere here.
import { ApiServer } from "../../src/api/server.ts";
import { type Handlers, PlainReply, Redirect } from "../../src/api/route.ts";
import { PROXY_ROUTES } from "../../src/api/routes.ts";
import { splitFills } from "../../src/model/merged-fill.ts";
import type { ProxyModel } from "../../src/model/proxy.ts";
import type { ProxyStats } from "../../src/model/proxy-stats.ts";
import type { SlotFill } from "../../src/model/slot.ts";
import { encodeCommand } from "../../src/redis/encode.ts";
import { ReplyDecoder } from "../../src/resp/value.ts";

/** A proxy that does everything but serve clients. */
export class StandInProxy implements Disposable {
  model: ProxyModel;
  readonly slots = new Map<number, SlotFill>();
  isOnline = false;
  fills = 0;
  readonly #server: ApiServer;
  readonly #stats: object;

  private constructor(server: ApiServer, port: number, index: number, stats: object) {
    this.#server = server;
    this.#stats = stats;
    this.model = {
      token: `${String(index).padStart(4, "0")}${"0".repeat(28)}`,
      start_time: "2026-11-22 17:09:37.616391726 +0000 UTC m=+0.006173277",
      admin_addr: `127.0.0.1:${port}`,
      proto_type: "tcp4",
      proxy_addr: `127.0.0.1:${10_000 + index}`,
      product_name: "test",
      pid: 1000 + index,
      pwd: "/srv/codis",
      sys: "Linux stand-in",
      hostname: "stand-in",
      datacenter: index % 2 === 0 ? "east" : "west",
    };
  }

  /** `stats` are those of a real proxy, so that answers have their size. */
  static async start(index: number, stats: object): Promise<StandInProxy> {
    const server = new ApiServer();
    const proxy = new StandInProxy(server, await server.listen("127.0.0.1", 0), index, stats);
    server.serve({ routes: PROXY_ROUTES, handlers: proxy.#handlers(), authorize: () => {} });
    return proxy;
  }

  /** Another process at the same place, which somebody has put online already. */
  restart(): void {
    this.slots.clear();
    this.model = { ...this.model, start_time: new Date().toISOString() };
  }

  [Symbol.dispose](): void {
    this.#server.close();
  }

  #statsNow(): ProxyStats {
    const stats = { ...this.#stats, online: this.isOnline } as ProxyStats;
    // An original proxy knows none of it.
    if (!("slot_revision" in this.#stats)) return stats;
    let newest = 0;
    for (const { revision = 0 } of this.slots.values()) newest = Math.max(newest, revision);
    return { ...stats, slot_revision: newest, pins_revision: 1e15 };
  }

  #fill(slots: readonly SlotFill[]): "OK" {
    this.fills++;
    for (const slot of slots) {
      // As a real one does: pushes may overtake each other.
      const { revision = 0 } = this.slots.get(slot.id) ?? {};
      if ((slot.revision ?? revision) >= revision) this.slots.set(slot.id, slot);
    }
    return "OK";
  }

  #handlers(): Handlers<typeof PROXY_ROUTES> {
    const stats = (): ProxyStats => this.#statsNow();
    const ok = (): "OK" => "OK";
    const plain = (): PlainReply => new PlainReply("ok\n");
    const overview = () => ({
      version: "stand-in",
      compile: "",
      config: {},
      model: this.model,
      stats: stats(),
    });
    return {
      home: () => new Redirect("/proxy"),
      overview,
      plainModel: () => this.model,
      plainStats: stats,
      plainSlots: () => [...this.slots.values()],
      model: () => this.model,
      xping: ok,
      stats,
      statsWith: stats,
      slots: () => [...this.slots.values()],
      start: () => {
        this.isOnline = true;
        return "OK";
      },
      resetStats: ok,
      forceGc: ok,
      shutdown: ok,
      logLevel: ok,
      fillSlots: ({ body }) => this.#fill(body),
      fillMerged: ({ body }) => this.#fill(splitFills(body)),
      pins: ok,
      sentinels: ok,
      rewatch: ok,
      abandon: ok,
      metrics: plain,
      livez: plain,
      readyz: plain,
      version: () => ({ version: "stand-in", compile: "" }),
    };
  }
}

/** A server that answers INFO with the text of a real one, and little else. */
export class StandInServer implements Disposable {
  readonly address: string;
  /** The most connections it had at once. */
  peak = 0;
  #open = 0;
  readonly #listener: Bun.TCPSocketListener<ReplyDecoder>;

  constructor(info: string) {
    const infoReply = Buffer.from(`$${Buffer.byteLength(info)}\r\n${info}\r\n`);
    this.#listener = Bun.listen<ReplyDecoder>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = new ReplyDecoder();
          this.peak = Math.max(this.peak, ++this.#open);
        },
        close: () => {
          this.#open--;
        },
        data: (socket, chunk) => {
          socket.data.feed(chunk);
          for (let call = socket.data.next(); call !== undefined; call = socket.data.next()) {
            socket.write(answerTo(call, infoReply));
          }
        },
      },
    });
    this.address = `127.0.0.1:${this.#listener.port}`;
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
  }
}

const EMPTY_LIST = Buffer.from("*0\r\n");
const OK = Buffer.from("+OK\r\n");

function answerTo(call: unknown, infoReply: Buffer): Buffer {
  const [name] = Array.isArray(call) ? call.map(String) : [""];
  if (name === "INFO") return infoReply;
  if (name === "SMEMBERS") return EMPTY_LIST;
  if (name === "CONFIG") return encodeCommand(["maxmemory", "0"]);
  return OK;
}

// The real proxy program for a test: its own ports, configuration and log, gone at the end of the
// block. Slots are assigned through the admin API, as a dashboard does it.
//
//   await using redis = await startRedis();
//   await using proxy = await startProxy({ slots: [{ addr: redis.address, from: 0, to: 1023 }] });
//   using client = await connect(proxy.port);
import { join } from "node:path";
import {
  answersOk,
  spreadSlots,
  startProxyProcess,
  type ProxySettings,
} from "../../src/demo/proxy-process.ts";
import { SLOT_COUNT, type SlotFill } from "../../src/model/slot.ts";
import { owning } from "./owning.ts";
import { freePort } from "./ports.ts";
import { started, TestProgram } from "./program.ts";
import { startRedis, type Redis } from "./redis.ts";
import { until } from "./until.ts";

/**
 * Slots `from` to `to`, both included, served by `addr`; the other fields as in the Slot object.
 */
export interface SlotRange extends Omit<SlotFill, "id"> {
  readonly addr?: string;
  readonly from: number;
  readonly to: number;
}

export interface ProxyOptions {
  /** Keys as in the TOML file, over the defaults of a test. */
  readonly config?: ProxySettings;
  /** Workers; 1 unless the test is about several. */
  readonly ncpu?: number;
  /** Assigned through the admin API before the proxy goes online. */
  readonly slots?: readonly SlotRange[];
  /** Assigned by the program itself, from a file given with --fillslots. */
  readonly fillslots?: readonly SlotFill[];
  /** False leaves it waiting, as a proxy that no dashboard has started yet. */
  readonly online?: boolean;
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
}

export const ALL_SLOTS = { from: 0, to: SLOT_COUNT - 1 } as const;

export async function startProxy(options: ProxyOptions = {}): Promise<Proxy> {
  return await started(new Proxy(options));
}

export class Proxy extends TestProgram {
  readonly adminPort: number = freePort();
  readonly settings: ProxySettings;
  readonly #options: ProxyOptions;
  #token = "";

  constructor(options: ProxyOptions) {
    super("codis-proxy");
    this.#options = options;
    this.settings = {
      product_name: "test",
      product_auth: "",
      proxy_addr: this.address,
      admin_addr: `127.0.0.1:${this.adminPort}`,
      ...options.config,
    };
  }

  async start(): Promise<void> {
    const { slots, fillslots, online = true } = this.#options;
    const child = await startProxyProcess({
      dir: this.dir,
      adminPort: this.adminPort,
      settings: this.settings,
      ncpu: this.#options.ncpu ?? 1,
      slots: fillslots,
      args: this.#options.args,
      // A reference that outlives its turn shows at once: see src/lib/lent.ts.
      env: { POISON_LENT: "1", ...this.#options.env },
    });
    this.runs(child);
    const model = await this.get<{ token: string }>("/api/proxy/model");
    this.#token = model.token;
    if (slots !== undefined) await assignSlots(this, slots);
    if (!online || fillslots !== undefined) return;
    await this.put("start");
    await until(() => answersOk(this.adminPort, "/readyz"), { what: "the proxy is ready" });
  }

  /** The pids of its workers: the children of the parent process. */
  async workerPids(): Promise<number[]> {
    const file = Bun.file(join("/proc", String(this.pid), "task", String(this.pid), "children"));
    const text = (await file.text()).trim();
    return text === "" ? [] : text.split(" ").map(Number);
  }

  /** The credential of the admin API: product name, product auth and this proxy's token. */
  get xauth(): string {
    const { product_name, product_auth } = this.settings;
    const text = `Codis-XAuth-[${product_name}]-[${product_auth}]-[${this.#token}]`;
    return new Bun.CryptoHasher("sha256").update(text).digest("hex").slice(0, 32);
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.adminPort}${path}`;
  }

  /** GET of a path that needs no credential, decoded from JSON. */
  async get<T>(path: string): Promise<T> {
    return (await this.#fetchOk(this.url(path))).json() as Promise<T>;
  }

  /** PUT /api/proxy/<action>/<xauth><rest>; `body` is sent as JSON. */
  async put(action: string, body?: unknown, rest = ""): Promise<void> {
    await this.#fetchOk(this.url(`/api/proxy/${action}/${this.xauth}${rest}`), {
      method: "PUT",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** The statistics as the original spells them. */
  async stats(): Promise<ProxyStats> {
    return this.get<ProxyStats>("/proxy/stats");
  }

  async #fetchOk(url: string, init?: RequestInit): Promise<Response> {
    const response = await fetch(url, init);
    if (response.ok) return response;
    const path = new URL(url).pathname;
    throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  }
}

/** The fields that most tests look at; all others are there as well. */
export interface ProxyStats {
  readonly online: boolean;
  readonly closed: boolean;
  readonly ops: {
    readonly total: number;
    readonly fails: number;
    readonly redis: { readonly errors: number };
    readonly qps: number;
    readonly cmd?: readonly { readonly opstr: string; readonly calls: number }[];
  };
  readonly sessions: { readonly total: number; readonly alive: number };
  readonly [field: string]: unknown;
}

/** Fills slots through the admin API; answers when all workers have them. */
export async function assignSlots(proxy: Proxy, ranges: readonly SlotRange[]): Promise<void> {
  const slots: SlotFill[] = [];
  for (const { addr, from, to, ...fields } of ranges) {
    const place = addr === undefined ? {} : { backend_addr: addr, backend_addr_group_id: 1 };
    for (let id = from; id <= to; id++) slots.push({ id, ...place, ...fields });
  }
  await proxy.put("fillslots", slots);
}

export interface Product extends AsyncDisposable {
  readonly proxy: Proxy;
  /** One master per group; group 1 has the lowest slots. */
  readonly servers: Redis[];
}

export interface ProductOptions extends Omit<ProxyOptions, "slots" | "fillslots"> {
  readonly groups?: number;
  readonly redisArgs?: readonly string[];
}

/** Some servers and a proxy in front of them with all slots spread evenly: 2 groups if not told. */
export async function startProduct(options: ProductOptions = {}): Promise<Product> {
  const { groups = 2, redisArgs, ...proxyOptions } = options;
  return await owning(async (stack) => {
    const servers = await Promise.all(
      Array.from({ length: groups }, async () => stack.use(await startRedis({ args: redisArgs }))),
    );
    const fillslots = spreadSlots(servers.map((server) => server.address));
    const proxy = stack.use(await startProxy({ ...proxyOptions, fillslots }));
    return { proxy, servers };
  });
}

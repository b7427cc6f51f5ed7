// What each route of the proxy's admin API does (contract 3). The paths, the types and the words
// are in `api/routes.ts`, the HTTP in `api/server.ts`; here are only the calls into the proxy.

import { ApiError } from "../api/errors.ts";
import { type Handlers, type Ok, PlainReply, Redirect } from "../api/route.ts";
import type { ProxyOverview, PROXY_ROUTES } from "../api/routes.ts";
import { type LogLevel, parseLogLevel } from "../lib/log.ts";
import { COMPILE, VERSION } from "../lib/version.ts";
import { PROMETHEUS_TYPE } from "../metrics/prometheus.ts";
import type { PinTable } from "../model/key-pin.ts";
import { splitFills } from "../model/merged-fill.ts";
import type { ProxyModel, SentinelModel } from "../model/proxy.ts";
import { StatsFlag } from "../model/proxy-stats.ts";
import type { SlotFill } from "../model/slot.ts";
import type { ProxyReport } from "./report.ts";
import { FillTooLate } from "./workers.ts";

/** What the admin API may do to the proxy; implemented in `proxy.ts`. */
export interface ProxyControl {
  readonly model: ProxyModel;
  readonly report: ProxyReport;
  readonly configJson: Readonly<Record<string, unknown>>;
  slots(): readonly SlotFill[];
  /** Asks the workers for their newest figures. */
  refresh(): Promise<void>;
  fillSlots(slots: readonly SlotFill[]): Promise<void>;
  setPins(pins: PinTable): Promise<void>;
  goOnline(): Promise<void>;
  resetStats(): Promise<void>;
  collectGarbage(): Promise<void>;
  setLogLevel(level: LogLevel): Promise<void>;
  setSentinels(sentinels: SentinelModel): void;
  rewatchSentinels(): void;
  abandonServer(address: string): Promise<void>;
  /** Begins to close; returns at once. */
  shutdown(): void;
  /** "" when clients should be sent here, or the reason why not. */
  notReadyBecause(): string;
}

const OK: Ok = "OK";

export function proxyHandlers(proxy: ProxyControl): Handlers<typeof PROXY_ROUTES> {
  const stats = async (flags: number) => {
    await proxy.refresh();
    return proxy.report.stats(flags);
  };
  const done = async (effect: void | Promise<void>): Promise<Ok> => {
    await effect;
    return OK;
  };
  return {
    home: () => new Redirect("/proxy"),
    overview: () => overview(proxy),
    plainModel: () => proxy.model,
    plainStats: () => stats(StatsFlag.ALL),
    plainSlots: () => proxy.slots(),
    model: () => proxy.model,
    xping: () => OK,
    stats: () => stats(0),
    statsWith: ({ params }) => stats(parseFlags(params.flags)),
    slots: () => proxy.slots(),
    start: () => done(proxy.goOnline()),
    resetStats: () => done(proxy.resetStats()),
    forceGc: () => done(proxy.collectGarbage()),
    shutdown: () => done(proxy.shutdown()),
    logLevel: ({ params }) => done(proxy.setLogLevel(requireLogLevel(params.value))),
    fillSlots: ({ body }) => done(inTime(proxy.fillSlots(body))),
    fillMerged: ({ body }) => done(inTime(proxy.fillSlots(splitFills(body)))),
    pins: ({ body }) => done(inTime(proxy.setPins(body))),
    sentinels: ({ body }) => done(proxy.setSentinels(body)),
    rewatch: () => done(proxy.rewatchSentinels()),
    abandon: ({ params }) => done(proxy.abandonServer(params.addr)),
    metrics: async () => {
      await proxy.refresh();
      return new PlainReply(proxy.report.prometheus(), PROMETHEUS_TYPE);
    },
    livez: () => new PlainReply("ok\n"),
    readyz: () => {
      const reason = proxy.notReadyBecause();
      return reason === "" ? new PlainReply("ok\n") : new PlainReply(`${reason}\n`, undefined, 503);
    },
    version: () => ({ version: VERSION, compile: COMPILE }),
  };
}

async function overview(proxy: ProxyControl): Promise<ProxyOverview> {
  await proxy.refresh();
  return {
    version: VERSION,
    compile: COMPILE,
    config: proxy.configJson,
    model: proxy.model,
    stats: proxy.report.stats(StatsFlag.ALL),
    slots: proxy.slots(),
  };
}

async function inTime(change: Promise<void>): Promise<void> {
  try {
    await change;
  } catch (error) {
    if (error instanceof FillTooLate) throw new ApiError("too-late", error.message);
    throw error;
  }
}

/** A decimal number; negative ones have every bit that matters. Spelled as the original says it. */
function parseFlags(text: string): number {
  if (/^[+-]?\d{1,9}$/.test(text)) return Number(text);
  throw new ApiError(
    "bad-request",
    `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

function requireLogLevel(text: string): LogLevel {
  const level = parseLogLevel(text);
  if (level === null) throw new ApiError("bad-request", "invalid loglevel");
  return level;
}

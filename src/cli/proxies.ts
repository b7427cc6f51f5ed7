// Commands on the proxies of a product, by way of the dashboard.

import { DASHBOARD_ROUTES as routes } from "../api/dashboard-routes.ts";
import { OperatorError } from "../lib/operator-error.ts";
import type { ProxyModel } from "../model/proxy.ts";
import type { TopomStats } from "../model/topom-stats.ts";
import type { Call, Command } from "./command.ts";
import type { DashboardLink } from "./dashboard-link.ts";
import { some } from "./format.ts";
import { showSummary } from "./view.ts";
import { proxyLines } from "./views.ts";

const PROXY = { name: "PROXY", doc: "Its number, its admin address or its token." } as const;

export const PROXY_COMMANDS: readonly Command[] = [
  {
    name: "proxies",
    doc: "Shows the proxies.",
    reach: "dashboard",
    isView: true,
    run: showSummary(
      (screen, { proxies }) => proxyLines(screen, proxies),
      (summary) => summary.proxies,
    ),
  },
  {
    name: "proxies add",
    doc: "Takes a proxy into the product, or a known one back.",
    details:
      "The proxy must run with the product_name and product_auth of this product. A proxy that " +
      "is started with --dashboard or a coordinator does this by itself.",
    reach: "dashboard",
    positionals: [{ name: "ADDR", doc: "Its admin address, such as 10.0.0.1:11080." }],
    run: async (call) => {
      const addr = call.given.must("ADDR");
      await (await call.dashboard()).call(routes.onlineProxy, { addr });
      call.done(`the proxy at ${addr} serves the product`);
    },
  },
  {
    name: "proxies remove",
    doc: "Shuts a proxy down and forgets it.",
    reach: "dashboard",
    asks: true,
    positionals: [PROXY],
    options: [
      { name: "force", doc: "Also when it does not answer; it is shut out of the servers first." },
    ],
    run: async (call) => {
      const link = await call.dashboard();
      const proxy = await oneProxy(link, call.given.must("PROXY"));
      await call.confirm(`Shut down and forget the proxy at ${proxy.admin_addr}?`);
      await removeProxy(link, proxy.token, call.given.has("force"));
      call.done(`the proxy at ${proxy.admin_addr} is gone from the product`);
    },
  },
  {
    name: "proxies refresh",
    doc: "Sends a proxy, or all of them, all slots and sentinels again.",
    reach: "dashboard",
    positionals: [{ ...PROXY, isOptional: true }],
    run: async (call) => {
      const link = await call.dashboard();
      const name = call.given.text("PROXY");
      const stats = await link.stats();
      const proxies = name === null ? stats.proxy.models : [pickProxy(stats, name)];
      for (const { token } of proxies) await link.call(routes.reinitProxy, { token });
      call.done(`${some(proxies.length, "proxy", "proxies")} refreshed`);
    },
  },
];

async function removeProxy(link: DashboardLink, token: string, isForced: boolean): Promise<void> {
  await link.call(routes.removeProxy, { token, force: isForced ? 1 : 0 });
}

async function oneProxy(link: DashboardLink, name: string): Promise<ProxyModel> {
  return pickProxy(await link.stats(), name);
}

function pickProxy(stats: TopomStats, name: string): ProxyModel {
  const found = stats.proxy.models.find((proxy) => {
    return [String(proxy.id), proxy.admin_addr, proxy.token, proxy.proxy_addr].includes(name);
  });
  if (found !== undefined) return found;
  const known = stats.proxy.models.map((proxy) => `${proxy.id} (${proxy.admin_addr})`).join(", ");
  throw new OperatorError(`there is no proxy ${name}; there is ${known === "" ? "none" : known}`);
}

// ------------------------------------------------------------------- in the words of the original

/** --proxy-status: one line a proxy. */
export function originalProxyLines(stats: TopomStats): string[] {
  const { models } = stats.proxy;
  const width = (texts: string[]): number => Math.max(0, ...texts.map((text) => text.length));
  const idWidth = width(models.map((proxy) => String(proxy.id ?? 0)));
  const adminWidth = width(models.map((proxy) => proxy.admin_addr));
  const proxyWidth = width(models.map((proxy) => proxy.proxy_addr));
  return models.map((proxy) => {
    const id = String(proxy.id ?? 0).padStart(idWidth, "0");
    const addresses = `[A] ${proxy.admin_addr.padEnd(adminWidth)} [P] `;
    const mark = markOf(stats.proxy.stats[proxy.token]);
    const name = `[${mark}] proxy-${id} [T] ${proxy.token}`;
    return `${name} ${addresses}${proxy.proxy_addr.padEnd(proxyWidth)}`;
  });
}

/** No poll yet, an error, too late, or nothing to say. */
export function markOf(
  poll: { stats?: unknown; error?: unknown; timeout?: boolean } | undefined,
): string {
  if (poll === undefined) return "?";
  if (poll.error !== undefined && poll.error !== null) return "E";
  return poll.timeout || poll.stats === undefined || poll.stats === null ? "T" : " ";
}

/** Tokens by --token, --pid (the number of the proxy) or --addr; none is fine with --force. */
export async function originalTokens(call: Call, link: DashboardLink): Promise<string[]> {
  const token = call.given.text("token");
  if (token !== null) return [token];
  const id = call.given.integer("pid");
  const addr = call.given.text("addr");
  const { models } = (await link.stats()).proxy;
  const found = models.filter((proxy) => {
    return id !== null ? proxy.id === id : proxy.admin_addr === addr;
  });
  if (found.length === 0 && !call.given.has("force")) {
    const what = id !== null ? `id = ${id}` : `addr = ${addr}`;
    throw new OperatorError(`can't find specific proxy with ${what}`);
  }
  return found.map((proxy) => proxy.token);
}

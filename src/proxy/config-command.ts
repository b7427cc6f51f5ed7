/**
 * CONFIG GET for the parameters of Redis that clients and tools ask a server for when they connect.
 * The values say what is true of the proxy; parameters it knows nothing of do not appear, as if
 * this were a Redis without them. Passwords never appear.
 */
import { parseAddress } from "../lib/address.ts";
import type { Args } from "../resp/args.ts";
import { MAX_BULK_BYTES } from "../resp/scan.ts";
import type { ReplyWriter } from "../resp/write.ts";
import { writeHelp } from "./client-command.ts";
import { globMatches, hasGlob } from "./local-glob.ts";
import type { LocalHandler, LocalSession, WorkerServices } from "./local-types.ts";
import type { ProxyConfig } from "./settings.ts";

const HELP = [
  "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "GET <pattern> [<pattern> ...]",
  "    The parameters of the proxy, under Redis' names, that match a glob pattern.",
  "HELP",
  "    This text.",
];

const PARAMETERS: ReadonlyMap<string, (config: ProxyConfig) => string> = new Map([
  ["appendonly", () => "no"],
  ["bind", (config: ProxyConfig) => parseAddress(config.proxyAddr)?.host ?? ""],
  ["cluster-enabled", () => "no"],
  ["databases", (config: ProxyConfig) => String(config.backendNumberDatabases)],
  ["maxclients", (config: ProxyConfig) => String(config.proxyMaxClients)],
  ["maxmemory", () => "0"],
  ["maxmemory-policy", () => "noeviction"],
  ["notify-keyspace-events", () => ""],
  ["port", (config: ProxyConfig) => String(parseAddress(config.proxyAddr)?.port ?? 0)],
  ["proto-max-bulk-len", () => String(MAX_BULK_BYTES)],
  ["replica-read-only", () => "yes"],
  ["save", () => ""],
  ["slave-read-only", () => "yes"],
  ["tcp-keepalive", (config: ProxyConfig) => inSeconds(config.sessionKeepalivePeriodMs)],
  ["timeout", (config: ProxyConfig) => inSeconds(config.sessionRecvTimeoutMs)],
]);

export const CONFIG_HANDLERS: ReadonlyMap<string, LocalHandler> = new Map<string, LocalHandler>([
  ["config|get", answerGet],
  ["config|help", (_session, _args, out) => writeHelp(HELP, out)],
]);

function answerGet(
  _session: LocalSession,
  args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  const names = matchingNames(args);
  out.map(names.size);
  for (const [name, shown] of names) {
    out.bulk(shown);
    out.bulk(PARAMETERS.get(name)?.(services.config) ?? "");
  }
}

/** Each parameter once. A name asked for without a pattern is repeated as the client spelled it. */
function matchingNames(args: Args): Map<string, string> {
  const names = new Map<string, string>();
  for (let i = 2; i < args.count; i++) {
    const pattern = args.text(i);
    if (!hasGlob(pattern)) {
      const name = pattern.toLowerCase();
      if (PARAMETERS.has(name) && !names.has(name)) names.set(name, pattern);
      continue;
    }
    for (const name of PARAMETERS.keys()) {
      if (!names.has(name) && globMatches(pattern, name)) names.set(name, name);
    }
  }
  return names;
}

function inSeconds(ms: number): string {
  return String(Math.floor(ms / 1000));
}

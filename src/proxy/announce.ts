// The proxy's entry for client discovery ("jodis", contract 5.2 and 10): a node in etcd or
// ZooKeeper from which clients learn the addresses of all proxies that are online. It is there from
// the moment the proxy goes online until it closes, and goes away by itself when the proxy dies.
// Only the parent process announces, once for all workers.

import type { Announcement, Coordinator } from "../coordinator/coordinator.ts";
import { openCoordinator } from "../coordinator/open.ts";
import { backOff } from "../coordinator/patience.ts";
import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";
import { encodeJson } from "../model/json.ts";
import type { ProxyModel } from "../model/proxy.ts";
import type { ProxyConfig } from "./settings.ts";

/** For a jodis_timeout of 0. */
const DEFAULT_TTL_MS = 5_000;

/** An orderly end does not wait longer for a coordinator that does not answer. */
const CLOSE_TIMEOUT_MS = 2_000;

/** Where the entry is; "" when the proxy does not announce itself. */
export function jodisPath(config: ProxyConfig, token: string): string {
  const { jodisAddr, jodisCompatible, productName } = config;
  if (jodisAddr === "") return "";
  return jodisCompatible
    ? `/zk/codis/db_${productName}/proxy/${token}`
    : `/jodis/${productName}/proxy-${token}`;
}

/** The entry's text, as clients of the original read it: keys in the order of the alphabet. */
export function jodisText(model: ProxyModel): string {
  return encodeJson({
    addr: model.proxy_addr,
    admin: model.admin_addr,
    start: model.start_time,
    state: "online",
    token: model.token,
  });
}

export class JodisEntry {
  readonly #coordinator: Coordinator;
  readonly #abort = new AbortController();
  #announcing: Promise<unknown> | null = null;
  #announcement: Announcement | null = null;

  private constructor(
    private readonly config: ProxyConfig,
    private readonly model: ProxyModel,
  ) {
    this.#coordinator = openCoordinator({
      name: config.jodisName,
      address: config.jodisAddr,
      auth: config.jodisAuth,
      tls: { ca: config.jodisTlsCa, cert: config.jodisTlsCert, key: config.jodisTlsKey },
    });
  }

  /** Null when the settings name no coordinator. */
  static of(config: ProxyConfig, model: ProxyModel): JodisEntry | null {
    return config.jodisAddr === "" ? null : new JodisEntry(config, model);
  }

  /** Announces the proxy in the background, however long the coordinator cannot be reached. */
  open(): void {
    if (this.#announcing !== null || this.#abort.signal.aborted) return;
    const path = this.model.jodis_path ?? "";
    const ttlMs = this.config.jodisTimeoutMs || DEFAULT_TTL_MS;
    const announce = async (): Promise<void> => {
      const made = await this.#coordinator.announce(path, jodisText(this.model), ttlMs);
      this.#announcement = made;
      log.info(`clients find this proxy at ${path} of ${this.#coordinator.kind}`);
      // Closed meanwhile: then nobody else removes it.
      if (this.#abort.signal.aborted) await made.close();
    };
    this.#announcing = backOff(announce, this.#abort.signal, (error) => {
      log.warn(`clients cannot find this proxy yet: ${messageOf(error)}`);
    });
  }

  /** Removes the entry; waits for that, but not for long. */
  async close(): Promise<void> {
    this.#abort.abort();
    const closed = (async () => {
      await this.#announcement?.close();
      await this.#coordinator.close();
    })();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
    });
    await Promise.race([closed.catch(() => {}), late]);
    clearTimeout(timer);
  }
}

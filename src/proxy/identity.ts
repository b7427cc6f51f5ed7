// Who this proxy is: its token, its model (what the dashboard stores) and the addresses it
// publishes (contract 0.4 and 2.3). Worked out once at start, after both sockets are bound.

import { hostname } from "node:os";
import {
  hardwareAddresses,
  type Published,
  publishedAddress,
  socketText,
  systemText,
} from "../lib/machine.ts";
import type { ProxyModel } from "../model/proxy.ts";
import { timeText } from "../model/time.ts";
import { tokenOf } from "../model/xauth.ts";
import { jodisPath } from "./announce.ts";
import type { ProxyConfig } from "./settings.ts";

const PUBLISHED: Published = { program: "proxy", options: "--host-proxy and --host-admin" };

export interface BoundAddresses {
  /** As bound, with the real port; a path for a unix socket. */
  readonly proxy: string;
  readonly admin: string;
}

/** Addresses given with --host-proxy and --host-admin. */
export interface GivenAddresses {
  readonly hostProxy: string | null;
  readonly hostAdmin: string | null;
}

export async function proxyModel(
  config: ProxyConfig,
  bound: BoundAddresses,
  given: GivenAddresses,
): Promise<ProxyModel> {
  const { protoType } = config;
  const macs = hardwareAddresses();
  const proxyText = socketText(protoType, bound.proxy);
  const adminText = socketText("tcp", bound.admin);
  const token = tokenOf(macs, config.productName, proxyText, adminText);
  const jodis_path = jodisPath(config, token);
  return {
    token,
    start_time: timeText(Date.now(), performance.now() / 1000),
    admin_addr: await publishedAddress("tcp", bound.admin, given.hostAdmin, PUBLISHED),
    proto_type: protoType,
    proxy_addr: await publishedAddress(protoType, bound.proxy, given.hostProxy, PUBLISHED),
    ...(jodis_path === "" ? {} : { jodis_path }),
    product_name: config.productName,
    pid: process.pid,
    pwd: process.cwd(),
    sys: systemText(),
    hostname: hostname(),
    datacenter: config.proxyDatacenter,
  };
}

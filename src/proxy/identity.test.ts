import { expect, test } from "bun:test";
import { proxyModel } from "./identity.ts";
import { defaultProxyConfig } from "./settings.ts";

test("the model names the process, and its token is the same after a restart", async () => {
  const config = { ...defaultProxyConfig(), productName: "lab", proxyDatacenter: "dc1" };
  const bound = { proxy: "127.0.0.1:19000", admin: "127.0.0.1:11080" };
  const given = { hostProxy: null, hostAdmin: null };
  const model = await proxyModel(config, bound, given);
  expect(Object.keys(model)).toEqual([
    ...["token", "start_time", "admin_addr", "proto_type", "proxy_addr", "product_name", "pid"],
    ...["pwd", "sys", "hostname", "datacenter"],
  ]);
  expect(model).toMatchObject({ pid: process.pid, product_name: "lab", datacenter: "dc1" });
  expect((await proxyModel(config, bound, given)).token).toBe(model.token);
  const other = { ...bound, proxy: "127.0.0.1:19001" };
  expect((await proxyModel(config, other, given)).token).not.toBe(model.token);
});

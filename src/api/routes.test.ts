import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { adminApiPage, PROXY_ROUTES } from "./routes.ts";

test("docs/admin-api.md is what the table says (CODIS_TEST_UPDATE=1 writes it anew)", () => {
  const file = new URL("../../docs/admin-api.md", import.meta.url);
  if (process.env.CODIS_TEST_UPDATE === "1") writeFileSync(file, adminApiPage());
  expect(readFileSync(file, "utf8")).toBe(adminApiPage());
});

test("every route of the contract is in the table", () => {
  const routes = Object.values(PROXY_ROUTES).map((route) => `${route.method} ${route.path}`);
  const contract = [
    "GET /",
    "GET /proxy",
    "GET /proxy/model",
    "GET /proxy/stats",
    "GET /proxy/slots",
    "GET /api/proxy/model",
    "GET /api/proxy/xping/:xauth",
    "GET /api/proxy/stats/:xauth",
    "GET /api/proxy/stats/:xauth/:flags",
    "GET /api/proxy/slots/:xauth",
    "PUT /api/proxy/start/:xauth",
    "PUT /api/proxy/stats/reset/:xauth",
    "PUT /api/proxy/forcegc/:xauth",
    "PUT /api/proxy/shutdown/:xauth",
    "PUT /api/proxy/loglevel/:xauth/:value",
    "PUT /api/proxy/fillslots/:xauth",
    "PUT /api/proxy/sentinels/:xauth",
    "PUT /api/proxy/sentinels/:xauth/rewatch",
  ];
  expect(contract.filter((route) => !routes.includes(route))).toEqual([]);
});

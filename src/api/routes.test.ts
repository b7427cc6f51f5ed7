import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { DASHBOARD_ROUTES, dashboardApiPage } from "./dashboard-routes.ts";
import { adminApiPage, PROXY_ROUTES } from "./routes.ts";

test("docs/dashboard-api.md is what the table says (CODIS_TEST_UPDATE=1 writes it anew)", () => {
  const file = new URL("../../docs/dashboard-api.md", import.meta.url);
  if (process.env.CODIS_TEST_UPDATE === "1") writeFileSync(file, dashboardApiPage());
  expect(readFileSync(file, "utf8")).toBe(dashboardApiPage());
});

test("every route of the original dashboard is in the table", () => {
  const routes = Object.values(DASHBOARD_ROUTES).map((route) => `${route.method} ${route.path}`);
  const read = ["/", "/topom", "/topom/model", "/topom/stats", "/topom/slots"];
  const api = (text: string): string[] => text.trim().split(/\s+/);
  const contract = [
    ...read.map((path) => `GET ${path}`),
    ...api("model xping/:xauth stats/:xauth slots/:xauth group/info/:addr sentinels/info/:addr")
      .concat("sentinels/info/:addr/monitored")
      .map((path) => `GET /api/topom/${path}`),
    ...api(`
      reload/:xauth shutdown/:xauth loglevel/:xauth/:value proxy/create/:xauth/:addr
      proxy/online/:xauth/:addr proxy/reinit/:xauth/:token proxy/remove/:xauth/:token/:force
      group/create/:xauth/:gid group/remove/:xauth/:gid group/resync/:xauth/:gid
      group/resync-all/:xauth group/add/:xauth/:gid/:addr group/add/:xauth/:gid/:addr/:datacenter
      group/del/:xauth/:gid/:addr group/promote/:xauth/:gid/:addr
      group/replica-groups/:xauth/:gid/:addr/:value group/replica-groups-all/:xauth/:value
      group/action/create/:xauth/:addr group/action/remove/:xauth/:addr
      slots/action/create/:xauth/:sid/:gid slots/action/create-some/:xauth/:src/:dst/:num
      slots/action/create-range/:xauth/:beg/:end/:gid slots/action/remove/:xauth/:sid
      slots/action/interval/:xauth/:value slots/action/disabled/:xauth/:value
      slots/assign/:xauth slots/assign/:xauth/offline slots/rebalance/:xauth/:confirm
      sentinels/add/:xauth/:addr sentinels/del/:xauth/:addr/:force sentinels/resync-all/:xauth
    `).map((path) => `PUT /api/topom/${path}`),
  ];
  expect(contract.filter((route) => !routes.includes(route))).toEqual([]);
});

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

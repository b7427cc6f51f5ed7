import { afterAll, beforeAll, expect, test } from "bun:test";
import { log } from "../lib/log.ts";
import { xauthOf } from "../model/xauth.ts";
import { register } from "./registration.ts";

beforeAll(() => log.setLevel("none"));
afterAll(() => log.setLevel("info"));

/** A dashboard that refuses the first `refusals` registrations, with the original's status 800. */
async function startDashboard(productName: string, refusals: number) {
  const { createServer } = await import("node:http");
  const calls: string[] = [];
  const server = createServer((request, response) => {
    calls.push(`${request.method} ${request.url}`);
    if (request.method === "GET") {
      response.end(JSON.stringify({ product_name: productName, token: "t" }));
    } else if (calls.filter((call) => call.startsWith("PUT")).length <= refusals) {
      response.writeHead(800, "status code 800").end('{"Cause": "topom is not online"}');
    } else {
      response.end('"OK"');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const dashboard = `127.0.0.1:${port}`;
  const what = `the dashboard ${dashboard}`;
  const source = { what, attempts: 10, find: () => Promise.resolve(dashboard) };
  return { calls, source, [Symbol.dispose]: () => void server.close() };
}

const OPTIONS = { productName: "lab", adminAddr: "127.0.0.1:11080", isWanted: () => true };

test("a proxy registers by its admin address, again when it was refused", async () => {
  using topom = await startDashboard("lab", 1);
  await register({ ...OPTIONS, source: topom.source, pauseMs: 1 });
  const put = `PUT /api/topom/proxy/online/${xauthOf("lab")}/127.0.0.1%3A11080`;
  expect(topom.calls).toEqual(["GET /api/topom/model", put, "GET /api/topom/model", put]);
});

test("a dashboard of another product ends the attempts at once", async () => {
  using topom = await startDashboard("other", 0);
  const registering = register({ ...OPTIONS, source: topom.source, pauseMs: 1 });
  await expect(registering).rejects.toThrow("serves the product 'other', this proxy belongs to");
  expect(topom.calls.length).toBe(1);
});

test("running out of attempts is an error that says why", async () => {
  using topom = await startDashboard("lab", 1000);
  const registering = register({ ...OPTIONS, source: topom.source, pauseMs: 1 });
  await expect(registering).rejects.toThrow("topom is not online");
  expect(topom.calls.filter((call) => call.startsWith("PUT")).length).toBe(10);
});

test("attempts end when the proxy is online by other means", async () => {
  using topom = await startDashboard("lab", 1000);
  const isWanted = (): boolean => topom.calls.length < 4;
  await register({ ...OPTIONS, source: topom.source, pauseMs: 1, isWanted });
  expect(topom.calls.length).toBe(4);
});

test("a source that does not know the dashboard yet is asked again", async () => {
  using topom = await startDashboard("lab", 0);
  let asked = 0;
  const find = async (): Promise<string> => {
    if (++asked < 3) throw new Error("no dashboard leads lab");
    return topom.source.find();
  };
  await register({ ...OPTIONS, source: { ...topom.source, find }, pauseMs: 1 });
  expect(asked).toBe(3);
  expect(topom.calls.length).toBe(2);
});

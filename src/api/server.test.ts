import { afterAll, beforeAll, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { log } from "../lib/log.ts";
import { RecordReader } from "../model/json.ts";
import { callRoute } from "./client.ts";
import { ApiError } from "./errors.ts";
import { PlainReply, Redirect, route } from "./route.ts";
import { ApiServer } from "./server.ts";

const ROUTES = {
  home: route<Redirect>()({ method: "GET", path: "/", doc: "", answers: "" }),
  text: route<PlainReply>()({ method: "GET", path: "/text", doc: "", answers: "" }),
  echo: route<{ value: string }>()({
    method: "GET",
    path: "/api/echo/:value",
    doc: "",
    answers: "",
  }),
  put: route<number>()({
    method: "PUT",
    path: "/api/put/:xauth/:value",
    body: (json: unknown) => new RecordReader(json, "the body").requiredInteger("n", 0, 9),
    doc: "",
    answers: "",
  }),
  crash: route<string>()({ method: "GET", path: "/crash", doc: "", answers: "" }),
  late: route<string>()({ method: "GET", path: "/late", doc: "", answers: "" }),
} as const;

const server = new ApiServer();
let port = 0;
let puts = 0;

beforeAll(async () => {
  port = await server.listen("127.0.0.1", 0);
  log.setLevel("none");
  server.serve({
    routes: ROUTES,
    handlers: {
      home: () => new Redirect("/text"),
      text: () => new PlainReply("hello\n"),
      echo: ({ params }) => ({ value: params.value }),
      put: ({ body }) => {
        puts++;
        return body;
      },
      crash: () => {
        throw new Error("the secret detail");
      },
      late: () => Promise.reject(new ApiError("too-late", "worker 3 é\r\nX: y")),
    },
    authorize: (xauth) => {
      if (xauth !== "right") throw new ApiError("not-authorized", "invalid xauth");
    },
  });
});

afterAll(() => {
  server.close();
  log.setLevel("info");
});

/** Sends bytes and reads until the server closes or `isEnough` says so. */
async function exchange(bytes: string, isEnough = (_: string): boolean => false): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let received = "";
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_, chunk) {
        received += chunk.toString("latin1");
        if (isEnough(received)) resolve(received);
      },
      close: () => resolve(received),
      error() {},
    },
  });
  socket.write(Buffer.from(bytes, "latin1"));
  const answer = await promise;
  socket.terminate();
  return answer;
}

/** One request over a connection of its own; status line, headers in lower case, body. */
async function call(method: string, path: string, body?: string | Uint8Array, headers = "") {
  const data = Buffer.from(body ?? "");
  const length = body === undefined ? "" : `Content-Length: ${data.length}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${length}${headers}`;
  const answer = await exchange(`${head}\r\n${data.toString("latin1")}`);
  const end = answer.indexOf("\r\n\r\n");
  const [statusLine, ...lines] = answer.slice(0, end).split("\r\n");
  const fields = new Map(lines.map((line) => [line.split(": ")[0].toLowerCase(), line]));
  return { statusLine, fields, body: answer.slice(end + 4) };
}

test("a value is answered as JSON, with or without a slash at the end of the path", async () => {
  for (const path of ["/api/echo/a%20%26b", "/api/echo/a%20%26b/", "http://me/api/echo/a%20%26b"]) {
    const answer = await call("GET", path);
    expect(answer.statusLine).toBe("HTTP/1.1 200 OK");
    expect(answer.fields.get("content-type")).toEndWith("application/json; charset=utf-8");
    expect(answer.body).toBe('{\n    "value": "a \\u0026b"\n}');
  }
});

test("HEAD has the headers of GET and no body", async () => {
  const answer = await call("HEAD", "/api/echo/x");
  expect(answer.statusLine).toBe("HTTP/1.1 200 OK");
  expect(answer.fields.get("content-length")).toEndWith(" 20");
  expect(answer.body).toBe("");
});

test("answers are compressed for those who accept it", async () => {
  const answer = await call("GET", "/text", undefined, "Accept-Encoding: br, gzip\r\n");
  expect(answer.fields.get("content-encoding")).toEndWith("gzip");
  expect(gunzipSync(Buffer.from(answer.body, "latin1")).toString()).toBe("hello\n");
});

test("a redirect leads on", async () => {
  const answer = await call("GET", "/");
  expect(answer.statusLine).toBe("HTTP/1.1 302 Found");
  expect(answer.fields.get("location")).toEndWith(" /text");
});

test("anything that is not in the table is not found", async () => {
  const calls = [
    ["GET", "/nothing"],
    ["GET", "///"],
    ["GET", "/api/echo//"],
    ["GET", "/api/echo/"],
    ["GET", "/api/echo/a%2Fb"],
    ["GET", "/api/echo/%zz"],
    ["GET", "/api/echo/a/b"],
    ["PUT", "/text"],
    ["GET", "/api/put/right/1"],
    ["POST", "/api/put/right/1"],
    ["OPTIONS", "/text"],
  ];
  for (const [method, path] of calls) {
    const answer = await call(method, path);
    expect([path, answer.statusLine]).toEqual([path, "HTTP/1.1 404 Not Found"]);
    expect(answer.body).toBe("404 page not found\n");
  }
});

test("a wrong xauth is refused before the body is looked at", async () => {
  const before = puts;
  const answer = await call("PUT", "/api/put/wrong/1", "garbage");
  expect(answer.statusLine).toBe("HTTP/1.1 403 invalid xauth");
  expect(JSON.parse(answer.body)).toEqual({ Cause: "invalid xauth", Stack: null });
  expect(puts).toBe(before);
});

test("a malformed body is refused and the handler does not run", async () => {
  const before = puts;
  const bodies: (string | Uint8Array)[] = ["", "{", "[]", "null", '{"n": "1"}', '{"n": 10}', "{}"];
  bodies.push(new Uint8Array([0x22, 0xff, 0x22]), "[".repeat(100_000));
  for (const body of bodies) {
    const answer = await call("PUT", "/api/put/right/1", body);
    expect(answer.statusLine).toStartWith("HTTP/1.1 400 ");
    expect(JSON.parse(answer.body).Cause.length).toBeGreaterThan(10);
  }
  expect(puts).toBe(before);
  const good = await call("PUT", "/api/put/right/1", '{"N": 7}');
  expect(good.body).toBe("7");
});

test("a body that is too large is refused, whether its length is announced or not", async () => {
  const head = "PUT /api/put/right/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n";
  const announced = await exchange(head, (text) => text.includes("\r\n\r\n"));
  expect(announced).toStartWith("HTTP/1.1 413 the body exceeds");
  const blocks = new ReadableStream({
    start: (stream) => {
      for (let i = 0; i < 17; i++) stream.enqueue(new Uint8Array(1024 * 1024));
      stream.close();
    },
  });
  const url = `http://127.0.0.1:${port}/api/put/right/1`;
  const response = await fetch(url, { method: "PUT", body: blocks });
  expect(response.status).toBe(413);
});

test("a fault in a handler gives 500 without its details", async () => {
  const answer = await call("GET", "/crash");
  expect(answer.statusLine).toStartWith("HTTP/1.1 500 ");
  expect(answer.body).not.toContain("secret");
});

test("a program of the original gets the one status whose cause it reads", async () => {
  const answer = await call("GET", "/late", undefined, "User-Agent: Go-http-client/1.1\r\n");
  expect(answer.statusLine).toStartWith("HTTP/1.1 800 ");
  expect(JSON.parse(answer.body).Cause).toStartWith("worker 3 ");
});

test("a reason phrase can hold neither line ends nor foreign letters", async () => {
  const answer = await call("GET", "/late");
  expect(answer.statusLine).toBe("HTTP/1.1 504 worker 3 ?X: y");
  expect(JSON.parse(answer.body).Cause).toStartWith("worker 3 ");
});

test("what is not HTTP is refused, and the server lives on", async () => {
  const garbage = [
    "\r\n\r\nGARBAGE\r\n\r\n",
    "*1\r\n$4\r\nPING\r\n",
    "GET /text HTTP/9.9\r\n\r\n",
    "PUT /api/put/right/1 HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "PUT /api/put/right/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    `GET /text HTTP/1.1\r\nHost: x\r\nA: ${"b".repeat(200_000)}\r\n\r\n`,
    `GET /${"a".repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
  ];
  for (const bytes of garbage) {
    expect(await exchange(bytes, (text) => text.includes("\r\n\r\n"))).toStartWith("HTTP/1.1 4");
  }
  expect((await call("GET", "/text")).body).toBe("hello\n");
});

test("a caller that hangs up in the middle does no harm", async () => {
  const head = "PUT /api/put/right/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{";
  const before = puts;
  const closed = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: { data() {}, close: () => closed.resolve() },
  });
  socket.write(head);
  socket.terminate();
  await closed.promise;
  expect((await call("GET", "/text")).body).toBe("hello\n");
  expect(puts).toBe(before);
});

test("the client of a route gets its reply, or the cause of the refusal", async () => {
  const address = `127.0.0.1:${port}`;
  const params = { xauth: "right", value: "1" };
  expect(await callRoute(address, ROUTES.put, { params, body: 3 }).catch(String)).toContain(
    "the body must be an object",
  );
  expect(await callRoute(address, ROUTES.echo, { params: { value: "a/b c" } }).catch(String)).toBe(
    `RemoteError: ${address} refused /api/echo/:value: status 404`,
  );
  expect(await callRoute(address, ROUTES.echo, { params: { value: "a&b c" } })).toEqual({
    value: "a&b c",
  });
  const wrong = { params: { xauth: "0123456789abcdef", value: "1" }, body: 3 };
  const refusal = await callRoute(address, ROUTES.put, wrong).catch(String);
  expect(refusal).toContain("invalid xauth");
  expect(refusal).not.toContain("0123456789abcdef");
});

test("before it serves, the server says that the program is starting", async () => {
  const starting = new ApiServer();
  const startingPort = await starting.listen("127.0.0.1", 0);
  const response = await fetch(`http://127.0.0.1:${startingPort}/text`);
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({ Cause: "the program is starting", Stack: null });
  starting.close();
});

test("a port that is taken rejects with the system's code", async () => {
  const second = new ApiServer();
  const error = await second.listen("127.0.0.1", port).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ code: "EADDRINUSE" });
  second.close();
});

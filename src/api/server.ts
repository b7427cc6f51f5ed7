// The server of an admin API: finds the row of a request in a route table, checks the xauth, reads
// the body, calls the handler and writes the answer. It knows no route by name; the table brings
// the paths, the program its handlers. Whatever a caller sends, the answer is an error and the
// program lives.
//
// node:http and not Bun.serve, because it sends a reason phrase of ours with any status and has
// working limits on slow and oversized requests. (Bun 1.4.5)

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { formatAddress } from "../lib/address.ts";
import { listenProblem, resolveListenAddress } from "../lib/listen-address.ts";
import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";
import { decodeJson, encodeJson } from "../model/json.ts";
import { ApiError, reasonPhrase, statusFor, toApiError } from "./errors.ts";
import { type AnyRoute, type Handlers, PlainReply, Redirect, type RouteTable } from "./route.ts";

/** A fill of all slots with many replicas is a few hundred kilobytes. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** Nobody needs so many connections to an admin API; the data plane needs the descriptors. */
const MAX_CONNECTIONS = 512;

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

const JSON_TYPE = "application/json; charset=utf-8";
const TEXT_TYPE = "text/plain; charset=utf-8";

export interface ApiOptions<Table extends RouteTable> {
  readonly routes: Table;
  readonly handlers: Handlers<Table>;
  /** Throws `ApiError` unless the caller may use a route with that xauth. */
  readonly authorize: (xauth: string) => void;
}

/** What the matcher found: a row, its handler and the parameters of the path. */
interface Match {
  readonly route: AnyRoute;
  readonly handler: (call: { params: Record<string, string>; body: unknown }) => unknown;
  readonly params: Record<string, string>;
}

interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Listens first and serves when `serve` brings the table; until then callers get 503. */
export class ApiServer {
  readonly #server: Server;
  #answer: (request: IncomingMessage) => Promise<Answer> = () => {
    return Promise.reject(new ApiError("not-ready", "the program is starting"));
  };

  constructor() {
    this.#server = createServer(
      {
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      },
      (request, response) => void this.#take(request, response),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on("clientError", (_: Error, socket: Socket) => {
      if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
      else socket.destroy();
    });
  }

  /** Resolves with the port; rejects with the system's error when the address cannot be had. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        this.#server.on("error", (error) => log.error("the admin port has a problem", error));
        const address = this.#server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  /** Binds the address of a setting; answers with it as bound, with the real port. */
  async listenAt(address: string): Promise<string> {
    const { host, port } = await resolveListenAddress("tcp", address);
    try {
      return formatAddress({ host, port: await this.listen(host, port) });
    } catch (error) {
      throw listenProblem(address, error);
    }
  }

  serve<Table extends RouteTable>(options: ApiOptions<Table>): void {
    const find = matcher(options);
    this.#answer = (request) => answer(request, find, options.authorize);
  }

  /** Also ends the connections that callers keep open. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on("error", () => {}); // the caller went away; writing the answer will tell
    response.on("error", () => {});
    try {
      send(request, response, await this.#answer(request));
    } catch (error) {
      send(request, response, failure(error, request));
    }
  }
}

async function answer(
  request: IncomingMessage,
  find: (method: string, path: string) => Match | null,
  authorize: (xauth: string) => void,
): Promise<Answer> {
  // Callers that take us for an HTTP proxy send the whole address.
  const path = (request.url ?? "/").replace(/^https?:\/\/[^/]*/i, "").replace(/[?#].*$/s, "");
  const match = find(request.method ?? "GET", path);
  if (match === null) return notFound();
  logChange(request, match);
  return call(match, request, authorize);
}

async function call(
  match: Match,
  request: IncomingMessage,
  authorize: (xauth: string) => void,
): Promise<Answer> {
  if (match.params.xauth !== undefined) authorize(match.params.xauth);
  const text = await readBody(request);
  const body = match.route.body?.(decodeJson(text));
  return answerOf(await match.handler({ params: match.params, body }));
}

// -------------------------------------------------------------------------------------- routing

/** Splits every path of the table once; a request is compared segment by segment. */
function matcher<Table extends RouteTable>(
  options: ApiOptions<Table>,
): (method: string, path: string) => Match | null {
  const rows = Object.entries(options.routes).map(([name, route]) => ({
    route,
    segments: segmentsOf(route.path),
    handler: options.handlers[name] as Match["handler"],
  }));
  return (method, path) => {
    const given = segmentsOf(path);
    const asked = method === "HEAD" ? "GET" : method;
    for (const row of rows) {
      if (row.route.method !== asked || row.segments.length !== given.length) continue;
      const params = paramsOf(row.segments, given);
      if (params !== null) return { route: row.route, handler: row.handler, params };
    }
    return null;
  };
}

/** Without the one trailing slash that every route accepts. */
function segmentsOf(path: string): string[] {
  return (path.length > 1 ? path.replace(/\/$/, "") : path).split("/");
}

function paramsOf(
  wanted: readonly string[],
  given: readonly string[],
): Record<string, string> | null {
  const params: Record<string, string> = {};
  for (let i = 0; i < wanted.length; i++) {
    const value = percentDecoded(given[i]);
    if (value === null) return null;
    if (!wanted[i].startsWith(":")) {
      if (value !== wanted[i]) return null;
      continue;
    }
    if (value === "" || /[/#?]/.test(value)) return null;
    params[wanted[i].slice(1)] = value;
  }
  return params;
}

function percentDecoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

// ---------------------------------------------------------------------------- bodies and answers

/** The whole body as text. An aborted request rejects and nobody reads the answer. */
function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const tooLarge = new ApiError("too-large", `the body exceeds ${MAX_BODY_BYTES} bytes`);
    if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) return reject(tooLarge);
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) chunks.push(chunk);
      else reject(tooLarge);
    });
    request.on("end", () => {
      try {
        resolve(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
      } catch {
        reject(new ApiError("bad-request", "the body is not UTF-8"));
      }
    });
    request.on("error", reject);
    request.on("aborted", () => reject(new ApiError("bad-request", "the body is incomplete")));
  });
}

function answerOf(reply: unknown): Answer {
  if (reply instanceof PlainReply) {
    const headers = { "Content-Type": reply.contentType };
    return { status: reply.status, reason: "", headers, body: reply.text };
  }
  if (reply instanceof Redirect) {
    const headers = { Location: reply.location, "Content-Type": TEXT_TYPE };
    return { status: 302, reason: "", headers, body: `found at ${reply.location}\n` };
  }
  const headers = { "Content-Type": JSON_TYPE };
  return { status: 200, reason: "", headers, body: encodeJson(reply) };
}

function notFound(): Answer {
  const headers = { "Content-Type": TEXT_TYPE, "X-Content-Type-Options": "nosniff" };
  return { status: 404, reason: "", headers, body: "404 page not found\n" };
}

function failure(error: unknown, request: IncomingMessage): Answer {
  const apiError = toApiError(error);
  if (apiError.code === "internal") log.error(`admin call failed: ${request.method}`, error);
  const body = encodeJson({ Cause: apiError.message, Stack: null });
  const headers = {
    "Content-Type": JSON_TYPE,
    // The rest of a body that was refused halfway must not be taken for the next request.
    ...(apiError.code === "too-large" ? { Connection: "close" } : {}),
  };
  const status = statusFor(apiError, request.headers["user-agent"] ?? "");
  return { status, reason: reasonPhrase(apiError.message), headers, body };
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  if (response.headersSent || response.destroyed) return;
  try {
    const isZipped = String(request.headers["accept-encoding"] ?? "").includes("gzip");
    const plain = Buffer.from(answer.body);
    const body = isZipped ? gzipSync(plain) : plain;
    const headers = {
      ...answer.headers,
      ...(isZipped ? { "Content-Encoding": "gzip" } : {}),
      Vary: "Accept-Encoding",
      "Content-Length": String(body.length),
    };
    if (answer.reason === "") response.writeHead(answer.status, headers);
    else response.writeHead(answer.status, answer.reason, headers);
    response.end(request.method === "HEAD" ? undefined : body);
  } catch (error) {
    log.warn(`an answer of the admin API could not be sent: ${messageOf(error)}`);
    response.destroy();
  }
}

/** One line for every call that changes something: who, what, but never the xauth. */
function logChange(request: IncomingMessage, match: Match): void {
  if (match.route.method === "GET" || !match.route.path.startsWith("/api/")) return;
  const what = [match.route.path.replace(/\/:\w+/g, "")];
  for (const [name, value] of Object.entries(match.params)) if (name !== "xauth") what.push(value);
  const via = request.headers["x-real-ip"] ?? request.headers["x-forwarded-for"];
  const from = `${request.socket.remoteAddress ?? "?"}${via === undefined ? "" : ` (for ${via})`}`;
  log.info(`admin call from ${from}: ${match.route.method} ${what.join(" ")}`);
}

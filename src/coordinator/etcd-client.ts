// Calls etcd's version 3 through its JSON interface: one POST a call, keys and values in base64,
// 64-bit numbers as texts, fields at their default left out. Knows the endpoints, the login and how
// long to try; `etcd.ts` knows what the calls mean.

import { codeOf, connectTrouble, messageOf, OperatorError } from "../lib/operator-error.ts";
import { OutcomeUnknown, sleep } from "./patience.ts";
import { certificateTrouble, type TlsMaterial } from "./tls.ts";

/** One endpoint has so long to answer. */
const CALL_TIMEOUT_MS = 2_000;
const SHORTEST_CALL_MS = 50;

/** All endpoints are tried in turn for so long. */
const PATIENCE_MS = 6_000;
const ROUND_PAUSE_MS = 100;

/** Codes of system errors after which nothing has reached the endpoint. */
const UNSENT: readonly string[] = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"];

/** Codes of etcd's errors. */
const UNAUTHENTICATED = 16;
const UNAVAILABLE = 14;
const DEADLINE_EXCEEDED = 4;

/** etcd understood the call and refused it. */
export class EtcdRefusal extends OperatorError {
  constructor(
    message: string,
    readonly code: number,
  ) {
    super(message);
  }
}

export interface KeyValue {
  readonly key?: string; // base64, as `value`
  readonly value?: string;
  readonly create_revision?: string;
  readonly mod_revision?: string;
  readonly lease?: string;
}

export interface RangeReply {
  readonly kvs?: readonly KeyValue[];
}

export interface TxnReply {
  readonly header?: { readonly revision?: string };
  readonly succeeded?: boolean;
  readonly responses?: readonly { readonly response_range?: RangeReply }[];
}

export interface CallOptions {
  /** The call changes something, so that an attempt without an answer must not be repeated. */
  readonly isOnce?: boolean;
  readonly patienceMs?: number;
}

export class EtcdClient {
  readonly #endpoints: readonly string[];
  readonly #abort = new AbortController();
  #preferred = 0; // the endpoint that answered last
  #token = "";

  /** `auth` is "user:password" or "". */
  constructor(
    address: string,
    private readonly auth: string,
    private readonly tls: TlsMaterial | null,
  ) {
    this.#endpoints = endpointsOf(address, tls);
  }

  close(): void {
    this.#abort.abort();
  }

  /**
   * Throws `EtcdRefusal`, `OutcomeUnknown` (only of a call that is made once), or an
   * `OperatorError` when no endpoint has answered in time.
   */
  async call<Reply>(path: string, body: unknown, options: CallOptions = {}): Promise<Reply> {
    const deadline = performance.now() + (options.patienceMs ?? PATIENCE_MS);
    let hasRenewed = false;
    let reason = "";
    for (let attempt = 1; ; attempt++) {
      try {
        if (this.#token === "" && this.auth !== "") await this.#authenticate(deadline);
        return (await this.#post(path, body, deadline)) as Reply;
      } catch (error) {
        if (this.#abort.signal.aborted) throw new OperatorError("the coordinator was closed");
        if (error instanceof EtcdRefusal) {
          // A token lives for some minutes, or until etcd is started anew.
          if (error.code !== UNAUTHENTICATED || this.auth === "" || hasRenewed) throw error;
          hasRenewed = true;
          this.#token = "";
          continue;
        }
        if (options.isOnce === true && !isUnsent(codeOf(error))) {
          throw new OutcomeUnknown(`${this.#names()} did not answer (${messageOf(error)})`);
        }
        // The last attempt is cut off by the deadline, which says less than those before it.
        if (reason === "" || !isTimeout(error)) reason = whyOf(error);
        if (performance.now() > deadline) {
          throw new OperatorError(`etcd at ${this.#names()} cannot be used: ${reason}`);
        }
        this.#preferred = (this.#preferred + 1) % this.#endpoints.length;
        if (attempt % this.#endpoints.length === 0) await sleep(ROUND_PAUSE_MS);
      }
    }
  }

  async #authenticate(deadline: number): Promise<void> {
    const colon = this.auth.indexOf(":");
    const name = this.auth.slice(0, colon < 0 ? undefined : colon);
    const password = colon < 0 ? "" : this.auth.slice(colon + 1);
    try {
      const reply = await this.#post("/v3/auth/authenticate", { name, password }, deadline);
      this.#token = textField(reply, "token");
    } catch (error) {
      if (!(error instanceof EtcdRefusal)) throw error;
      // Without users a login is refused, but it is not needed either.
      if (!/not enabled/.test(error.message)) throw error;
      this.#token = "none";
    }
  }

  async #post(path: string, body: unknown, deadline: number): Promise<unknown> {
    const leftMs = Math.max(SHORTEST_CALL_MS, deadline - performance.now());
    const timeout = AbortSignal.timeout(Math.min(CALL_TIMEOUT_MS, leftMs));
    const response = await fetch(`${this.#endpoints[this.#preferred]}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: this.#token === "" || this.#token === "none" ? {} : { Authorization: this.#token },
      signal: AbortSignal.any([timeout, this.#abort.signal]),
      ...(this.tls === null ? {} : { tls: this.tls }),
    });
    const text = await response.text();
    if (response.ok) return JSON.parse(text);
    const { code, message } = refusalOf(text, response.status);
    // A member without a leader; another one, or this one a little later, may do better.
    if (code === UNAVAILABLE || code === DEADLINE_EXCEEDED) throw new Error(message);
    throw new EtcdRefusal(`etcd at ${this.#names()} refused: ${message}`, code);
  }

  #names(): string {
    return this.#endpoints.map((each) => each.replace(/^http:\/\//, "")).join(", ");
  }
}

/** Where no scheme is said, files for TLS say that it is meant. */
export function endpointsOf(address: string, tls: TlsMaterial | null): string[] {
  const scheme = tls === null ? "http" : "https";
  const texts = address.split(",").map((text) => text.trim());
  return texts
    .filter((text) => text !== "")
    .map((text) => (text.includes("://") ? text : `${scheme}://${text}`).replace(/\/+$/, ""));
}

/** Nothing has reached the endpoint, or nothing but a greeting. */
function isUnsent(code: string): boolean {
  return UNSENT.includes(code) || certificateTrouble(code) !== "";
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}

export function whyOf(error: unknown): string {
  return certificateTrouble(codeOf(error)) || connectTrouble(error);
}

function refusalOf(text: string, status: number): { code: number; message: string } {
  try {
    const reply: unknown = JSON.parse(text);
    if (typeof reply === "object" && reply !== null && "code" in reply) {
      return { code: Number(reply.code), message: textField(reply, "message") };
    }
  } catch {
    // Not etcd's own answer.
  }
  return { code: 0, message: `status ${status} ${text.slice(0, 100)}` };
}

function textField(reply: unknown, name: string): string {
  if (typeof reply !== "object" || reply === null) return "";
  const value: unknown = (reply as Record<string, unknown>)[name];
  return typeof value === "string" ? value : "";
}

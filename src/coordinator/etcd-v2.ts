// What an original product keeps in etcd, by version 2 of etcd's interface: to read only, so that
// its records can be dumped and restored elsewhere. The server must have the old interface switched
// on (--enable-v2), as it must for the original.

import { OperatorError } from "../lib/operator-error.ts";
import { RecordReader } from "../model/json.ts";
import type { Announcement, Coordinator, Leadership } from "./coordinator.ts";
import { endpointsOf, whyOf } from "./etcd-client.ts";
import { sleep } from "./patience.ts";
import type { TlsMaterial } from "./tls.ts";
import { checkPath } from "./tree-path.ts";

const CALL_TIMEOUT_MS = 5_000;
const ROUNDS = 3;
const ROUND_PAUSE_MS = 500;

interface V2Node {
  readonly name: string;
  readonly text: string | null; // null for a directory
  readonly children: readonly V2Node[];
}

export class EtcdV2Reader implements Coordinator {
  readonly kind = "etcd-v2";
  readonly #endpoints: readonly string[];

  constructor(
    address: string,
    private readonly auth: string,
    private readonly tls: TlsMaterial | null,
  ) {
    this.#endpoints = endpointsOf(address, tls);
  }

  async read(path: string): Promise<string | null> {
    return (await this.#get(path))?.text ?? null;
  }

  async list(path: string): Promise<string[]> {
    const { children = [] } = (await this.#get(path)) ?? {};
    return children.map(({ name }) => name).sort();
  }

  async readAll(path: string): Promise<Map<string, string>> {
    const { children = [] } = (await this.#get(path)) ?? {};
    const texts = children.flatMap(({ name, text }): [string, string][] => {
      return text === null ? [] : [[name, text]];
    });
    return new Map(texts.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  create(): Promise<void> {
    return refuse();
  }

  update(): Promise<void> {
    return refuse();
  }

  remove(): Promise<void> {
    return refuse();
  }

  announce(): Promise<Announcement> {
    return refuse();
  }

  lead(): Promise<Leadership> {
    return refuse();
  }

  async close(): Promise<void> {
    // Every call stands for itself.
  }

  /** The node with its children, or null. */
  async #get(path: string): Promise<V2Node | null> {
    checkPath(path);
    let why = "";
    for (let round = 0; round < ROUNDS; round++) {
      if (round > 0) await sleep(ROUND_PAUSE_MS);
      for (const endpoint of this.#endpoints) {
        try {
          return await this.#getFrom(endpoint, path);
        } catch (error) {
          if (error instanceof OperatorError) throw error;
          why = whyOf(error);
        }
      }
    }
    throw new OperatorError(`etcd at ${this.#endpoints.join(", ")} cannot be used: ${why}`);
  }

  async #getFrom(endpoint: string, path: string): Promise<V2Node | null> {
    const response = await fetch(`${endpoint}/v2/keys${encodeURI(path)}?quorum=true`, {
      headers: this.auth === "" ? {} : { Authorization: `Basic ${btoa(this.auth)}` },
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      ...(this.tls === null ? {} : { tls: this.tls }),
    });
    const text = await response.text();
    if (response.status === 404 && !text.startsWith("{")) {
      throw new OperatorError(
        `etcd at ${endpoint} does not serve version 2; start it with --enable-v2 to read from it`,
      );
    }
    if (response.status === 404) return null;
    if (!response.ok) {
      throw new OperatorError(`etcd at ${endpoint} refused ${path}: ${text.slice(0, 200)}`);
    }
    const node = new RecordReader(JSON.parse(text), "etcd's answer").record("node");
    return node === undefined ? null : nodeOf(node);
  }
}

function nodeOf(reader: RecordReader): V2Node {
  const children = reader.list("nodes") ?? [];
  return {
    name: (reader.text("key") ?? "").split("/").at(-1) ?? "",
    text: reader.boolean("dir") === true ? null : (reader.text("value") ?? ""),
    children: children.map((child) => nodeOf(new RecordReader(child, "a node of etcd"))),
  };
}

function refuse<T>(): Promise<T> {
  return Promise.reject(
    new OperatorError("version 2 of etcd is only read; write to etcd by --etcd, or elsewhere"),
  );
}

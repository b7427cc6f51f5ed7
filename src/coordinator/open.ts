// From the words of a configuration file to a coordinator (contract 5.1). Opening connects to
// nothing: the first call does, and says what is wrong.

import { OperatorError } from "../lib/operator-error.ts";
import type { Coordinator } from "./coordinator.ts";
import { EtcdCoordinator } from "./etcd.ts";
import { EtcdV2Reader } from "./etcd-v2.ts";
import { FilesystemCoordinator } from "./filesystem.ts";
import { namesFiles, readTls, type TlsFiles } from "./tls.ts";
import { ZookeeperCoordinator } from "./zookeeper.ts";

/** The names that a configuration may use, each with the kind that it means. */
const KINDS: Readonly<Record<string, Coordinator["kind"]>> = {
  filesystem: "filesystem",
  fs: "filesystem",
  etcd: "etcd",
  "etcd-v2": "etcd-v2",
  zookeeper: "zookeeper",
  zk: "zookeeper",
};

export interface CoordinatorOptions {
  /** One of the names above. */
  readonly name: string;
  /** A directory, or "host:port" texts with commas between them. */
  readonly address: string;
  /** "user:password", or "" for none. */
  readonly auth?: string;
  /** Of etcd only. */
  readonly tls?: TlsFiles;
}

/** Throws `OperatorError` when the name is none or the address is missing. */
export function openCoordinator(options: CoordinatorOptions): Coordinator {
  const { name, address } = options;
  const kind = KINDS[name];
  if (kind === undefined) {
    throw new OperatorError(
      `invalid coordinator name = ${name}; use one of ${Object.keys(KINDS).join(", ")}`,
    );
  }
  if (address === "") throw new OperatorError(`the address of the coordinator ${name} is empty`);
  const { auth = "" } = options;
  const tls = options.tls !== undefined && namesFiles(options.tls) ? readTls(options.tls) : null;
  if (kind === "etcd") return new EtcdCoordinator(address, auth, tls);
  if (kind === "etcd-v2") return new EtcdV2Reader(address, auth, tls);
  if (tls !== null) {
    throw new OperatorError(`files for TLS go with etcd, and the coordinator is ${kind}`);
  }
  if (kind === "filesystem") return new FilesystemCoordinator(address);
  return new ZookeeperCoordinator(address, auth);
}

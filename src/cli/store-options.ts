// The options that name a coordinator, the same in both forms of the command line.

import { openCoordinator } from "../coordinator/open.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { ETCD_TLS_OPTIONS, etcdTlsFiles } from "../coordinator/tls-options.ts";
import type { Arguments, Option } from "../lib/args.ts";
import { OperatorError } from "../lib/operator-error.ts";

/** Those of the original's flags. */
export const KINDS = ["zookeeper", "etcd", "filesystem"] as const;

/** Also the tree that an original product has in etcd, to read only. */
export const ALL_KINDS = [...KINDS, "etcd-v2"] as const;

export const STORE_OPTIONS: readonly Option[] = [
  { name: "product", argument: "NAME", doc: "The product." },
  { name: "zookeeper", argument: "ADDR", doc: "The coordinator is this ZooKeeper." },
  { name: "zookeeper-auth", argument: "USR:PWD", doc: "The account at ZooKeeper." },
  { name: "etcd", argument: "ADDR", doc: "The coordinator is this etcd." },
  { name: "etcd-auth", argument: "USR:PWD", doc: "The account at etcd." },
  ...ETCD_TLS_OPTIONS,
  { name: "etcd-v2", argument: "ADDR", doc: "The old tree of this etcd, only to read." },
  { name: "etcd-v2-auth", argument: "USR:PWD", doc: "The account at that etcd." },
  { name: "filesystem", argument: "ROOT", doc: "The coordinator is this directory." },
];

/** Throws unless exactly one coordinator is named. */
export function openFrom(given: Arguments): Coordinator {
  const named = ALL_KINDS.filter((kind) => given.has(kind));
  if (named.length !== 1) {
    const words = KINDS.map((kind) => `--${kind}`).join(", ");
    throw new OperatorError(`say where the coordinator is, with one of ${words}`);
  }
  const [kind] = named;
  const auth = ALL_KINDS.map((each) => `${each}-auth`).find((name) => given.has(name));
  if (auth !== undefined && auth !== `${kind}-auth`) {
    throw new OperatorError(`--${auth} does not go with --${kind}`);
  }
  return openCoordinator({
    name: kind,
    address: given.must(kind),
    ...(auth === undefined ? {} : { auth: given.must(auth) }),
    tls: etcdTlsFiles(given),
  });
}

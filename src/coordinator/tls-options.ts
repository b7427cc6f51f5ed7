// The options of command lines that name the files for TLS to etcd, the same for all programs.

import type { Arguments, Option } from "../lib/args.ts";
import type { TlsFiles } from "./tls.ts";

export const ETCD_TLS_OPTIONS: readonly Option[] = [
  { name: "etcd-ca", argument: "FILE", doc: "Who signs etcd's certificates (PEM); means https." },
  { name: "etcd-cert", argument: "FILE", doc: "Our own certificate for etcd (PEM)." },
  { name: "etcd-key", argument: "FILE", doc: "The key of that certificate (PEM)." },
];

export function etcdTlsFiles(given: Arguments): TlsFiles {
  const file = (name: string): string => given.text(name) ?? "";
  return { ca: file("etcd-ca"), cert: file("etcd-cert"), key: file("etcd-key") };
}

// TLS to a coordinator: the files that a configuration names, and in words what is wrong with them
// or with the certificate of the other side. Files are read once, when the coordinator is opened.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { messageOf, OperatorError } from "../lib/operator-error.ts";

/** Names of PEM files; "" for none. */
export interface TlsFiles {
  /** Who signs for the servers; none: whom the system trusts. */
  readonly ca: string;
  /** Our own certificate and its key, for servers that ask for one. */
  readonly cert: string;
  readonly key: string;
}

/** As `fetch` takes it. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export function namesFiles(files: TlsFiles): boolean {
  return files.ca !== "" || files.cert !== "" || files.key !== "";
}

/** Throws `OperatorError` when a file is missing or is not what it should be. */
export function readTls(files: TlsFiles): TlsMaterial {
  if ((files.cert === "") !== (files.key === "")) {
    throw new OperatorError("a certificate for the coordinator needs its key, and a key its own");
  }
  const ca = files.ca === "" ? null : readPem(files.ca, (text) => new X509Certificate(text));
  if (files.cert === "") return ca === null ? {} : { ca: ca.text };
  const cert = readPem(files.cert, (text) => new X509Certificate(text));
  const key = readPem(files.key, createPrivateKey);
  if (!cert.made.checkPrivateKey(key.made)) {
    throw new OperatorError(`the key in ${files.key} does not belong to ${files.cert}`);
  }
  return { ...(ca === null ? {} : { ca: ca.text }), cert: cert.text, key: key.text };
}

function readPem<T>(path: string, parse: (text: string) => T): { text: string; made: T } {
  try {
    const text = readFileSync(path, "utf8");
    return { text, made: parse(text) };
  } catch (error) {
    throw new OperatorError(`${path} cannot be used for TLS: ${messageOf(error)}`);
  }
}

const UNTRUSTED = "nobody who is trusted here has signed its certificate; name the file of its CA";

const TROUBLES: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name than that in the address",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet; look at the clocks",
};

/** What is wrong with the certificate of the server; "" when an error is about something else. */
export function certificateTrouble(code: string): string {
  return TROUBLES[code] ?? "";
}

// Certificates for a test, made by openssl: a CA, and whatever it is asked to sign.
//
//   using ca = makeCa();
//   const { cert, key } = ca.sign("server", "127.0.0.1");
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "./temp-dir.ts";

/** Names of PEM files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Ca extends Certificate, Disposable {
  /** For a server at that address, or a client. */
  sign(name: string, address: string): Certificate;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

export function makeCa(): Ca {
  const dir = tempDir();
  const own = filesIn(dir.path, "ca");
  openssl("req", "-x509", ...NEW_KEY, "-keyout", own.key, "-out", own.cert, "-subj", "/CN=ca");
  return {
    ...own,
    sign(name, address) {
      const files = filesIn(dir.path, name);
      const [request, extensions] = [`${files.cert}.request`, `${files.cert}.extensions`];
      writeFileSync(extensions, `subjectAltName=IP:${address}\n`);
      openssl("req", ...NEW_KEY, "-keyout", files.key, "-out", request, "-subj", `/CN=${name}`);
      openssl(
        ...["x509", "-req", "-in", request, "-out", files.cert, "-extfile", extensions],
        ...["-CA", own.cert, "-CAkey", own.key, "-CAcreateserial"],
      );
      return files;
    },
    [Symbol.dispose]: () => dir[Symbol.dispose](),
  };
}

function filesIn(directory: string, name: string): Certificate {
  mkdirSync(directory, { recursive: true });
  return { cert: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
}

function openssl(...args: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args]);
  if (exitCode !== 0) throw new Error(`openssl ${args[0]} failed: ${stderr.toString()}`);
}

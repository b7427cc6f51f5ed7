// etcd that is spoken to by TLS, and asks for a certificate itself: with files of a CA of our own.
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { openCoordinator } from "../../src/coordinator/open.ts";
import type { TlsFiles } from "../../src/coordinator/tls.ts";
import { type Ca, makeCa } from "../harness/certificates.ts";
import { startDashboard } from "../harness/dashboard.ts";
import { type Etcd, startEtcd } from "../harness/etcd.ts";
import { startProxy } from "../harness/proxy.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("etcd", "openssl");
const NONE: TlsFiles = { ca: "", cert: "", key: "" };

function startWith(ca: Ca): Promise<Etcd> {
  return startEtcd({ ca: ca.cert, ...ca.sign("server", "127.0.0.1") });
}

/** What reading says: the text, or the sentence of the failure. */
async function reading(address: string, tls: TlsFiles): Promise<string> {
  try {
    const coordinator = openCoordinator({ name: "etcd", address, tls });
    try {
      return String(await coordinator.read("/codis3/lab/topom"));
    } finally {
      await coordinator.close();
    }
  } catch (error) {
    return String(error);
  }
}

test("a dashboard and a proxy keep everything in an etcd that asks for certificates", async () => {
  using ca = makeCa();
  await using etcd = await startWith(ca);
  const own = ca.sign("codis", "127.0.0.1");
  const files = { tls_ca: ca.cert, tls_cert: own.cert, tls_key: own.key };
  const settings = (prefix: string): Record<string, string> => {
    return Object.fromEntries(Object.entries(files).map(([key, value]) => [prefix + key, value]));
  };
  await using dashboard = await startDashboard({
    config: {
      ...{ coordinator_name: "etcd", coordinator_addr: etcd.address },
      ...settings("coordinator_"),
    },
  });
  await using _proxy = await startProxy({
    online: false,
    config: { jodis_name: "etcd", jodis_addr: `https://${etcd.address}`, ...settings("jodis_") },
    args: [
      ...[`--etcd=${etcd.address}`, `--etcd-ca=${ca.cert}`],
      ...[`--etcd-cert=${own.cert}`, `--etcd-key=${own.key}`],
    ],
  });
  await until(async () => {
    return (await dashboard.overview()).stats.proxy.models.length === 1;
  });
  const tls = { ca: ca.cert, ...own };
  const coordinator = openCoordinator({ name: "etcd", address: etcd.address, tls });
  await until(async () => (await coordinator.list("/jodis/test")).length === 1);
  expect(await coordinator.list("/codis3/test")).toContain("topom");
  await coordinator.close();
  expect((await dashboard.stop()).code).toBe(0);
}, 60_000);

test("what is wrong with the files or the certificate is one sentence", async () => {
  using ca = makeCa();
  using other = makeCa();
  await using etcd = await startWith(ca);
  const { port, address } = etcd;
  const own = { ca: ca.cert, ...ca.sign("codis", "127.0.0.1") };
  const stranger = other.sign("stranger", "127.0.0.1");
  const broken = `${own.cert}.broken`;
  writeFileSync(broken, "no certificate");
  const [good, untrusted, system, named, mixed, keyless, unreadable, elsewhere] = await Promise.all(
    [
      reading(address, own),
      reading(address, { ...own, ca: other.cert }),
      reading(`https://${address}`, NONE),
      reading(`localhost:${port}`, own),
      reading(address, { ...own, key: stranger.key }),
      reading(address, { ...own, key: "" }),
      reading(address, { ...own, ca: broken }),
      reading(`http://${address}`, NONE),
    ],
  );
  expect(good).toBe("null");
  const noTrust = "nobody who is trusted here has signed its certificate; name the file of its CA";
  expect(untrusted).toEndWith(noTrust);
  expect(system).toEndWith(noTrust);
  expect(named).toContain("its certificate is for another name than that in the address");
  expect(mixed).toContain(`does not belong to ${own.cert}`);
  expect(keyless).toContain("needs its key");
  expect(unreadable).toContain(`${broken} cannot be used for TLS`);
  expect(elsewhere).toStartWith("OperatorError: etcd at");
  const fs = (): unknown => openCoordinator({ name: "fs", address: "/tmp/x", tls: own });
  expect(fs).toThrow("files for TLS go with etcd");
}, 30_000);

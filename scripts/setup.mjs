// Brings a machine that has only Node, npm and perhaps apt to the point where the programs and
// tests run: npm packages first, then the Debian packages one purpose needs. Called by start.mjs,
// test.mjs and bench.mjs; doing nothing, when all is there, takes a few milliseconds.
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./bun.mjs";

/** ZooKeeper is a library of Java, not a program. */
const ZOOKEEPER = "/usr/share/java/zookeeper.jar";

/** Programs, or files, by purpose, each with the Debian package that has it. */
const PROGRAMS = {
  start: { "redis-server": "redis-server" },
  test: {
    "redis-server": "redis-server",
    "redis-cli": "redis-tools",
    "redis-benchmark": "redis-tools",
    "redis-sentinel": "redis-sentinel",
    etcd: "etcd-server",
    openssl: "openssl",
    java: "zookeeper",
    [ZOOKEEPER]: "zookeeper",
  },
  bench: {
    "redis-server": "redis-server",
    "redis-benchmark": "redis-tools",
    nutcracker: "nutcracker",
  },
};

/**
 * Installs what `purpose` needs. Returns the programs that are still missing, after saying in one
 * sentence how to install them; the caller decides whether it can go on without.
 */
export function setup(purpose) {
  if (!npmPackagesAreCurrent()) installNpmPackages();
  const missing = missingPrograms(purpose);
  if (missing.length === 0) return [];
  const packages = [...new Set(missing.map((program) => PROGRAMS[purpose][program]))];
  if (canInstall()) installDebianPackages(packages);
  const left = missingPrograms(purpose);
  if (left.length > 0) {
    console.error(
      `${left.join(", ")} not found: please install ${packages.join(" and ")} ` +
        `(on Debian or Ubuntu: sudo apt-get install ${packages.join(" ")}).`,
    );
  }
  return left;
}

/** Debian keeps servers in sbin, which is not in everybody's PATH. */
const SEARCH_PATH = [...(process.env.PATH ?? "").split(":"), "/usr/local/sbin", "/usr/sbin"];

export function findProgram(name) {
  for (const folder of SEARCH_PATH) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

function missingPrograms(purpose) {
  return Object.keys(PROGRAMS[purpose]).filter((program) => {
    return program.startsWith("/") ? !existsSync(program) : findProgram(program) === null;
  });
}

/**
 * Compares package-lock.json with the list npm leaves in node_modules. Dates would say "stale"
 * after every git checkout; versions say it when it is true. A package that is not there is fine
 * only when it is optional, as those for other platforms are.
 */
function npmPackagesAreCurrent() {
  const installedList = join(ROOT, "node_modules/.package-lock.json");
  if (!existsSync(installedList)) return false;
  const wanted = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(installedList, "utf8")).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "") return true;
    const there = installed[path];
    if (there === undefined) return entry.optional === true;
    return there.version === entry.version && there.integrity === entry.integrity;
  });
}

function installNpmPackages() {
  console.error("Installing npm packages ...");
  const args = ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const done = spawnSync("npm", args, { cwd: ROOT, stdio: ["ignore", 2, 2] });
  if (done.status === 0) return;
  console.error("npm ci failed; its own message is above.");
  process.exit(1);
}

function canInstall() {
  return process.getuid?.() === 0 && findProgram("apt-get") !== null;
}

/** Debian starts a server that it installs, unless this script says no (its status 101). */
const START_POLICY = "/usr/sbin/policy-rc.d";

function installDebianPackages(packages) {
  console.error(`Installing ${packages.join(" and ")} with apt-get ...`);
  const ownsPolicy = !existsSync(START_POLICY) && existsSync("/usr/sbin");
  try {
    if (ownsPolicy) writeFileSync(START_POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
    aptGet(["update", "-qq"]);
    aptGet(["install", "-y", "-qq", "--no-install-recommends", ...packages]);
  } finally {
    if (ownsPolicy) rmSync(START_POLICY, { force: true });
  }
}

function aptGet(args) {
  const done = spawnSync("apt-get", ["-o", "DPkg::Lock::Timeout=120", ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
  });
  // Its chatter is only worth reading when it failed.
  if (done.status !== 0) console.error(`${done.stdout ?? ""}${done.stderr ?? ""}`.trimEnd());
}

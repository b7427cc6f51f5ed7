// Who holds a TCP port of this machine, as far as /proc tells: for the sentence that a program
// prints when its port is taken. Never fails; what cannot be found out is left out.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const LISTEN_STATE = "0A";

/** "redis-server (process 4711)", or "" when nobody is found or this user may not look. */
export function portOwner(port: number): string {
  const inodes = listeningInodes(port);
  if (inodes.size === 0) return "";
  for (const pid of entries("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const fd of entries(`/proc/${pid}/fd`)) {
      const socket = /^socket:\[(\d+)\]$/.exec(link(`/proc/${pid}/fd/${fd}`));
      if (socket !== null && inodes.has(socket[1])) return `${programOf(pid)} (process ${pid})`;
    }
  }
  return "";
}

/** The sockets that listen on `port`, whatever their address. */
function listeningInodes(port: number): Set<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of text(table).split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(suffix) && fields[3] === LISTEN_STATE) inodes.add(fields[9]);
    }
  }
  return inodes;
}

/** The file name of the program, and of its script when an interpreter runs it. */
function programOf(pid: string): string {
  const words = text(`/proc/${pid}/cmdline`).split("\0");
  const program = baseName(words[0] ?? "") || text(`/proc/${pid}/comm`).trim() || "a program";
  const isInterpreter = /^(node|bun(\.exe)?|python[\d.]*|perl|ruby|java|sh|bash)$/.test(program);
  const script = words.slice(1).find((word) => word !== "" && !word.startsWith("-"));
  return isInterpreter && script !== undefined ? `${program} ${baseName(script)}` : program;
}

function baseName(path: string): string {
  return path.replace(/^.*\//, "").replace(/[\u0000-\u001f\u007f]/g, "?");
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

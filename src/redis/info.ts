// What INFO prints, as a map, and the few facts of it that decisions rest on.

export type Info = ReadonlyMap<string, string>;

/** Lines "name:value"; chapters and empty lines are left out. */
export function parseInfo(text: string): Map<string, string> {
  const info = new Map<string, string>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0 && !line.startsWith("#")) {
      info.set(line.slice(0, colon), line.slice(colon + 1).replace(/\r$/, ""));
    }
  }
  return info;
}

/** "host:port" of the master, for a replica; "" for a master. */
export function masterAddressOf(info: Info): string {
  const [host, port] = [info.get("master_host"), info.get("master_port")];
  if (info.get("role") !== "slave" || host === undefined || port === undefined) return "";
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Database → number of keys, from the keyspace chapter; databases without keys are absent. */
export function keysByDatabase(info: Info): Map<number, number> {
  const keys = new Map<number, number>();
  for (const [name, value] of info) {
    const database = /^db(\d+)$/.exec(name);
    const count = /(?:^|,)keys=(\d+)/.exec(value);
    if (database !== null && count !== null) keys.set(Number(database[1]), Number(count[1]));
  }
  return keys;
}

export function totalKeys(info: Info): number {
  let total = 0;
  for (const count of keysByDatabase(info).values()) total += count;
  return total;
}

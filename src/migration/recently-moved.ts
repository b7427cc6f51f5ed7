// The keys that left the source last, in one epoch. When the source comes back without its last
// deletions (a lost tail of its log, a replica that lagged), their copies there are stale: nobody
// has written them since they moved. They are deleted before anything else, which also keeps a key
// from coming back that a client deleted at the target meanwhile.

/** About a second at full speed; what a server loses with its tail is seldom more. */
const MOST_KEYS = 100_000;

export class RecentlyMoved {
  /** Of the source process that they left; "" before the first pass. */
  sourceRunId = "";
  readonly #keys: (Uint8Array | undefined)[] = [];
  readonly #databases: number[] = [];
  #next = 0;

  add(database: number, keys: Iterable<Uint8Array>): void {
    for (const key of keys) {
      this.#keys[this.#next] = key;
      this.#databases[this.#next] = database;
      this.#next = (this.#next + 1) % MOST_KEYS;
    }
  }

  byDatabase(): Map<number, Uint8Array[]> {
    const found = new Map<number, Uint8Array[]>();
    this.#keys.forEach((key, place) => {
      if (key === undefined) return;
      const database = this.#databases[place];
      const keys = found.get(database);
      if (keys === undefined) found.set(database, [key]);
      else keys.push(key);
    });
    return found;
  }
}

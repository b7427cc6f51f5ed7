// What many proxies need done at one server is done there at once: a hundred of them that come up,
// or are gone, must not mean a hundred connections to each server.

interface Queue {
  readonly waiting: Map<string, PromiseWithResolvers<void>>;
  isRunning: boolean;
}

/** For each server one batch after the other; a batch is all tokens that wait when it begins. */
export class Batches {
  readonly #queues = new Map<string, Queue>();

  constructor(
    private readonly task: (server: string, tokens: readonly string[]) => Promise<void>,
  ) {}

  /** Resolves, or rejects, with the batch that the token goes with. */
  add(server: string, token: string): Promise<void> {
    const queue = this.#queues.get(server) ?? { waiting: new Map(), isRunning: false };
    this.#queues.set(server, queue);
    const done = queue.waiting.get(token) ?? Promise.withResolvers<void>();
    queue.waiting.set(token, done);
    if (!queue.isRunning) void this.#run(server, queue);
    return done.promise;
  }

  async #run(server: string, queue: Queue): Promise<void> {
    queue.isRunning = true;
    while (queue.waiting.size > 0) {
      await Promise.resolve(); // Whoever asks in this turn comes along.
      const batch = new Map(queue.waiting);
      queue.waiting.clear();
      try {
        await this.task(server, [...batch.keys()]);
        for (const { resolve } of batch.values()) resolve();
      } catch (error) {
        for (const { reject } of batch.values()) reject(error);
      }
    }
    this.#queues.delete(server);
  }
}

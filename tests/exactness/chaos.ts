// What goes wrong, and when: a plan that a seed makes, and the hand that carries it out. Programs
// are killed with -9 and come back; slots move to and fro meanwhile, and some moves are cancelled.
import { messageOf } from "../../src/lib/operator-error.ts";
import { SLOT_COUNT } from "../../src/model/slot.ts";
import { Random } from "../harness/random.ts";
import type { MovingProduct } from "../migration/moving-product.ts";

const KINDS = [
  ...["dashboard", "dashboard", "worker", "worker", "proxy", "server", "server"],
  ...["hung server", "cancel", "pause"],
] as const;
type Kind = "dashboard" | "worker" | "proxy" | "server" | "hung server" | "cancel" | "pause";

export interface Mishap {
  /** After the start. */
  readonly atMs: number;
  readonly kind: Kind;
  /** Which proxy, worker or server; taken modulo how many there are. */
  readonly which: number;
  /** How long it is away. */
  readonly forMs: number;
}

const SHORTEST_GAP_MS = 200;
const LONGEST_GAP_MS = 1_500;

export function planOf(seed: number, lengthMs: number): Mishap[] {
  const random = new Random(seed);
  const plan: Mishap[] = [];
  for (let atMs = 1_000; ;) {
    atMs += random.between(SHORTEST_GAP_MS, LONGEST_GAP_MS);
    if (atMs > lengthMs) return plan;
    const kind = random.pick(KINDS) as Kind;
    plan.push({ atMs, kind, which: random.below(1000), forMs: random.between(0, 800) });
  }
}

export class Chaos {
  readonly happened = new Map<string, number>();
  moves = 0;
  cancels = 0;
  #isOver = false;
  readonly #random: Random;
  readonly #ended: Promise<unknown>;

  constructor(
    private readonly product: MovingProduct,
    private readonly options: {
      readonly seed: number;
      readonly plan: readonly Mishap[];
      readonly onEvent?: (text: string) => void;
    },
  ) {
    this.#random = new Random(options.seed + 1_000_000);
    this.#ended = Promise.all([this.#mishaps(), this.#moves()]);
  }

  /** Resolves when the plan is done and everything runs again. */
  async finish(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }

  async #mishaps(): Promise<void> {
    const begunMs = performance.now();
    for (const mishap of this.options.plan) {
      const waitMs = begunMs + mishap.atMs - performance.now();
      if (waitMs > 0) await Bun.sleep(waitMs);
      this.options.onEvent?.(`${mishap.kind} ${mishap.which % 2} for ${mishap.forMs} ms`);
      this.happened.set(mishap.kind, (this.happened.get(mishap.kind) ?? 0) + 1);
      await this.#happen(mishap);
    }
  }

  async #happen({ kind, which, forMs }: Mishap): Promise<void> {
    const { dashboard, proxies, servers } = this.product;
    const proxy = proxies[which % proxies.length];
    const server = servers[which % servers.length];
    switch (kind) {
      case "dashboard":
        await dashboard.kill();
        await Bun.sleep(forMs);
        return dashboard.start();
      case "worker": {
        const pids = await proxy.workerPids();
        if (pids.length > 0) process.kill(pids[which % pids.length], "SIGKILL");
        return;
      }
      case "proxy":
        await proxy.stop("SIGKILL");
        await Bun.sleep(forMs);
        return proxy.start();
      case "server":
        await server.kill();
        await Bun.sleep(forMs);
        return server.start();
      case "hung server":
        server.pause();
        await Bun.sleep(forMs);
        return server.resume();
      case "cancel":
        return this.#order("cancelSlotActions", { beg: 0, end: SLOT_COUNT - 1 });
      case "pause":
        await this.#order("slotActionDisabled", { value: 1 });
        await Bun.sleep(forMs);
        return this.#order("slotActionDisabled", { value: 0 });
    }
  }

  /** Slots always have somewhere to go. */
  async #moves(): Promise<void> {
    while (!this.#isOver) {
      await Bun.sleep(100);
      try {
        const { slots } = await this.product.stats();
        if (slots.some(({ action }) => action.state !== undefined)) continue;
        const beg = this.#random.below(SLOT_COUNT / 2);
        const end = beg + this.#random.between(1, SLOT_COUNT / 2 - 1);
        const gid = this.#random.between(1, this.product.servers.length);
        await this.#moveRange(beg, end, gid);
      } catch {
        // The dashboard is dead at the moment.
      }
    }
    await this.#order("slotActionDisabled", { value: 0 });
  }

  /** Slots that are at the target already are left out of the range. */
  async #moveRange(beg: number, end: number, gid: number): Promise<void> {
    const { slots } = await this.product.stats();
    for (let from = beg; from <= end; from++) {
      if (slots[from].group_id === gid) continue;
      let to = from;
      while (to < end && slots[to + 1].group_id !== gid) to++;
      await this.product.move(from, to, gid);
      this.moves++;
      from = to;
    }
  }

  async #order(
    name: "cancelSlotActions" | "slotActionDisabled",
    params: Readonly<Record<string, number>>,
  ): Promise<void> {
    try {
      await this.product.dashboard.put(name, params);
      if (name === "cancelSlotActions") this.cancels++;
    } catch (error) {
      this.options.onEvent?.(`${name}: ${messageOf(error)}`);
    }
  }
}

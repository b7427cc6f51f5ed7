// The hand that carries out a plan of mishaps. Programs are killed with -9 or stand still, and come
// back; replicas become masters; slots move to and fro meanwhile, and some moves are cancelled.
//
// What stands still goes on by itself while the next mishap happens elsewhere. Servers are hit one
// at a time, and not in a group that changes its master: whoever becomes master while the old one
// is dead lacks what was on its way, which is not what is played here.
import { RemoteError } from "../../src/api/client.ts";
import { messageOf } from "../../src/lib/operator-error.ts";
import { SLOT_COUNT } from "../../src/model/slot.ts";
import { Random } from "../harness/random.ts";
import { until } from "../harness/until.ts";
import type { Mishap } from "./plan.ts";
import type { SoakProduct } from "./soak-product.ts";

/** A group that changes its master for longer is left alone. */
const PROMOTION_PATIENCE_MS = 10_000;
const LEADER_TIMEOUT_MS = 60_000;

export class Chaos {
  readonly happened = new Map<string, number>();
  /** Orders that were given and never answered. */
  readonly wrong: string[] = [];
  moves = 0;
  cancels = 0;
  #isOver = false;
  readonly #random: Random;
  readonly #ended: Promise<unknown>;
  /** What is under way, by what it happens to. */
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(
    private readonly product: SoakProduct,
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
    await until(
      async () => {
        await this.product.stats();
        await this.product.dashboard.put("slotActionDisabled", { value: 0 });
        return true;
      },
      { timeoutMs: LEADER_TIMEOUT_MS, what: "a dashboard leads" },
    );
  }

  async #mishaps(): Promise<void> {
    const begunMs = performance.now();
    for (const mishap of this.options.plan) {
      const waitMs = begunMs + mishap.atMs - performance.now();
      if (waitMs > 0) await Bun.sleep(waitMs);
      await this.#happen(mishap);
    }
    await Promise.all(this.#underWay.values());
  }

  #note({ kind, which, forMs }: Mishap, outcome = ""): void {
    this.options.onEvent?.(`${kind} ${which % 4} for ${forMs} ms${outcome}`);
    const name = kind + outcome;
    this.happened.set(name, (this.happened.get(name) ?? 0) + 1);
  }

  async #happen(mishap: Mishap): Promise<void> {
    const { kind, which, forMs } = mishap;
    const { proxies, groups } = this.product;
    const at = which % proxies.length;
    const proxy = proxies[at];
    switch (kind) {
      case "dashboard":
        return this.#alone("dashboard", mishap, () => this.#killDashboard(forMs));
      case "hung dashboard":
        return this.#beside("dashboard", mishap, () => hang([this.product.dashboard.pid], forMs));
      case "proxy":
        return this.#alone(`proxy ${at}`, mishap, async () => {
          await proxy.stop("SIGKILL");
          await Bun.sleep(forMs);
          await proxy.start();
        });
      case "worker":
        return this.#alone(`proxy ${at}`, mishap, async () => {
          const pids = await proxy.workerPids();
          if (pids.length > 0) signal(pids[which % pids.length], "SIGKILL");
        });
      case "hung worker":
        return this.#beside(`proxy ${at}`, mishap, async () => {
          const pids = await proxy.workerPids();
          if (pids.length > 0) await hang([pids[which % pids.length]], forMs);
        });
      case "hung proxy":
        return this.#beside(`proxy ${at}`, mishap, () => hang([proxy.pid], forMs));
      case "frozen proxy":
        return this.#beside(`proxy ${at}`, mishap, async () => {
          await hang([proxy.pid, ...(await proxy.workerPids())], forMs);
        });
      case "server":
      case "hung server":
        return this.#hitServer(mishap);
      case "promotion":
        return this.#promote(mishap, (which % groups.length) + 1);
      case "coordinator":
      case "hung coordinator":
        return this.#hitCoordinator(mishap);
      case "cancel":
        this.#note(mishap);
        return this.#order("cancelSlotActions", { beg: 0, end: SLOT_COUNT - 1 });
      case "pause":
        this.#note(mishap);
        await this.#order("slotActionDisabled", { value: 1 });
        await Bun.sleep(forMs);
        return this.#order("slotActionDisabled", { value: 0 });
    }
  }

  /** Waits for what happens to the same thing, and then for this. */
  async #alone(target: string, mishap: Mishap, task: () => Promise<void>): Promise<void> {
    await this.#underWay.get(target);
    this.#note(mishap);
    await task();
  }

  /** Waits for what happens to the same thing; the next mishap elsewhere need not wait for this. */
  async #beside(target: string, mishap: Mishap, task: () => Promise<void>): Promise<void> {
    await this.#underWay.get(target);
    this.#note(mishap);
    this.#underWay.set(target, task());
  }

  async #killDashboard(forMs: number): Promise<void> {
    const { dashboard } = this.product;
    await dashboard.kill();
    await Bun.sleep(forMs);
    await dashboard.start();
  }

  async #hitServer(mishap: Mishap): Promise<void> {
    const { kind, which, forMs } = mishap;
    const { groups } = this.product;
    const gid = (which % groups.length) + 1;
    const servers = groups[gid - 1];
    const server = servers[Math.floor(which / groups.length) % servers.length];
    if (!(await this.#isSettled(gid))) return this.#note(mishap, " left out");
    this.#note(mishap);
    if (kind === "hung server") return hang([server.pid], forMs);
    await server.kill();
    await Bun.sleep(forMs);
    await server.start();
  }

  /** Whether nobody becomes master in the group, and nobody does before the next mishap. */
  async #isSettled(gid: number): Promise<boolean> {
    if (!this.product.setup.hasReplicas) return true;
    try {
      await this.#underWay.get(`group ${gid}`);
      await until(async () => (await this.product.group(gid)).promoting.state === undefined, {
        timeoutMs: PROMOTION_PATIENCE_MS,
      });
      return true;
    } catch {
      return false;
    }
  }

  async #promote(mishap: Mishap, gid: number): Promise<void> {
    await this.#underWay.get(`group ${gid}`);
    this.#underWay.set(`group ${gid}`, this.#promotion(mishap, gid));
    await Bun.sleep(mishap.forMs);
  }

  async #promotion(mishap: Mishap, gid: number): Promise<void> {
    try {
      const { servers } = await this.product.group(gid);
      const { server } = servers[1 + (mishap.which % (servers.length - 1))];
      await this.#orderPromotion(gid, server);
      this.#note(mishap);
    } catch (error) {
      this.options.onEvent?.(`promotion in group ${gid}: ${messageOf(error)}`);
      this.#note(mishap, " refused or broken off");
    }
  }

  /** It may be refused, or its dashboard may die, but a minute without any answer is too long. */
  async #orderPromotion(gid: number, addr: string): Promise<void> {
    try {
      await this.product.dashboard.put("promoteServer", { gid, addr });
    } catch (error) {
      const isLate = error instanceof RemoteError && error.trouble === "late";
      if (isLate) this.wrong.push(`a promotion hangs: ${messageOf(error)}`);
      throw error;
    }
  }

  async #hitCoordinator(mishap: Mishap): Promise<void> {
    const { kind, forMs } = mishap;
    const { etcd } = this.product;
    if (etcd === null) return;
    if (kind === "hung coordinator") {
      return this.#beside("coordinator", mishap, async () => {
        etcd.pause();
        await Bun.sleep(forMs);
        etcd.resume();
      });
    }
    return this.#alone("coordinator", mishap, async () => {
      await etcd.kill();
      await Bun.sleep(forMs);
      await etcd.start();
    });
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
        const gid = this.#random.between(1, this.product.groups.length);
        await this.#moveRange(beg, end, gid);
      } catch {
        // The dashboard is dead at the moment.
      }
    }
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

/** The processes stand still, with their sockets open, and go on. */
async function hang(pids: readonly number[], forMs: number): Promise<void> {
  for (const pid of pids) signal(pid, "SIGSTOP");
  await Bun.sleep(forMs);
  for (const pid of pids) signal(pid, "SIGCONT");
}

/** One that has just ended has nothing to obey. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    if (pid > 0) process.kill(pid, name);
  } catch {
    // It is gone.
  }
}

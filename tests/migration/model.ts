/**
 * A small world in which migration jobs run: proxies with their view of the slots, two servers with
 * the values of a few keys, clients that append to them, and dashboards that die. Everything that
 * takes time is a list of things that may happen next, and a tape of numbers chooses among them.
 * The steps come from the real `nextStep`; the rules of servers, proxies and engine are written
 * down here as migration-design.md states them (sections 2 to 6), and each can be switched off to
 * show that the world notices.
 *
 * What is checked all the time: a write is executed where the newest value is; a value is never
 * overwritten by another; every acknowledged write is in the value exactly once at the end.
 */
import {
  cancelled,
  jobsBySlot,
  phaseOf,
  refusal,
  repairJobs,
} from "../../src/dashboard/job-records.ts";
import {
  afterRetry,
  afterStore,
  FRESH,
  type Knowledge,
  nextStep,
  type Part,
  type Step,
} from "../../src/dashboard/next-step.ts";
import type { MigrationJob } from "../../src/model/migration-job.ts";
import { slotOfKey } from "../../src/model/slot.ts";
import { Broken, Ground, KEYS, keyOfPin, type Rule, SLOTS } from "./model-ground.ts";

const PROXIES = 2;

interface View {
  readonly revision: number;
  readonly isHeld: boolean;
  readonly backend: number;
  readonly from: number; // 0: nowhere
  readonly epoch: number;
}

interface Pins {
  readonly revision: number;
  readonly states: ReadonlyMap<string, "pinned" | "held">;
}

/** One write of a client on its way. */
interface Write {
  readonly id: number;
  readonly key: string;
  readonly proxy: Proxy;
  readonly view: View;
  stage: "migrate" | "write";
  place: number;
}

interface Proxy {
  readonly name: string;
  isAlive: boolean;
  views: View[]; // by slot
  pins: Pins;
  /** Acknowledged when quiet. */
  nextViews: (View | null)[];
  nextPins: Pins | null;
  moved: Set<string>; // "slot epoch key"
  writes: Write[];
}

interface Message {
  readonly proxy: Proxy;
  readonly views: readonly (readonly [number, View])[];
  readonly pins: Pins | null;
}

export class World {
  readonly proxies: Proxy[];
  readonly jobs = new Map<number, MigrationJob>();
  readonly states = new Set<string>();
  migrations = 0;
  reversals = 0;
  divisions = 0;
  crashes = 0;
  /** Where mishaps are many nothing gets on, and where they are few each has time to do harm. */
  readonly #luck: number;
  #revision = 0;
  #lastJob = 0;
  #messages: Message[] = [];
  #runners = new Map<number, Generator<void, void, void>>();
  #dashboard = 1; // the name of the present one, for strays
  #acknowledged: number[] = [];
  #writes = 0;

  readonly ground: Ground;

  constructor(
    choose: (limit: number) => number,
    broken: ReadonlySet<Rule> = new Set(),
    story: string[] | null = null,
  ) {
    this.ground = new Ground(choose, broken, story);
    this.#luck = this.ground.pick([3, 5, 20, 80]);
    const views = SLOTS.map(() => this.#view(1, 0, false, 0));
    this.proxies = Array.from({ length: PROXIES }, (_, i) => ({
      name: `proxy ${i}`,
      isAlive: true,
      views: [...views],
      pins: { revision: 0, states: new Map() },
      nextViews: [null, null],
      nextPins: null,
      moved: new Set(),
      writes: [],
    }));
  }

  /** Anything that can happen, happens. */
  step(): void {
    this.#happen([
      ...[4, 4, 4, 4].map(() => () => this.#newWrite()),
      ...[3, 3, 3, 3, 3, 3].map(() => () => this.#proceed()),
      ...[3, 3, 3].map(() => () => this.#deliver()),
      ...[3, 3, 3, 3].map(() => () => this.#runJobs()),
      () => this.#settleViews(),
      () => this.#settleViews(),
      () => this.#newJob(),
      ...(this.ground.choose(this.#luck) === 0 ? this.#mishaps() : []),
    ]);
  }

  /** No more mishaps; everything that has begun ends. */
  settle(): void {
    this.ground.isCalm = true;
    this.ground.down.clear();
    for (const proxy of this.proxies) if (!proxy.isAlive) this.#revive(proxy);
    for (let i = 0; i < 5000 && (this.jobs.size > 0 || this.#isBusy()); i++) {
      this.#proceed();
      this.#deliver();
      this.#settleViews();
      this.#runJobs();
    }
    if (this.jobs.size > 0) throw new Broken("a job never ends");
    this.#checkEnd();
  }

  #isBusy(): boolean {
    return this.#messages.length > 0 || this.proxies.some((proxy) => proxy.writes.length > 0);
  }

  #happen(events: (() => void)[]): void {
    events[this.ground.choose(events.length)]();
  }

  // ---------------------------------------------------------------------------------- mishaps

  #mishaps(): (() => void)[] {
    return [
      () => this.#crashDashboard(),
      () => this.#crashDashboard(),
      () => this.#crashProxy(),
      () => this.#restartProxy(),
      () => this.#hiccup(),
      () => this.#outage(),
      () => this.#cancel(),
      () => this.#relapse(),
      () => this.#restartTarget(),
      () => this.ground.strayArrives(),
      () => this.ground.strayArrives(),
    ];
  }

  /** Its runners forget everything; what its engine sent may still be executed. */
  #crashDashboard(): void {
    this.ground.note(() => "the dashboard dies");
    this.#runners.clear();
    this.#dashboard++;
    this.#repair();
    this.crashes++;
  }

  /** Whoever reads the records begins with this. */
  #repair(): void {
    for (const job of repairJobs(this.jobs.values())) {
      if (job.slots.length > 0) this.jobs.set(job.id, job);
      else this.jobs.delete(job.id);
    }
  }

  /** Writes a batch in order. False: a part of it only; the dashboard reads the records anew. */
  #save(writes: readonly (() => void)[]): boolean {
    const isCut = !this.ground.isCalm && this.ground.choose(6) === 0;
    const written = isCut ? this.ground.choose(writes.length) : writes.length;
    for (const write of writes.slice(0, written)) write();
    if (!isCut) return true;
    this.ground.note(() => `${written} of ${writes.length} records are written`);
    if (this.ground.choose(3) === 0) this.#crashDashboard();
    else this.#repair();
    return false;
  }

  #crashProxy(): void {
    const proxy = this.ground.pick(this.proxies);
    this.ground.note(() => `${proxy.name} dies with ${proxy.writes.length} writes`);
    proxy.isAlive = false;
    for (const write of proxy.writes) {
      const act =
        write.stage === "write" ? this.#execution(write) : this.ground.migration(write.key, write);
      this.ground.strays.push({ owner: proxy.name, act });
    }
    proxy.writes = [];
    this.#messages = this.#messages.filter((message) => message.proxy !== proxy);
    proxy.nextViews = [null, null];
    proxy.nextPins = null;
  }

  #restartProxy(): void {
    const proxy = this.ground.pick(this.proxies);
    if (!proxy.isAlive && this.ground.down.size === 0) this.#revive(proxy);
  }

  /** It gets the whole table before it serves; what it sent in its former life is gone. */
  #revive(proxy: Proxy): void {
    this.ground.note(() => `${proxy.name} is back`);
    this.ground.fence((owner) => owner === proxy.name);
    proxy.isAlive = true;
    proxy.moved.clear();
    proxy.views = SLOTS.map((slot) => this.#viewOf(slot));
    proxy.pins = this.#pinTable();
  }

  /** A server closes its connections: commands were executed or not, and nobody knows. */
  #hiccup(): void {
    for (const proxy of this.proxies) {
      for (const write of proxy.writes.filter((each) => each.stage === "write")) {
        if (this.ground.choose(2) === 0) this.#execution(write)();
        proxy.writes = proxy.writes.filter((each) => each !== write);
      }
    }
  }

  /** A server stops to answer, or goes on. */
  #outage(): void {
    if (this.ground.down.size > 0) this.ground.down.clear();
    else if (this.ground.choose(4) === 0) this.ground.down.add(this.ground.pick([1, 2]));
    this.ground.note(() => `down: ${[...this.ground.down].join(" ")}`);
  }

  /** Only slots that the job still moves: from others the source has nothing to say any more. */
  #relapse(): void {
    const job = this.ground.pick([...this.jobs.values()]);
    if (job?.state !== "migrating" || job.method !== "keys") return;
    const owners = jobsBySlot(this.jobs.values());
    this.ground.relapse(
      job,
      job.slots.filter((slot) => owners.get(slot) === job),
    );
  }

  /**
   * Before the target is looked at for the last time. Whoever begins anew with old data later loses
   * what has moved as well, and nothing but the durability of the server itself can help.
   */
  #restartTarget(): void {
    const job = this.ground.pick([...this.jobs.values()]);
    if (job === undefined || this.ground.confirmed.has(job.epoch)) return;
    if (["preparing", "holding", "switching"].includes(job.state)) this.ground.restart(job);
  }

  /** All slots of a job, or one of them. */
  #cancel(): void {
    const job = this.ground.pick([...this.jobs.values()]);
    if (job === undefined || refusal(job) !== "") return;
    // The runner is stopped first. It waits for what its part of the engine has begun, if it can.
    this.#runners.delete(job.id);
    if (this.ground.down.size === 0) {
      this.ground.complete(`dashboard ${this.#dashboard} job ${job.id}`);
    }
    const slot = this.ground.pick(job.slots);
    const isMeant = (each: number): boolean => each === slot || job.method === "replica";
    const isWhole = this.ground.choose(2) === 0;
    const changed = cancelled(job, (each) => isWhole || isMeant(each), this.#lastJob + 1);
    if (changed.length > 1) this.divisions++;
    this.#lastJob += changed.length - 1;
    this.#save(changed.map((each) => () => this.jobs.set(each.id, each)));
  }

  // ---------------------------------------------------------------------------------- clients

  #newWrite(): void {
    const proxy = this.ground.pick(this.proxies);
    const key = this.ground.pick(KEYS.flat());
    const slot = slotOfKey(key);
    const view = proxy.views[slot];
    const isWaiting = proxy.nextViews[slot] !== null || proxy.nextPins !== null;
    if (!proxy.isAlive || view.isHeld || (isWaiting && this.ground.obeys("quiet"))) return;
    const pin = view.from === 0 ? undefined : proxy.pins.states.get(key);
    if (pin === "held" && this.ground.obeys("pins")) return;
    const isKnown = view.from === 0 || proxy.moved.has(`${slot} ${view.epoch} ${key}`);
    const isThere = isKnown || pin !== undefined || !this.ground.obeys("move first");
    const stage = isThere ? "write" : "migrate";
    const place = pin === undefined ? view.backend : view.from;
    proxy.writes.push({ id: ++this.#writes, key, proxy, view, stage, place });
  }

  /** One write of one proxy gets one step further. */
  #proceed(): void {
    const proxy = this.ground.pick(this.proxies);
    const write = this.ground.pick(proxy.writes);
    if (write === undefined) return;
    if (write.stage === "migrate") {
      this.ground.migration(write.key, write)();
      const isMoved = !this.ground.server(write.view.from).has(write.key);
      if (!isMoved) {
        // An error or BUSYKEY: again, after what may still be on its way is shut out.
        if (this.ground.choose(2) === 0) this.ground.fence((owner) => owner === "wire");
        return;
      }
      proxy.moved.add(`${slotOfKey(write.key)} ${write.view.epoch} ${write.key}`);
      write.stage = "write";
      return;
    }
    proxy.writes = proxy.writes.filter((each) => each !== write);
    if (this.ground.down.has(write.place)) return;
    this.#execution(write)();
    this.#acknowledged.push(write.id);
  }

  #execution(write: Write): () => void {
    const { key, place, id } = write;
    return () => {
      if (this.ground.down.has(place)) return;
      this.ground.note(() => `write ${id} of ${key} by ${write.proxy.name} at ${place}`);
      const other = this.ground.server(3 - place);
      const job = jobsBySlot(this.jobs.values()).get(slotOfKey(key));
      const twin = other.get(key);
      const isMoving = job?.method === "keys" && !["preparing", "holding"].includes(job.state);
      if (twin !== undefined && isMoving && !this.ground.ghosts.has(twin)) {
        throw new Broken(`${key} is written on ${place} while ${3 - place} has it`);
      }
      const value = this.ground.server(place).get(key) ?? [];
      if (value.includes(id)) throw new Broken(`write ${id} is executed twice`);
      this.ground.server(place).set(key, [...value, id]);
    };
  }

  // ------------------------------------------------------------------------------ proxies' views

  #view(backend: number, from: number, isHeld: boolean, epoch: number): View {
    return { revision: ++this.#revision, backend, from, isHeld, epoch };
  }

  #viewOf(slot: number): View {
    const job = jobsBySlot(this.jobs.values()).get(slot);
    const phase = job === undefined ? null : phaseOf(job);
    if (job === undefined || phase === null) return this.#view(this.ground.home[slot], 0, false, 0);
    const { source_id: source, target_id: target, epoch } = job;
    if (phase.state === "preparing") return this.#view(source, 0, phase.isHeld, 0);
    if (phase.state === "finished") return this.#view(target, 0, phase.isHeld, 0);
    const isHeld = phase.isHeld || (phase.state === "prepared" && this.ground.obeys("hold"));
    return this.#view(target, source, isHeld, epoch);
  }

  #pinTable(): Pins {
    const states = new Map<string, "pinned" | "held">();
    for (const job of this.jobs.values()) {
      for (const pin of job.pins) {
        states.set(keyOfPin(pin), pin.state === "pinned" ? "pinned" : "held");
      }
    }
    return { revision: ++this.#revision, states };
  }

  #send(slots: readonly number[] | null): void {
    const views = (slots ?? []).map((slot) => [slot, this.#viewOf(slot)] as const);
    const pins = slots === null ? this.#pinTable() : null;
    for (const proxy of this.proxies) {
      if (proxy.isAlive) this.#messages.push({ proxy, views, pins });
    }
  }

  /** Messages come in any order; some belong to a dashboard that has died since. */
  #deliver(): void {
    const message = this.ground.pick(this.#messages);
    if (message === undefined) return;
    this.#messages = this.#messages.filter((each) => each !== message);
    const { proxy } = message;
    const isNewer = (now: { revision: number }, next: { revision: number } | null, r: number) =>
      !this.ground.obeys("revision") || r > Math.max(now.revision, next?.revision ?? 0);
    for (const [slot, view] of message.views) {
      if (isNewer(proxy.views[slot], proxy.nextViews[slot], view.revision)) {
        proxy.nextViews[slot] = view;
      }
    }
    if (message.pins !== null && isNewer(proxy.pins, proxy.nextPins, message.pins.revision)) {
      proxy.nextPins = message.pins;
    }
  }

  #settleViews(): void {
    for (const proxy of this.proxies) {
      for (const slot of SLOTS) {
        const next = proxy.nextViews[slot];
        const isQuiet = !proxy.writes.some((write) => slotOfKey(write.key) === slot);
        if (next === null || (!isQuiet && this.ground.obeys("quiet"))) continue;
        proxy.views[slot] = next;
        this.ground.note(() => `${proxy.name} slot ${slot}: ${JSON.stringify(next)}`);
        proxy.nextViews[slot] = null;
      }
      const pins = proxy.nextPins;
      if (pins === null || (proxy.writes.length > 0 && this.ground.obeys("quiet"))) continue;
      proxy.pins = pins;
      proxy.nextPins = null;
    }
  }

  /** Whether all proxies route by this revision or a newer one; a dead one is fenced first. */
  #haveAgreed(revision: number, slots: readonly number[] | null): boolean {
    return this.proxies.every((proxy) => {
      if (!proxy.isAlive) {
        if (this.ground.down.size > 0) return false;
        this.ground.fence((owner) => owner === proxy.name);
        return true;
      }
      if (slots === null) return proxy.pins.revision >= revision;
      return slots.every((slot) => proxy.views[slot].revision >= revision);
    });
  }

  // ----------------------------------------------------------------------------------------- jobs

  #newJob(): void {
    if (this.jobs.size > 0) return;
    // Slots that a cancel has parted go on one by one.
    const moving = this.ground.home[0] === this.ground.home[1] ? SLOTS : [this.ground.pick(SLOTS)];
    const source = this.ground.home[moving[0]];
    // Only an empty group can become a replica.
    const isOdd = this.ground.home[0] !== this.ground.home[1];
    const method = isOdd || this.ground.choose(3) > 0 ? "keys" : "replica";
    // Somebody has left old keys where the slots go.
    const key = this.ground.pick(KEYS[moving[0]]);
    if (this.ground.choose(3) === 0) this.ground.server(3 - source).set(key, []);
    const id = ++this.#lastJob;
    this.jobs.set(id, {
      id,
      method,
      source_id: source,
      target_id: 3 - source,
      epoch: id * 65536,
      state: "preparing",
      slots: moving,
      pins: [],
      started: 0,
    });
    this.migrations++;
  }

  #runJobs(): void {
    for (const id of this.jobs.keys()) {
      if (!this.#runners.has(id)) this.#runners.set(id, this.#runner(id));
    }
    const id = this.ground.pick([...this.#runners.keys()]);
    const runner = this.#runners.get(id);
    if (runner?.next().done === true) this.#runners.delete(id);
  }

  *#runner(id: number): Generator<void, void, void> {
    let known = FRESH;
    for (;;) {
      const job = this.jobs.get(id);
      if (job === undefined) return;
      this.states.add(job.state);
      const step = nextStep(job, known, { isPaused: false });
      yield;
      this.ground.note(() => `job ${id} ${job.state}(${job.epoch}): ${JSON.stringify(step)}`);
      if (step.kind === "push") known = yield* this.#push(job, step, known);
      else if (step.kind === "run") known = yield* this.#part(job, step.part, known);
      else if (step.kind === "retry") known = afterRetry(known);
      else if (step.kind === "store") known = this.#store(job, step, known);
      else {
        if (this.#end(job, step, known)) return;
        known = FRESH;
      }
      yield;
    }
  }

  #store(job: MigrationJob, step: Extract<Step, { kind: "store" }>, known: Knowledge): Knowledge {
    const writes = [() => this.jobs.set(job.id, step.job)];
    const { split } = step;
    if (split !== undefined) {
      const id = ++this.#lastJob;
      writes.unshift(() => this.jobs.set(id, { ...split, id }));
    }
    if (step.job.reversed && !job.reversed) this.reversals++;
    return this.#save(writes) ? afterStore(job, step, known) : FRESH;
  }

  /** Whether the runner ends. */
  #end(job: MigrationJob, step: Step, known: Knowledge): boolean {
    const writes: (() => void)[] = [];
    if (step.kind === "arrive") {
      const { groupId } = step;
      for (const slot of job.slots) writes.push(() => (this.ground.home[slot] = groupId));
      // A cancelled copy may stay at a target that did not answer.
      if (job.method === "replica" && job.state === "preparing") {
        for (const slot of SLOTS) this.ground.unaudited.add(`${job.target_id} ${slot}`);
      }
      // Keys may stay at the source when it did not answer.
      if (job.state === "finishing" && known.outcome?.result.kind !== "done") {
        for (const slot of job.slots) this.ground.unaudited.add(`${job.source_id} ${slot}`);
      }
    }
    const rest = step.kind === "arrive" ? step.rest : undefined;
    if (rest === undefined) writes.push(() => this.jobs.delete(job.id));
    else writes.push(() => this.jobs.set(job.id, rest));
    if (!this.#save(writes)) return false;
    this.#send(job.slots);
    return rest === undefined;
  }

  *#push(
    job: MigrationJob,
    step: Extract<Step, { kind: "push" }>,
    known: Knowledge,
  ): Generator<void, Knowledge, void> {
    const rounds = step.pinsOnly ? [null] : [null, job.slots];
    for (const slots of rounds) {
      const revision = this.#revision + 1;
      this.#send(slots);
      while (!this.#haveAgreed(revision, slots)) {
        yield;
        if (this.ground.isCalm || this.ground.choose(12) > 0) continue;
        return slots === null ? { ...known, pins: "late" } : { ...known, slots: "late" };
      }
    }
    return { ...known, pins: "agreed", slots: step.pinsOnly ? known.slots : "agreed" };
  }

  *#part(job: MigrationJob, part: Part, known: Knowledge): Generator<void, Knowledge, void> {
    // Whoever moved before is shut out by the first thing that every part does.
    const owner = `dashboard ${this.#dashboard} job ${job.id}`;
    const jobs = [job.id, job.parent ?? job.id].map((id) => ` job ${id}`);
    if (this.ground.down.size === 0) {
      this.ground.fence((each) => jobs.some((name) => each.endsWith(name)));
      this.ground.fence((each) => each === "wire");
    }
    const result = yield* this.ground.work(job, part, owner);
    const found = result.kind === "done" && part.name === "move" ? (result.bigKeys ?? []) : [];
    return { ...known, outcome: { part: part.name, result }, bigKeys: [...found] };
  }

  // ---------------------------------------------------------------------------------------- checks

  #checkEnd(): void {
    for (const key of KEYS.flat()) {
      const home = this.ground.home[slotOfKey(key)];
      const stranger = this.ground.server(3 - home).get(key);
      const isExcused = this.ground.unaudited.has(`${3 - home} ${slotOfKey(key)}`);
      if (stranger !== undefined && stranger.length > 0 && !isExcused) {
        throw new Broken(`${key} is left where it is not at home`);
      }
    }
    const values = KEYS.flat().flatMap(
      (key) => this.ground.server(this.ground.home[slotOfKey(key)]).get(key) ?? [],
    );
    if (new Set(values).size !== values.length) throw new Broken("a write is there twice");
    const lost = this.#acknowledged.filter((id) => !values.includes(id));
    if (lost.length > 0) throw new Broken(`acknowledged writes are lost: ${lost.join(", ")}`);
  }
}

// Two servers, a proxy, and slots that move between them as a dashboard would have them move, step
// by step, without a dashboard.
//
//   await using pair = await startPair();
//   await begin(pair.proxy, pair.source, pair.target);          // hold, then moving
//   await moveRest(pair.source, pair.target);                   // what no request has moved
//   await finish(pair.proxy, pair.target);
import { slotOfKey, type SlotFill } from "../../src/model/slot.ts";
import { keyOf } from "./keys.ts";
import { owning } from "./owning.ts";
import { ALL_SLOTS, assignSlots, type Proxy, type ProxyOptions, startProxy } from "./proxy.ts";
import { type Redis, type RedisOptions, startRedis } from "./redis.ts";

/** The slot that moves unless a test says otherwise. */
export const MOVING_SLOT = 300;

/** A key of that slot. */
export function movingKey(name: string): string {
  return `{${keyOf(MOVING_SLOT)}}${name}`;
}

export interface Pair extends AsyncDisposable {
  readonly source: Redis;
  readonly target: Redis;
  readonly proxy: Proxy;
}

/** All slots are at the source; none moves yet. */
export async function startPair(
  options: ProxyOptions = {},
  redis: RedisOptions = {},
): Promise<Pair> {
  return await owning(async (stack) => {
    const source = stack.use(await startRedis(redis));
    const target = stack.use(await startRedis(redis));
    const slots = [{ addr: source.address, ...ALL_SLOTS }];
    const proxy = stack.use(await startProxy({ ...options, slots }));
    return { source, target, proxy };
  });
}

interface Server {
  readonly address: string;
}

export interface MoveOptions extends Partial<SlotFill> {
  /** The slots, both included. */
  readonly from?: number;
  readonly to?: number;
}

let epochs = 0;

function range({ from = MOVING_SLOT, to = from, ...rest }: MoveOptions) {
  return { from, to, ...rest };
}

/** Holds the slots, and lets go of them when they are to be served by the target. */
export async function begin(
  proxy: Proxy,
  source: Server,
  target: Server,
  options: MoveOptions = {},
): Promise<void> {
  const place = { addr: target.address, migrate_from: source.address, forward_method: 2 };
  const slots = { ...place, migrate_epoch: ++epochs, ...range(options) };
  await assignSlots(proxy, [{ ...slots, locked: true }]);
  await assignSlots(proxy, [slots]);
}

/** The source has nothing of the slots any more. */
export function finish(proxy: Proxy, target: Server, options: MoveOptions = {}): Promise<void> {
  return assignSlots(proxy, [{ addr: target.address, ...range(options) }]);
}

/** Moves what is left of the slots; what the target has already is deleted at the source. */
export async function moveRest(
  source: Redis,
  target: Redis,
  options: MoveOptions = {},
): Promise<void> {
  const { from, to } = range(options);
  for (;;) {
    const keys = ((await source.call("KEYS", "*")) as string[]).filter((key) => {
      const slot = slotOfKey(key);
      return slot >= from && slot <= to;
    });
    if (keys.length === 0) return;
    const place = ["127.0.0.1", target.port];
    const reply = await source.call(
      "MIGRATE",
      ...place,
      "",
      0,
      1000,
      "KEYS",
      ...keys.slice(0, 100),
    );
    if (!String(reply).includes("BUSYKEY")) continue;
    for (const key of keys.slice(0, 100)) {
      if ((await target.call("EXISTS", key)) === 1) await source.call("UNLINK", key);
    }
  }
}

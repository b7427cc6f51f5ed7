// What goes wrong, and when: a plan that a seed makes, so that it can be played again.
import { Random } from "../harness/random.ts";
import type { Setup } from "./soak-product.ts";

/** By kind: how often it comes among the others, and how long it lasts at most. */
const KINDS = {
  dashboard: { weight: 4, mostMs: 800 },
  worker: { weight: 4, mostMs: 0 },
  proxy: { weight: 2, mostMs: 800 },
  server: { weight: 5, mostMs: 800 },
  "hung dashboard": { weight: 2, mostMs: 4_000 },
  "hung proxy": { weight: 2, mostMs: 4_000 },
  "hung worker": { weight: 2, mostMs: 4_000 },
  "frozen proxy": { weight: 2, mostMs: 4_000 },
  "hung server": { weight: 3, mostMs: 3_000 },
  cancel: { weight: 3, mostMs: 0 },
  pause: { weight: 2, mostMs: 800 },
  promotion: { weight: 6, mostMs: 300 },
  coordinator: { weight: 1, mostMs: 800 },
  "hung coordinator": { weight: 2, mostMs: 4_000 },
} as const;

export type Kind = keyof typeof KINDS;

export interface Mishap {
  /** After the start. */
  readonly atMs: number;
  readonly kind: Kind;
  /** Which proxy, worker or server; taken modulo how many there are. */
  readonly which: number;
  /** How long it is away. */
  readonly forMs: number;
}

const FIRST_MS = 1_000;
const SHORTEST_GAP_MS = 200;
const LONGEST_GAP_MS = 1_500;

export function planOf(seed: number, lengthMs: number, setup: Setup): Mishap[] {
  const random = new Random(seed);
  const kinds = (Object.keys(KINDS) as Kind[]).filter((kind) => isPossible(kind, setup));
  const drawn = kinds.flatMap((kind) => Array.from({ length: KINDS[kind].weight }, () => kind));
  const plan: Mishap[] = [];
  for (let atMs = FIRST_MS; ;) {
    atMs += random.between(SHORTEST_GAP_MS, LONGEST_GAP_MS);
    if (atMs > lengthMs) return plan;
    const kind = random.pick(drawn);
    const { mostMs } = KINDS[kind];
    // Often short: most of what can go wrong does so at the edges.
    const forMs = random.between(0, random.chance(0.5) ? mostMs : mostMs / 4);
    plan.push({ atMs, kind, which: random.below(1000), forMs });
    atMs += forMs;
  }
}

function isPossible(kind: Kind, { hasReplicas, coordinator }: Setup): boolean {
  if (kind === "promotion") return hasReplicas;
  return !kind.endsWith("coordinator") || coordinator === "etcd";
}

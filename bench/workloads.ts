// What is measured, and the bar that each workload has to reach against twemproxy.
// The load is always redis-benchmark's: the same program, the same commands, for every peer.

/** The keys that exist before the first measurement, so that every GET finds its value. */
export const SMALL_KEYS = { prefix: "key:", count: 100_000, valueBytes: 64 } as const;
export const LARGE_KEYS = { prefix: "big:", count: 2_000, valueBytes: 16_384 } as const;

export interface Workload {
  /** For --only, and in the JSON. */
  readonly name: string;
  readonly title: string;
  readonly clients: number;
  readonly pipeline: number;
  readonly keys: typeof SMALL_KEYS | typeof LARGE_KEYS;
  /** Run one after the other with the same number of requests; their figures are put together. */
  readonly commands: readonly (readonly string[])[];
  readonly bar: Bar;
}

/** Ratios to twemproxy in the same run. */
export interface Bar {
  readonly maxCpu: number;
  readonly minThroughput: number;
}

/** What redis-benchmark replaces by a random number below the size of the key space. */
const RANDOM = "__rand_int__";

const SMALL_KEY = SMALL_KEYS.prefix + RANDOM;
const LARGE_KEY = LARGE_KEYS.prefix + RANDOM;
const SMALL_VALUE = "v".repeat(SMALL_KEYS.valueBytes);
const LARGE_VALUE = "v".repeat(LARGE_KEYS.valueBytes);

const SET_AND_GET = [
  ["SET", SMALL_KEY, SMALL_VALUE],
  ["GET", SMALL_KEY],
];
const TEN = Array.from({ length: 10 });

const small = { pipeline: 1, keys: SMALL_KEYS, commands: SET_AND_GET };
const large = { clients: 50, pipeline: 1, keys: LARGE_KEYS };
const largeBar = { maxCpu: 1.0, minThroughput: 1.0 };
const many = { clients: 50, pipeline: 1, keys: SMALL_KEYS };
const manyBar = { maxCpu: 0.6, minThroughput: 1.5 };

export const WORKLOADS: readonly Workload[] = [
  {
    ...small,
    name: "c50",
    title: "50 clients, no pipeline, SET and GET",
    clients: 50,
    bar: { maxCpu: 0.75, minThroughput: 1.1 },
  },
  {
    ...small,
    name: "c500",
    title: "500 clients, no pipeline, SET and GET",
    clients: 500,
    bar: { maxCpu: 0.75, minThroughput: 1.15 },
  },
  {
    ...small,
    name: "p16",
    title: "50 clients, pipeline 16, SET and GET",
    clients: 50,
    pipeline: 16,
    bar: { maxCpu: 0.35, minThroughput: 1.8 },
  },
  {
    ...small,
    name: "p100",
    title: "50 clients, pipeline 100, SET and GET",
    clients: 50,
    pipeline: 100,
    bar: { maxCpu: 0.15, minThroughput: 3 },
  },
  {
    ...large,
    name: "set16k",
    title: "50 clients, SET of 16 KB",
    commands: [["SET", LARGE_KEY, LARGE_VALUE]],
    bar: largeBar,
  },
  {
    ...large,
    name: "get16k",
    title: "50 clients, GET of 16 KB",
    commands: [["GET", LARGE_KEY]],
    bar: largeBar,
  },
  {
    ...many,
    name: "mget",
    title: "50 clients, MGET of 10 keys",
    commands: [["MGET", ...TEN.map(() => SMALL_KEY)]],
    bar: manyBar,
  },
  {
    ...many,
    name: "mset",
    title: "50 clients, MSET of 10 keys",
    commands: [["MSET", ...TEN.flatMap(() => [SMALL_KEY, SMALL_VALUE])]],
    bar: manyBar,
  },
];

// `codis demo --rebalance`: keys, clients that check every answer, a new group, and slots that move
// to it while they go on.
import { SLOT_COUNT } from "../model/slot.ts";
import type { TopomStats } from "../model/topom-stats.ts";
import { CheckingLoad, fill } from "./load.ts";
import { count } from "./live-figures.ts";
import type { Operator } from "./operator.ts";

const KEYS = 100_000;
const CLIENTS = 16;
const BAR_WIDTH = 30;
const LOOK_PERIOD_MS = 200;

export interface Stage {
  readonly operator: Operator;
  /** host:port of the proxies. */
  readonly proxies: readonly string[];
  /** Starts the servers of a further group, takes them into the product, and names it. */
  readonly addGroup: () => Promise<number>;
  readonly say: (line: string) => void;
  /** A line that is drawn over again; "" ends it. */
  readonly draw: (line: string) => void;
  /** True when Ctrl-C was pressed. */
  readonly isEnding: () => boolean;
}

export async function showRebalance(stage: Stage): Promise<void> {
  const { operator, proxies, say, draw, isEnding } = stage;
  say(`\nWriting ${count(KEYS, "key")} ...`);
  await fill(proxies[0], KEYS);
  if (isEnding()) return;
  const load = new CheckingLoad(proxies, CLIENTS);
  try {
    say(`${count(CLIENTS, "client")} count up keys and check every answer.`);
    const group = await stage.addGroup();
    const { moves } = await operator.rebalance();
    say(`Group ${group} is new: ${count(moves.length, "slot")} move to it.`);
    load.resetLongest();
    const begun = performance.now();
    for (;;) {
      if (isEnding()) return;
      const stats = await operator.stats();
      const left = leftOf(stats);
      draw(progressLine(stats, moves.length, load));
      if (left === 0) break;
      await Bun.sleep(LOOK_PERIOD_MS);
    }
    draw("");
    const seconds = (performance.now() - begun) / 1000;
    say(await verdict(operator, load, group, seconds));
  } finally {
    draw("");
    await load.stop();
  }
}

function leftOf({ slots }: TopomStats): number {
  return slots.filter((slot) => slot.action.state !== undefined).length;
}

/** "[#####.....] 50%, 12,345 keys moved, 20,000 answers checked, longest wait 9 ms". */
export function progressLine(
  stats: TopomStats,
  ordered: number,
  load: Pick<CheckingLoad, "figures">,
): string {
  const left = leftOf(stats);
  // Slots that were on their way before, as after a stop in the middle, count as well.
  const total = Math.max(ordered, left);
  // Slots arrive together at the end of their job; its keys say how far it is before.
  const onTheirWay = (stats.slot_action.jobs ?? []).reduce((sum, job) => {
    const share = job.keys_total > 0 ? Math.min(1, job.keys_moved / job.keys_total) : 0;
    return sum + (job.slots - job.slots_done) * share;
  }, 0);
  const share = total === 0 ? 1 : Math.min(1, (total - left + onTheirWay) / total);
  const filled = Math.round(share * BAR_WIDTH);
  const { checked, wrong, longestMs } = load.figures;
  return [
    `[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}] ${Math.floor(share * 100)}%`,
    count(total - left, "slot"),
    `${count(checked, "answer")} checked, ${wrong} wrong`,
    `longest wait ${Math.round(longestMs)} ms`,
  ].join(", ");
}

async function verdict(
  operator: Operator,
  load: CheckingLoad,
  group: number,
  seconds: number,
): Promise<string> {
  const { slots } = await operator.stats();
  const own = slots.filter((slot) => slot.group_id === group).length;
  const { checked, wrong, refused, longestMs } = load.figures;
  return (
    `Group ${group} has ${own} of ${SLOT_COUNT} slots after ${seconds.toFixed(1)} s. Meanwhile ` +
    `${count(checked, "answer")} checked: ${wrong} wrong, ${refused} refused, longest wait ` +
    `${Math.round(longestMs)} ms.`
  );
}

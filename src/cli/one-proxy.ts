// Commands on one proxy, straight to its admin API and around the dashboard.

import { readFileSync } from "node:fs";
import { PROXY_ROUTES as routes } from "../api/routes.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import { decodeJson } from "../model/json.ts";
import type { SlotFill } from "../model/slot.ts";
import { parseSlotFills } from "../model/slot-fill.ts";
import { type Call, type Command, LEVEL, partOf } from "./command.ts";
import { ProxyLink } from "./proxy-link.ts";

export const PROXY_PARTS = ["config", "model", "stats", "slots"] as const;
const ADDR = { name: "ADDR", doc: "The admin address of the proxy, such as 10.0.0.1:11080." };

export const ONE_PROXY_COMMANDS: readonly Command[] = [
  {
    name: "proxy show",
    doc: "Prints what a proxy knows of itself, or a part of it, as JSON.",
    reach: "proxy",
    positionals: [ADDR, partOf(PROXY_PARTS)],
    run: async (call) => {
      call.out.json(await proxyPart(linkOf(call), call.given.text("PART")));
    },
  },
  {
    name: "proxy start",
    doc: "Puts a proxy online that waits.",
    reach: "proxy",
    positionals: [ADDR],
    run: async (call) => {
      await linkOf(call).call(routes.start, {});
      call.done("online");
    },
  },
  {
    name: "proxy shutdown",
    doc: "Ends a proxy. The dashboard still knows it: codis admin proxies remove.",
    reach: "proxy",
    asks: true,
    positionals: [ADDR],
    run: async (call) => {
      const link = linkOf(call);
      await call.confirm(`End the proxy at ${link.address}?`);
      await link.call(routes.shutdown, {});
      call.done("it ends");
    },
  },
  {
    name: "proxy reset-stats",
    doc: "Sets the counters of a proxy to zero.",
    reach: "proxy",
    positionals: [ADDR],
    run: async (call) => {
      await linkOf(call).call(routes.resetStats, {});
      call.done("reset");
    },
  },
  {
    name: "proxy gc",
    doc: "Collects the garbage of a proxy now.",
    reach: "proxy",
    positionals: [ADDR],
    run: async (call) => {
      await linkOf(call).call(routes.forceGc, {});
      call.done("collected");
    },
  },
  {
    name: "proxy log-level",
    doc: "Sets the log level of a proxy until it ends.",
    reach: "proxy",
    positionals: [ADDR, LEVEL],
    run: async (call) => {
      const value = call.given.must("LEVEL");
      await linkOf(call).call(routes.logLevel, { value });
      call.done(`it logs ${value} now`);
    },
  },
  {
    name: "proxy fill",
    doc: "Gives a proxy slots from a file, as a dashboard would.",
    details: "The next change by a dashboard overwrites them.",
    reach: "proxy",
    asks: true,
    positionals: [ADDR, { name: "FILE", doc: "A JSON list of Slot objects." }],
    options: [{ name: "locked", doc: "Hold the requests of these slots." }],
    run: async (call) => {
      const slots = readSlots(call.given.must("FILE"), call.given.has("locked"));
      const link = linkOf(call);
      await call.confirm(`Replace ${slots.length} slots of the proxy at ${link.address}?`);
      await link.call(routes.fillSlots, {}, slots);
      call.done(`${slots.length} slots filled`);
    },
  },
];

function linkOf(call: Call): ProxyLink {
  return new ProxyLink(call.given.must("ADDR"), call.productAuth);
}

export async function proxyPart(link: ProxyLink, part: string | null): Promise<unknown> {
  const overview = await link.overview();
  const name = PROXY_PARTS.find((each) => each === part);
  return name === undefined ? overview : overview[name];
}

/** Reads and checks a list of Slot objects; an id that is none is named as the original does. */
export function readSlots(file: string, isLocked: boolean): SlotFill[] {
  const json = decodeFile(file);
  if (Array.isArray(json)) {
    for (const element of json) {
      const id: unknown = typeof element === "object" ? Object(element).id : undefined;
      if (typeof id === "number" && (id < 0 || id > 1023)) {
        throw new OperatorError(`invalid slot id = ${id} in ${file}`);
      }
    }
  }
  try {
    const slots = parseSlotFills(json);
    return isLocked ? slots.map((slot) => ({ ...slot, locked: true })) : slots;
  } catch (error) {
    throw new OperatorError(`${file}: ${messageOf(error)}`);
  }
}

export function decodeFile(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new OperatorError(`the file ${file} cannot be read: ${messageOf(error)}`);
  }
  try {
    return decodeJson(text);
  } catch (error) {
    throw new OperatorError(`the file ${file} is not right: ${messageOf(error)}`);
  }
}

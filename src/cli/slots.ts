// Commands on slots and on what moves them.

import { DASHBOARD_ROUTES as routes } from "../api/dashboard-routes.ts";
import { OperatorError } from "../lib/operator-error.ts";
import { idleMapping, MAX_GROUP_ID, type SlotMapping } from "../model/slot-mapping.ts";
import type { Call, Command } from "./command.ts";
import { rangesOf, rangesText, some } from "./format.ts";
import { followMoves, showMigrations } from "./progress.ts";
import { parseSlots } from "./slot-sets.ts";
import { show } from "./view.ts";
import { slotLines } from "./views.ts";

const SLOTS = { name: "SLOTS", doc: "Such as 17, 0-99, 0-99,200-299 or all." };
const GROUP = { name: "GROUP", integerFrom: 1, doc: `The group, from 1 to ${MAX_GROUP_ID}.` };
const FOLLOW = { name: "watch", short: "w", doc: "Show the progress until all have arrived." };

export const SLOT_COMMANDS: readonly Command[] = [
  {
    name: "slots",
    doc: "Shows which group has which slots, and which are moving.",
    reach: "dashboard",
    isView: true,
    run: async (call) => {
      const link = await call.dashboard();
      await show(call, {
        fetch: async () => (await link.stats()).slots,
        render: (slots) => slotLines(call.out, slots),
      });
    },
  },
  {
    name: "slots assign",
    doc: "Gives slots to a group at once, without moving their keys.",
    details:
      "For a new product. What is stored in these slots stays where it is and is not found any " +
      "more; use codis admin migrate for slots that have keys. Group 0 takes slots offline.",
    reach: "dashboard",
    asks: true,
    positionals: [SLOTS, { ...GROUP, integerFrom: 0 }],
    run: async (call) => {
      const ids = parseSlots(call.given.must("SLOTS"));
      const group = call.given.integer("GROUP") ?? 0;
      const link = await call.dashboard();
      const where = group === 0 ? "offline" : `to group ${group}`;
      await call.confirm(
        `Assign ${some(ids.length, "slot")} ${where}, leaving behind what keys they have?`,
      );
      const route = group === 0 ? routes.offlineSlots : routes.assignSlots;
      await link.call(route, {}, mappingsOf(ids, group));
      call.done(`${some(ids.length, "slot")} assigned ${where}`);
    },
  },
  {
    name: "migrate",
    doc: "Moves slots with their keys to a group, while clients go on.",
    details:
      "SLOTS names them, or --from and --count take some of a group. Slots that are in the group " +
      "already or are moving are left alone.",
    reach: "dashboard",
    asks: true,
    positionals: [
      { ...SLOTS, doc: `${SLOTS.doc} With --from: how many.` },
      { ...GROUP, doc: "Where to." },
    ],
    options: [
      { name: "from", argument: "GROUP", integerFrom: 1, doc: "Take SLOTS slots of this group." },
      FOLLOW,
    ],
    run: migrate,
  },
  {
    name: "replace",
    doc: "Moves all slots of a group to a group that has none, by replication.",
    details:
      "The fastest way to new machines: the master of TO becomes a copy of the one of FROM and " +
      "then takes its place; what it had before is lost. With --slots only the highest slots " +
      "move, to split a group. codis admin cancel brings them back until the switch.",
    reach: "dashboard",
    asks: true,
    positionals: [
      { ...GROUP, name: "FROM", doc: "The group that has the slots." },
      { ...GROUP, name: "TO", doc: "The group that gets them." },
    ],
    options: [
      { name: "slots", argument: "N", integerFrom: 1, doc: "How many; default all of them." },
      FOLLOW,
    ],
    run: replaceGroup,
  },
  {
    name: "cancel",
    doc: "Brings slots that are moving back to where they came from.",
    details: "Orders that have not begun are forgotten. Without SLOTS: all of them.",
    reach: "dashboard",
    asks: true,
    positionals: [{ ...SLOTS, isOptional: true }],
    options: [FOLLOW],
    run: cancel,
  },
  {
    name: "migrations",
    doc: "Shows what is being moved and how far that is; with --watch until it is done.",
    reach: "dashboard",
    isView: true,
    run: async (call) => showMigrations(call, await call.dashboard()),
  },
  {
    name: "pause",
    doc: "Pauses the migration: keys stay where they are now, clients find them.",
    reach: "dashboard",
    run: async (call) => {
      await (await call.dashboard()).call(routes.slotActionDisabled, { value: 1 });
      call.done("the migration is paused");
    },
  },
  {
    name: "resume",
    doc: "Lets the migration go on.",
    reach: "dashboard",
    run: async (call) => {
      await (await call.dashboard()).call(routes.slotActionDisabled, { value: 0 });
      call.done("the migration goes on");
    },
  },
  {
    name: "pace",
    doc: "Sets the pause between two steps of the migration, to slow it down.",
    reach: "dashboard",
    positionals: [
      { name: "MICROSECONDS", integerFrom: 0, doc: "From 0, the fastest, to 1000000." },
    ],
    run: async (call) => {
      const value = call.given.must("MICROSECONDS");
      await (await call.dashboard()).call(routes.slotActionInterval, { value });
      call.done(`the migration pauses ${value} µs between two steps`);
    },
  },
];

export function mappingsOf(ids: readonly number[], group: number): SlotMapping[] {
  return ids.map((id) => idleMapping(id, group));
}

async function migrate(call: Call): Promise<void> {
  const link = await call.dashboard();
  const group = call.given.integer("GROUP") ?? 0;
  const { slots } = await link.stats();
  const wanted = wantedSlots(call, slots);
  const ids = wanted.filter((id) => {
    return slots[id].group_id !== group && slots[id].action.state === undefined;
  });
  if (ids.length === 0) {
    throw new OperatorError(
      `none of these slots can be moved: they are in group ${group} already, or on their way`,
    );
  }
  const left = wanted.length - ids.length;
  const rest = left === 0 ? "" : ` (${some(left, "slot")} left alone)`;
  await call.confirm(`Move ${some(ids.length, "slot")}${rest} to group ${group}?`);
  for (const { from, to } of rangesOf(ids)) {
    await link.call(routes.createSlotActionRange, { beg: from, end: to, gid: group });
  }
  await followMoves(call, link, ids, `ordered: slots ${rangesText(ids)} to group ${group}`);
}

/** By their ids, or the first of a group, as create-some of the original takes them. */
function wantedSlots(call: Call, slots: readonly SlotMapping[]): number[] {
  const text = call.given.must("SLOTS");
  const source = call.given.integer("from");
  if (source === null) return parseSlots(text);
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) {
    throw new OperatorError(`with --from, say how many slots, and not '${text}'`);
  }
  const idle = slots.filter((slot) => slot.group_id === source && slot.action.state === undefined);
  return idle.slice(0, count).map((slot) => slot.id);
}

async function replaceGroup(call: Call): Promise<void> {
  const [src, dst] = [call.given.must("FROM"), call.given.must("TO")];
  const num = call.given.integer("slots") ?? 0;
  const link = await call.dashboard();
  const { slots } = await link.stats();
  const idle = slots.filter(({ group_id, action }) => {
    return group_id === Number(src) && action.state === undefined;
  });
  const ids = idle.slice(-num).map((slot) => slot.id); // -0: all of them
  await call.confirm(
    `Make group ${dst} a copy of group ${src}, in place of what it has, for ` +
      `${some(ids.length, "slot")}?`,
  );
  await link.call(routes.createReplicaJob, { src, dst, num });
  await followMoves(call, link, ids, `ordered: ${some(ids.length, "slot")} to group ${dst}`);
}

async function cancel(call: Call): Promise<void> {
  const link = await call.dashboard();
  const { slots } = await link.stats();
  const ids = parseSlots(call.given.text("SLOTS") ?? "all").filter((id) => {
    return slots[id].action.state !== undefined;
  });
  if (ids.length === 0) throw new OperatorError("none of these slots is moving");
  await call.confirm(`Cancel the moves of ${some(ids.length, "slot")}?`);
  for (const { from, to } of rangesOf(ids)) {
    await link.call(routes.cancelSlotActions, { beg: from, end: to });
  }
  await followMoves(call, link, ids, `cancelled: slots ${rangesText(ids)}`);
}

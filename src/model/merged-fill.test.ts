import { expect, test } from "bun:test";
import fc from "fast-check";
import { mergeFills, parseMergedFills, splitFills } from "./merged-fill.ts";
import { SLOT_COUNT, type SlotFill } from "./slot.ts";
import { normalizeSlotFill } from "./slot-fill.ts";

const address = fc.constantFrom("a:1", "b:2");
const slots: fc.Arbitrary<SlotFill[]> = fc
  .uniqueArray(
    fc.record(
      {
        id: fc.integer({ min: 0, max: SLOT_COUNT - 1 }),
        locked: fc.boolean(),
        backend_addr: address,
        backend_addr_group_id: fc.integer({ min: 0, max: 1 }),
        migrate_from: address,
        migrate_from_group_id: fc.integer({ min: 0, max: 1 }),
        forward_method: fc.integer({ min: 0, max: 2 }),
        replica_groups: fc.array(fc.array(address, { maxLength: 2 }), { maxLength: 2 }),
        migrate_epoch: fc.integer({ min: 0, max: 1 }),
        migrate_durable: fc.boolean(),
        revision: fc.integer({ min: 0, max: 1 }),
      },
      { requiredKeys: ["id"] },
    ),
    { selector: ({ id }) => id },
  )
  .map((list) => list.map(normalizeSlotFill));

test("slots that are merged, sent and split are the same slots", () => {
  fc.assert(
    fc.property(slots, (list) => {
      const sent: unknown = JSON.parse(JSON.stringify(mergeFills(list)));
      const arrived = splitFills(parseMergedFills(sent));
      const byId = (one: SlotFill, other: SlotFill): number => one.id - other.id;
      expect(arrived.toSorted(byId)).toEqual(list.toSorted(byId));
    }),
  );
});

test("slots that are alike share one record, wherever they are", () => {
  const even = { backend_addr: "a:1", replica_groups: [["b:2"]] };
  const list = [0, 1, 2, 3].map((id) => (id % 2 === 0 ? { id, ...even } : { id, locked: true }));
  expect(mergeFills(list)).toEqual([
    { ids: [0, 2], ...even },
    { ids: [1, 3], locked: true },
  ]);
});

test("a malformed list is refused with a sentence that names element and field", () => {
  const field = 'field "ids" of element 0 of the slots must';
  const cases: readonly (readonly [json: unknown, cause: string])[] = [
    [{ ids: [1] }, "the body must be a list, not an object"],
    [[7], "element 0 of the slots must be an object, not 7"],
    [[{ id: 7 }], `${field} be a list of numbers, not nothing`],
    [[{ ids: 7 }], `${field} be a list, not 7`],
    [[{ ids: [1024] }], `${field} have integers from 0 to 1023, not 1024`],
    [[{ ids: ["1"] }], `${field} have integers from 0 to 1023, not "1"`],
    [[{ ids: [1], locked: 1 }], 'field "locked" of element 0 of the slots must be true or false'],
  ];
  for (const [json, cause] of cases) expect(() => parseMergedFills(json)).toThrow(cause);
});

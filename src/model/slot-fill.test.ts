import { expect, test } from "bun:test";
import { normalizeSlotFill, parseSlotFills } from "./slot-fill.ts";

function causeOf(json: unknown): string {
  try {
    parseSlotFills(json);
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  return "accepted";
}

test("a full slot keeps every field, in the order of the contract", () => {
  const slot = {
    replica_groups: [["127.0.0.1:6379"], ["127.0.0.1:6380", "[::1]:6381"]],
    forward_method: 1,
    migrate_from_group_id: 2,
    migrate_from: "10.0.0.1:6379",
    backend_addr_group_id: 1,
    backend_addr: "redis.example:6379",
    locked: true,
    id: 1023,
  };
  const parsed = parseSlotFills([slot]);
  expect(parsed).toEqual([slot]);
  expect(Object.keys(parsed[0])).toEqual(Object.keys(slot).reverse());
});

test("zero values are left out, unknown fields are ignored and names match in any case", () => {
  const zero = {
    ID: 5,
    locked: false,
    Backend_Addr: "a:1",
    backend_addr_group_id: 0,
    migrate_from: "",
    migrate_from_group_id: null,
    forward_method: 0,
    replica_groups: null,
    lease: 17,
  };
  expect(parseSlotFills([zero])).toEqual([{ id: 5, backend_addr: "a:1" }]);
  expect(normalizeSlotFill({ id: 0, replica_groups: [] })).toEqual({ id: 0 });
  expect(parseSlotFills([])).toEqual([]);
});

test("a malformed list is refused with a sentence that names element and field", () => {
  const cases: readonly (readonly [json: unknown, cause: string])[] = [
    [{ id: 1 }, "the body must be a list of slots, not an object"],
    [null, "the body must be a list of slots, not nothing"],
    ["x", 'the body must be a list of slots, not "x"'],
    [[null], "element 0 of the slots must be an object, not nothing"],
    [[{ id: 1 }, [2]], "element 1 of the slots must be an object, not a list"],
    [[{}], 'field "id" of element 0 of the slots must be an integer from 0 to 1023, not nothing'],
    [
      [{ id: "7" }],
      'field "id" of element 0 of the slots must be an integer from 0 to 1023, not "7"',
    ],
    [
      [{ id: 1024 }],
      'field "id" of element 0 of the slots must be an integer from 0 to 1023, not 1024',
    ],
    [
      [{ id: 1.5 }],
      'field "id" of element 0 of the slots must be an integer from 0 to 1023, not 1.5',
    ],
    [
      [{ id: 1, locked: 1 }],
      'field "locked" of element 0 of the slots must be true or false, not 1',
    ],
    [
      [{ id: 1, backend_addr: 6379 }],
      'field "backend_addr" of element 0 of the slots must be a text, not 6379',
    ],
    [
      [{ id: 1, backend_addr: "localhost" }],
      'field "backend_addr" of element 0 of the slots must be host:port, not "localhost"',
    ],
    [
      [{ id: 1, migrate_from: "a b:1" }],
      'field "migrate_from" of element 0 of the slots must be host:port, not "a b:1"',
    ],
    [
      [{ id: 1, forward_method: 3 }],
      'field "forward_method" of element 0 of the slots must be an integer from 0 to 2, not 3',
    ],
    [
      [{ id: 1, replica_groups: [null] }],
      'list 0 in field "replica_groups" of element 0 of the slots must be a list of addresses,' +
        " not nothing",
    ],
    [
      [{ id: 1, replica_groups: [["a:1", 7]] }],
      'a server of list 0 in field "replica_groups" of element 0 of the slots must be a text,' +
        " not 7",
    ],
    [
      [{ id: 1, replica_groups: { a: 1 } }],
      'field "replica_groups" of element 0 of the slots must be a list, not an object',
    ],
  ];
  for (const [json, cause] of cases) expect(causeOf(json)).toBe(`InvalidRecord: ${cause}`);
});

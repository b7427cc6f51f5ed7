import { expect, test } from "bun:test";
import { SessionBoard } from "./session-board.ts";

/** Imported by the other process. */
const SOURCE = new URL("session-board.ts", import.meta.url).pathname;

test("the board adds up the sessions of all workers", () => {
  const board = SessionBoard.create(3);
  board.set(0, 5);
  board.set(2, 7);
  expect(board.total()).toBe(12);
  board.set(0, 0);
  expect(board.total()).toBe(7);
  board.close();
});

test("another process sees what a worker wrote", async () => {
  const board = SessionBoard.create(2);
  board.set(0, 41);
  const child = Bun.spawn(
    [
      process.execPath,
      "-e",
      `import { SessionBoard } from ${JSON.stringify(SOURCE)};
       const board = SessionBoard.inherit(2);
       board.set(1, board.total() + 1);`,
    ],
    { stdio: ["ignore", "inherit", "inherit", board.fd, board.fd] },
  );
  expect(await child.exited).toBe(0);
  expect(board.total()).toBe(41 + 42);
  board.close();
});

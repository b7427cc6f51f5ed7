import { expect, test } from "bun:test";
import { join } from "node:path";
import { ChildProcess } from "../lib/child-process.ts";
import { tempDir } from "../../tests/harness/temp-dir.ts";
import { until } from "../../tests/harness/until.ts";
import { KeptProgram } from "./keep-running.ts";

function shell(dir: string, script: string): ChildProcess {
  return new ChildProcess({ command: ["sh", "-c", script], logFile: join(dir, "log") });
}

test("a program that dies is started again, and says so", async () => {
  using dir = tempDir();
  const said: string[] = [];
  const start = async (): Promise<ChildProcess> => shell(dir.path, "exec sleep 60");
  const role = { title: "It", start, shortLifeMs: 0 };
  const fail = (error: Error): void => void said.push(error.message);
  const kept = await KeptProgram.start(role, { say: (line) => said.push(line), fail });
  const first = kept.child.pid;
  kept.child.signal("SIGKILL");
  await until(() => kept.child.pid !== first);
  expect(said).toEqual(["It ended with signal SIGKILL; starting it again."]);
  await kept.stop(1000);
  expect(kept.child.isRunning).toBe(false);
  expect(said.length).toBe(1);
});

test("a program that dies soon after its start is given up with the end of its log", async () => {
  using dir = tempDir();
  const failed = Promise.withResolvers<Error>();
  const start = async (): Promise<ChildProcess> => shell(dir.path, "echo no disk; exit 3");
  await KeptProgram.start({ title: "It", start }, { say() {}, fail: failed.resolve });
  expect((await failed.promise).message).toBe(
    "It ended with status 3 soon after its start; its log ends:\nno disk",
  );
});

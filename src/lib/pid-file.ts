// The file that tells others the process id of a running program. Trouble with it never stops one.

import { unlinkSync, writeFileSync } from "node:fs";
import { log } from "./log.ts";

export function writePidFile(file: string | null): void {
  if (file === null) return;
  try {
    writeFileSync(file, `${process.pid}\n`);
  } catch (error) {
    log.warn(`the pid file ${file} cannot be written`, error);
  }
}

export function removePidFile(file: string | null): void {
  if (file === null) return;
  try {
    unlinkSync(file);
  } catch (error) {
    log.warn(`the pid file ${file} cannot be removed`, error);
  }
}

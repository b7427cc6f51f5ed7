// Files that a crash cannot leave half written: a text is on the disk before it has its name, and a
// name before the call returns.

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf } from "../lib/operator-error.ts";

export const DIRECTORY_MODE = 0o755;
const DATA_MODE = 0o600;

/** Null when there is no such file, or it is a directory. */
export function readText(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EISDIR"].includes(codeOf(error))) return null;
    throw error;
  }
}

/** Sorted; empty when there is no such directory. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(error))) return [];
    throw error;
  }
}

/** A new file; its name is on the disk only after `syncDirectory`. */
export async function writeDurably(file: string, text: string): Promise<void> {
  const handle = await open(file, "wx", DATA_MODE);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The new directory's name is on the disk before anything in it is. */
export function makeDirectory(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = dirname(folder);
  makeDirectory(parent);
  mkdirSync(folder, { mode: DIRECTORY_MODE, recursive: true });
  syncDirectory(parent);
}

export function syncDirectory(folder: string): void {
  let fd: number;
  try {
    fd = openSync(folder, "r");
  } catch (error) {
    // What was removed from a directory that does not exist needs no disk.
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes or replaces a file that only one program writes. */
export async function replaceDurably(file: string, text: string): Promise<void> {
  const folder = dirname(file);
  makeDirectory(folder);
  const draft = `${file}.${process.pid}`;
  await writeDurably(draft, text);
  renameSync(draft, file);
  syncDirectory(folder);
}

// How this program starts itself again, with other arguments. Run from a clone it is Bun and the
// entry file; compiled into one file it is that file alone.
import { fileURLToPath } from "node:url";

/** Where Bun keeps the files that are embedded in a compiled program. */
const EMBEDDED_FOLDER = "/$bunfs/";

export function ownCommand(): string[] {
  if (import.meta.path.startsWith(EMBEDDED_FOLDER)) return [process.execPath];
  const main = fileURLToPath(new URL("../main.ts", import.meta.url));
  // Neither packages from the network nor settings from an .env file that happens to lie around.
  return [process.execPath, "--no-install", "--no-env-file", main];
}

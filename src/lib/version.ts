// What the program says of itself: `--version`, the overview of the admin API and the metrics.

import manifest from "../../package.json" with { type: "json" };

/** The version of the package, such as "4.0.0". */
export const VERSION: string = manifest.version;

/** How this program came to be: the runtime that executes it, and the platform. */
export const COMPILE = `by bun version ${process.versions.bun} ${process.platform}/${process.arch}`;

/** The two lines of `--version`. */
export function versionText(): string {
  return `version: ${VERSION}\ncompile: ${COMPILE}\n`;
}

// Shows something once, or again every second until Ctrl-C or until there is nothing more to see.

import { OperatorError } from "../lib/operator-error.ts";
import type { Call, Command } from "./command.ts";
import { type Screen, stdout } from "./print.ts";
import { type Summary, summarize } from "./summary.ts";

const PERIOD_MS = 1000;

export interface View<T> {
  readonly fetch: () => Promise<T>;
  readonly render: (data: T) => string[];
  /** What --json prints, when it is not the data itself. */
  readonly json?: (data: T) => unknown;
  /** With --watch: true when this was the last picture. */
  readonly isOver?: (data: T) => boolean;
}

/** The `run` of a command that shows the product, or a part of it. */
export function showSummary(
  render: (screen: Screen, summary: Summary) => string[],
  json?: (summary: Summary) => unknown,
): Command["run"] {
  return async (call) => {
    const link = await call.dashboard();
    await show(call, {
      fetch: async () => summarize(await link.overview(), link.address),
      render: (summary) => render(call.out, summary),
      ...(json === undefined ? {} : { json }),
    });
  };
}

export async function show<T>(call: Call, view: View<T>): Promise<void> {
  if (!call.given.has("watch")) {
    print(call, view, await view.fetch());
    return;
  }
  for (;;) {
    try {
      const data = await view.fetch();
      print(call, view, data);
      if (view.isOver?.(data)) return;
    } catch (error) {
      // A dashboard that is being started again comes back.
      if (!(error instanceof OperatorError) || !stdout.isTerminal) throw error;
      stdout.redraw([stdout.paint("red", error.message)]);
    }
    await Bun.sleep(PERIOD_MS);
  }
}

function print<T>(call: Call, view: View<T>, data: T): void {
  const value = view.json?.(data) ?? data;
  if (call.given.has("json")) {
    // Watched, one picture a line: that is what other programs can follow.
    if (call.given.has("watch")) call.out.line(JSON.stringify(value));
    else call.out.json(value);
  } else if (call.given.has("watch")) call.out.redraw(view.render(data));
  else call.out.lines(view.render(data));
}

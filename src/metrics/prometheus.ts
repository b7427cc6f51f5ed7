// Writes the text format that Prometheus scrapes (version 0.0.4): each metric once with its help
// and type, followed by all its samples.

import type { Metric } from "./registry.ts";

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

type Labels<Label extends string> = Readonly<Record<Label, string>>;

/** Counts per bucket, each with an upper bound in the unit of the metric. */
export interface Histogram {
  /** Increasing; the last bucket may be Infinity. */
  readonly bounds: readonly number[];
  /** Calls in each bucket alone. */
  readonly counts: readonly number[];
  readonly sum: number;
}

export class PrometheusText {
  readonly #lines = new Map<Metric<string>, string[]>();

  add<Label extends string>(metric: Metric<Label>, labels: Labels<Label>, value: number): void {
    this.#linesOf(metric).push(`${metric.name}${labelText(labels)} ${numberText(value)}`);
  }

  histogram<Label extends string>(
    metric: Metric<Label>,
    labels: Labels<Label>,
    { bounds, counts, sum }: Histogram,
  ): void {
    const lines = this.#linesOf(metric);
    let total = 0;
    for (let i = 0; i < counts.length; i++) {
      total += counts[i];
      if (bounds[i] === undefined || bounds[i] === Infinity) continue;
      const le = numberText(bounds[i]);
      lines.push(`${metric.name}_bucket${labelText({ ...labels, le })} ${total}`);
    }
    lines.push(`${metric.name}_bucket${labelText({ ...labels, le: "+Inf" })} ${total}`);
    lines.push(`${metric.name}_sum${labelText(labels)} ${numberText(sum)}`);
    lines.push(`${metric.name}_count${labelText(labels)} ${total}`);
  }

  toString(): string {
    let text = "";
    for (const [metric, lines] of this.#lines) {
      text += `# HELP ${metric.name} ${escaped(metric.help)}\n`;
      text += `# TYPE ${metric.name} ${metric.kind}\n${lines.join("\n")}\n`;
    }
    return text;
  }

  #linesOf(metric: Metric<string>): string[] {
    let lines = this.#lines.get(metric);
    if (lines === undefined) {
      lines = [];
      this.#lines.set(metric, lines);
    }
    return lines;
  }
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(
    ([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`,
  );
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Infinity) return "+Inf";
  return Number.isNaN(value) ? "NaN" : String(value);
}

// The JSON dialect of the control protocol: how records are written (four spaces, HTML-escaped, a
// field that is `undefined` is left out) and how foreign records are read: field by field, with a
// sentence that names the place when something is of the wrong type. Field names match in any
// letter case and unknown fields are ignored, as the original programs do; a field that is null
// counts as absent.

/** A record from outside that is not what it should be; the message names element and field. */
export class InvalidRecord extends Error {
  override readonly name = "InvalidRecord";
}

const HTML_ESCAPES: Readonly<Record<string, string>> = {
  "&": "\\u0026",
  "<": "\\u003c",
  ">": "\\u003e",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
};

/** The text of a body or of a stored node. Outside of strings none of those characters occur. */
export function encodeJson(value: unknown): string {
  const text = JSON.stringify(value, null, 4) ?? "null";
  return text.replace(/[&<>\u2028\u2029]/g, (char) => HTML_ESCAPES[char]);
}

/** Parses a body; the error says what is wrong with it and never shows more than its begin. */
export function decodeJson(text: string): unknown {
  if (text.trim() === "") throw new InvalidRecord("the body is empty, JSON is required");
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 100) : "unreadable";
    throw new InvalidRecord(`the body is not JSON: ${why}`);
  }
}

/** Reads one JSON object; `where` names it in errors ("element 3 of the slots"). */
export class RecordReader {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(
    value: unknown,
    readonly where: string,
  ) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new InvalidRecord(`${where} must be an object, not ${describe(value)}`);
    }
    this.#fields = value as Readonly<Record<string, unknown>>;
  }

  /**
   * By its exact name, or in another letter case. Without a map of its own for each record: a push
   * of all slots is ten thousand fields, and requests wait for it.
   */
  #get(name: string): unknown {
    const exact = this.#fields[name];
    if (exact !== undefined) return exact;
    for (const other in this.#fields) {
      if (other.length === name.length && other.toLowerCase() === name) return this.#fields[other];
    }
    return undefined;
  }

  /** True when the field is there with a value. */
  has(name: string): boolean {
    return (this.#get(name) ?? null) !== null;
  }

  /** An integer in the bounds; undefined when absent. */
  integer(name: string, min: number, max: number): number | undefined {
    const value = this.#get(name) ?? null;
    if (value === null) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      throw this.#wrong(name, `an integer from ${min} to ${max}`, value);
    }
    return value;
  }

  /** As `integer`, for a field that must be there. */
  requiredInteger(name: string, min: number, max: number): number {
    const value = this.integer(name, min, max);
    if (value === undefined) throw this.#wrong(name, `an integer from ${min} to ${max}`, null);
    return value;
  }

  boolean(name: string): boolean | undefined {
    const value = this.#get(name) ?? null;
    if (value === null) return undefined;
    if (typeof value !== "boolean") throw this.#wrong(name, "true or false", value);
    return value;
  }

  text(name: string): string | undefined {
    const value = this.#get(name) ?? null;
    if (value === null) return undefined;
    if (typeof value !== "string") throw this.#wrong(name, "a text", value);
    return value;
  }

  /** The elements of a list, unread; undefined when absent. */
  list(name: string): readonly unknown[] | undefined {
    const value = this.#get(name) ?? null;
    if (value === null) return undefined;
    if (!Array.isArray(value)) throw this.#wrong(name, "a list", value);
    return value;
  }

  /** A nested object, to be read field by field. */
  record(name: string): RecordReader | undefined {
    if (!this.has(name)) return undefined;
    return new RecordReader(this.#get(name), `field "${name}" of ${this.where}`);
  }

  /** One of some texts; undefined when absent or empty. */
  choice<const Choice extends string>(
    name: string,
    choices: readonly Choice[],
  ): Choice | undefined {
    const text = this.text(name) ?? "";
    if (text === "") return undefined;
    const found = choices.find((each) => each === text);
    if (found === undefined) throw this.#wrong(name, `one of ${choices.join(", ")}`, text);
    return found;
  }

  /** The elements of a body that is a list; `where` names the list in errors. */
  static elements(value: unknown, where: string): readonly unknown[] {
    if (Array.isArray(value)) return value;
    throw new InvalidRecord(`${where} must be a list, not ${describe(value)}`);
  }

  #wrong(name: string, wanted: string, value: unknown): InvalidRecord {
    return new InvalidRecord(
      `field "${name}" of ${this.where} must be ${wanted}, not ${describe(value)}`,
    );
  }
}

/** A foreign value in a few words, for an error message. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

// What a route is, and the types that follow from one: the parameters in its path, what its handler
// gets and returns, what a client of it passes and receives. Types and small pure functions only;
// the tables are in `routes.ts`.

export type Method = "GET" | "PUT";

/**
 * One row of a route table. `Body` is what its reader makes of the request, `Reply` what the
 * handler returns: a value for JSON, or a `PlainReply` or `Redirect` for the few routes that speak
 * no JSON.
 */
export interface Route<Path extends string, Body, Reply> {
  readonly method: Method;
  /**
   * Segments that begin with a colon are parameters; `:xauth` is checked before the handler runs.
   */
  readonly path: Path;
  /** Reads the decoded JSON body and throws `InvalidRecord`; routes without a body ignore one. */
  readonly body?: (json: unknown) => Body;
  /** Full sentences for docs/admin-api.md. */
  readonly doc: string;
  /** In words, for the documentation. */
  readonly takes?: string;
  readonly answers: string;
  /** Never set; carries the type. */
  readonly reply?: Reply;
}

export type AnyRoute = Route<string, unknown, unknown>;
export type RouteTable = Readonly<Record<string, AnyRoute>>;

/** Names of the parameters of a path: "xauth" | "flags". */
export type ParamsOf<Path extends string> = Path extends `${infer Head}/${infer Tail}`
  ? ParamOf<Head> | ParamsOf<Tail>
  : ParamOf<Path>;
type ParamOf<Segment extends string> = Segment extends `:${infer Name}` ? Name : never;

/** What a handler gets. */
export interface Call<Path extends string, Body> {
  readonly params: Readonly<Record<ParamsOf<Path>, string>>;
  readonly body: Body;
}

export type BodyOf<R> = R extends Route<string, infer Body, unknown> ? Body : never;
export type ReplyOf<R> = R extends Route<string, unknown, infer Reply> ? Reply : never;
export type PathOf<R> = R extends Route<infer Path, unknown, unknown> ? Path : never;

export type Handler<R> = (call: Call<PathOf<R>, BodyOf<R>>) => ReplyOf<R> | Promise<ReplyOf<R>>;
export type Handlers<Table extends RouteTable> = {
  readonly [Name in keyof Table]: Handler<Table[Name]>;
};

/** `route<Reply>()({ method, path, ... })`: the reply is named, everything else is inferred. */
export function route<Reply>() {
  return <const Path extends string, Body = undefined>(
    row: Route<Path, Body, Reply>,
  ): Route<Path, Body, Reply> => row;
}

/** An answer that is not JSON. */
export class PlainReply {
  constructor(
    readonly text: string,
    readonly contentType = "text/plain; charset=utf-8",
    readonly status = 200,
  ) {}
}

export class Redirect {
  constructor(readonly location: string) {}
}

/** What commands without a result answer. */
export type Ok = "OK";

/** A page of documentation: the introduction, then each route with what it takes and answers. */
export function routesPage(introduction: string, routes: RouteTable): string {
  const parts = [introduction];
  for (const row of Object.values(routes)) {
    const takes = row.takes === undefined ? "" : `\n- Takes: ${row.takes}.`;
    parts.push(`### ${row.method} ${row.path}`, row.doc, `- Answers: ${row.answers}.${takes}`);
  }
  return `${parts.join("\n\n")}\n`;
}

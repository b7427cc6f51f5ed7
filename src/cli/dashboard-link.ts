/**
 * The way to a dashboard: learns the product's name, computes the xauth, calls routes. Works with
 * the dashboard of the original as well, except for the routes that are ours. Every failure is an
 * `OperatorError` of one sentence with the next step.
 */
import { callRoute, RemoteError } from "../api/client.ts";
import { DASHBOARD_ROUTES, type TopomOverview } from "../api/dashboard-routes.ts";
import type { AnyRoute, BodyOf, ParamsOf, PathOf, ReplyOf } from "../api/route.ts";
import { parseAddress } from "../lib/address.ts";
import { log } from "../lib/log.ts";
import { OperatorError } from "../lib/operator-error.ts";
import type { TopomStats } from "../model/topom-stats.ts";
import { xauthOf } from "../model/xauth.ts";
import { explain } from "./explain.ts";

export const DEFAULT_DASHBOARD = "127.0.0.1:18080";
const HELLO_TIMEOUT_MS = 5_000;

/** The parameters of a route that a caller gives; the xauth is ours. */
export type DashboardParams<R extends AnyRoute> = Readonly<
  Record<Exclude<ParamsOf<PathOf<R>>, "xauth">, string | number>
>;

export class DashboardLink {
  readonly product: string;
  readonly #xauth: string;

  private constructor(
    readonly address: string,
    product: string,
  ) {
    this.product = product;
    this.#xauth = xauthOf(product);
  }

  /** The first of several that leads; `addresses` have commas between them. */
  static async openLeader(addresses: string): Promise<DashboardLink> {
    const all = addresses.split(",").map((address) => address.trim());
    if (all.length === 1) return await DashboardLink.open(all[0]);
    const refusals: string[] = [];
    for (const address of all) {
      try {
        const link = await DashboardLink.open(address);
        await link.stats();
        return link;
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        refusals.push(error.message);
      }
    }
    throw new OperatorError(`no dashboard can be used: ${refusals.join("; ")}`);
  }

  /** Throws when nobody answers there, or somebody else. */
  static async open(address: string): Promise<DashboardLink> {
    if (parseAddress(address) === null) {
      throw new OperatorError(`'${address}' is not an address: write --dashboard=HOST:PORT`);
    }
    const params = {};
    const model = await answered(address, DASHBOARD_ROUTES.model, params, HELLO_TIMEOUT_MS);
    const product: unknown = model.product_name;
    if (typeof product !== "string" || product === "") {
      throw new OperatorError(`at ${address} is no dashboard: it names no product`);
    }
    const link = new DashboardLink(address, product);
    const xauth = { xauth: xauthOf(product) };
    await answered(address, DASHBOARD_ROUTES.xping, xauth, HELLO_TIMEOUT_MS);
    return link;
  }

  async call<R extends AnyRoute>(
    route: R,
    params: DashboardParams<R>,
    body?: BodyOf<R>,
  ): Promise<ReplyOf<R>> {
    const texts = Object.entries<string | number>(params).map(([name, value]) => {
      return [name, String(value)];
    });
    const all = { ...Object.fromEntries(texts), xauth: this.#xauth };
    return await answered(this.address, route, all, undefined, body);
  }

  async stats(): Promise<TopomStats> {
    return await this.call(DASHBOARD_ROUTES.stats, {});
  }

  async overview(): Promise<TopomOverview> {
    return await this.call(DASHBOARD_ROUTES.overview, {});
  }
}

async function answered<R extends AnyRoute>(
  address: string,
  route: R,
  params: Readonly<Record<string, string>>,
  timeoutMs?: number,
  body?: BodyOf<R>,
): Promise<ReplyOf<R>> {
  log.debug(`call of ${route.method} ${route.path} at ${address}`);
  try {
    // `OwnParams` has made sure that every parameter of the path is there.
    const complete = params as Readonly<Record<ParamsOf<PathOf<R>>, string>>;
    return await callRoute(address, route, { params: complete, body, timeoutMs });
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    if (error.reason.includes("not online")) throw await standingBy(address, error);
    throw explain("dashboard", address, error);
  }
}

/** A dashboard of ours says on /readyz whom it waits for. */
async function standingBy(address: string, error: RemoteError): Promise<OperatorError> {
  try {
    const signal = AbortSignal.timeout(HELLO_TIMEOUT_MS);
    const response = await fetch(`http://${address}/readyz`, { signal });
    const reason = (await response.text()).trim();
    if (response.status !== 503 || reason === "") return explain("dashboard", address, error);
    return new OperatorError(`the dashboard at ${address} does not lead its product: ${reason}`);
  } catch {
    return explain("dashboard", address, error);
  }
}

/**
 * The way to one proxy, around the dashboard. The xauth needs the product's password; what only
 * reads uses routes that want none, like the original.
 */
import { callRoute, RemoteError } from "../api/client.ts";
import type { AnyRoute, BodyOf, ParamsOf, PathOf, ReplyOf } from "../api/route.ts";
import { PROXY_ROUTES, type ProxyOverview } from "../api/routes.ts";
import { parseAddress } from "../lib/address.ts";
import { log } from "../lib/log.ts";
import { OperatorError } from "../lib/operator-error.ts";
import { xauthOf } from "../model/xauth.ts";
import { explain } from "./explain.ts";

type OwnParams<R extends AnyRoute> = Readonly<
  Record<Exclude<ParamsOf<PathOf<R>>, "xauth">, string>
>;

export class ProxyLink {
  #xauth = "";

  /** `productAuth` is looked at only by calls that change something. */
  constructor(
    readonly address: string,
    readonly productAuth: string,
  ) {
    if (parseAddress(address) === null) {
      throw new OperatorError(`'${address}' is not an address: write HOST:PORT of its admin API`);
    }
  }

  async overview(): Promise<ProxyOverview> {
    return await this.#answered(PROXY_ROUTES.overview, {});
  }

  /** A call that wants the xauth, which is checked first. */
  async call<R extends AnyRoute>(
    route: R,
    params: OwnParams<R>,
    body?: BodyOf<R>,
  ): Promise<ReplyOf<R>> {
    if (this.#xauth === "") await this.#login();
    return await this.#answered(route, { ...params, xauth: this.#xauth }, body);
  }

  async #login(): Promise<void> {
    const { product_name, token } = await this.#answered(PROXY_ROUTES.model, {});
    const xauth = xauthOf(product_name, this.productAuth, token);
    await this.#answered(PROXY_ROUTES.xping, { xauth });
    this.#xauth = xauth;
  }

  async #answered<R extends AnyRoute>(
    route: R,
    params: Readonly<Record<string, string>>,
    body?: BodyOf<R>,
  ): Promise<ReplyOf<R>> {
    log.debug(`call of ${route.method} ${route.path} at ${this.address}`);
    try {
      const complete = params as Readonly<Record<ParamsOf<PathOf<R>>, string>>;
      return await callRoute(this.address, route, { params: complete, body });
    } catch (error) {
      throw error instanceof RemoteError ? explain("proxy", this.address, error) : error;
    }
  }
}

// The operator's commands on proxies (contract 6.8). A proxy is stored first and told afterwards:
// when telling fails it stays known, and the keeper brings it up as soon as it answers.

import { ApiError } from "../api/errors.ts";
import { callRoute, RemoteError } from "../api/client.ts";
import { PROXY_ROUTES } from "../api/routes.ts";
import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";
import { parseProxyModel, type ProxyModel } from "../model/proxy.ts";
import type { ProxyFleet } from "./fleet.ts";
import type { Change, Product } from "./product.ts";
import { ProxyLink } from "./proxy-link.ts";

const CALL_TIMEOUT_MS = 5_000;

/** A proxy that is to end lets requests in flight finish; after so long it is shut out. */
const END_PATIENCE_MS = 5_000;
const END_POLL_MS = 50;
const END_QUESTION_MS = 1_000;

/** So many removed proxies are remembered, because a record may not grow without end. */
const MAX_SHUT_OUT = 1_000;

/** A product with the fleet as a whole, which other commands need not know. */
export type ProductOfProxies = Product & { readonly fleet: ProxyFleet };

/** Takes a proxy in, by its admin address; refuses one that is known. */
export async function createProxy(product: ProductOfProxies, address: string): Promise<void> {
  const found = await fetchModel(product, address);
  await product.exclusive(`create proxy ${address}`, async () => {
    const { proxies } = product.records;
    if (proxies.has(found.token)) {
      throw new ApiError("bad-request", `proxy-[${found.token}] already exists`);
    }
    mustServeMoves(product, found);
    await product.records.save(...takenIn(product, found));
  });
  await bringUp(product, found.token);
}

/** The same for one that may be known: it keeps its id, and gets everything anew. */
export async function onlineProxy(product: ProductOfProxies, address: string): Promise<void> {
  const found = await fetchModel(product, address);
  await product.exclusive(`online proxy ${address}`, async () => {
    mustServeMoves(product, found);
    await product.records.amend(() => takenIn(product, found));
  });
  await bringUp(product, found.token);
}

/** Slots that move by MIGRATE are nothing for a proxy of the original: see `jobs.ts`. */
function mustServeMoves({ records }: Product, found: ProxyModel): void {
  const job = [...records.jobs.values()].find(({ method }) => method === "keys");
  if (found.fencing === true || job === undefined) return;
  throw new ApiError(
    "not-ready",
    `proxy@${found.admin_addr} is one of the original, which cannot serve the slots that job ` +
      `${job.id} moves by MIGRATE: add it when the migration has ended`,
  );
}

/** One that is shut out stays so until it has the slots: it may have those of long ago. */
function takenIn({ records }: Product, found: ProxyModel): Change[] {
  const { proxies, options } = records;
  const known = proxies.get(found.token);
  const id = known?.id ?? nextId(proxies.values());
  if (!options.shut_out.includes(found.token)) {
    return [{ proxy: { ...found, id, fenced: known?.fenced } }];
  }
  const shut_out = options.shut_out.filter((token) => token !== found.token);
  // In this order: what is read after a crash in between is that it is shut out.
  return [{ proxy: { ...found, id, fenced: true } }, { options: { ...options, shut_out } }];
}

/** Sends a proxy everything and puts it online. */
export async function reinitProxy(product: ProductOfProxies, token: string): Promise<void> {
  requireLink(product, token);
  await bringUp(product, token);
}

/**
 * Shuts a proxy down, and forgets it when it has ended: as long as it finishes requests it acts on
 * what it knows of the slots. With force also one that cannot be reached: it is shut out of the
 * servers first, and stays so, because it may live on where nobody sees it.
 */
export async function removeProxy(
  product: ProductOfProxies,
  token: string,
  isForced: boolean,
): Promise<void> {
  const link = requireLink(product, token);
  let mayLiveOn = false;
  try {
    await link.shutdown(CALL_TIMEOUT_MS);
    mayLiveOn = !(await ends(link));
    if (mayLiveOn && !link.isLegacy) await product.fleet.shutOut(link);
  } catch (error) {
    if (!isForced) {
      throw new ApiError(
        "bad-gateway",
        `proxy-[${token}] shutdown failed: ${messageOf(error)}; force removes it all the same`,
      );
    }
    log.warn(`proxy-[${token}] is removed although its shutdown failed: ${messageOf(error)}`);
    mayLiveOn = true;
    if (!link.isLegacy) await shutOut(product, link);
  }
  await product.exclusive(`remove proxy ${token}`, async () => {
    await product.records.amend(() => {
      const { proxies, options } = product.records;
      if (!proxies.has(token)) return [];
      if (!mayLiveOn || link.isLegacy) return [{ removedProxy: token }];
      const shut_out = [...options.shut_out.filter((each) => each !== token), token];
      const kept = shut_out.slice(-MAX_SHUT_OUT);
      return [{ options: { ...options, shut_out: kept } }, { removedProxy: token }];
    });
  });
  log.info(`proxy-[${token}] at ${link.model.admin_addr} is removed`);
}

/** False when it still answers after a while. */
async function ends(link: ProxyLink): Promise<boolean> {
  const deadlineMs = performance.now() + END_PATIENCE_MS;
  while (performance.now() < deadlineMs) {
    try {
      await link.ping(END_QUESTION_MS);
    } catch (error) {
      if (error instanceof RemoteError && error.trouble === "unreachable") return true;
    }
    await Bun.sleep(END_POLL_MS);
  }
  return false;
}

async function shutOut(product: ProductOfProxies, link: ProxyLink): Promise<void> {
  try {
    await product.fleet.shutOut(link);
  } catch (error) {
    // The operator has said that the proxy is dead, and that weighs more than a server that is too.
    log.warn(`${link.name} is not shut out everywhere: ${messageOf(error)}`);
  }
}

async function bringUp(product: ProductOfProxies, token: string): Promise<void> {
  await product.fleet.bringUp(requireLink(product, token));
}

function requireLink(product: ProductOfProxies, token: string): ProxyLink {
  const link = product.fleet.link(token);
  if (link === undefined) throw new ApiError("bad-request", `proxy-[${token}] doesn't exist`);
  return link;
}

/** The model of the proxy at that address, once it has proved that it is of this product. */
async function fetchModel(product: Product, address: string): Promise<ProxyModel> {
  const { productName, productAuth } = product.config;
  let model: ProxyModel;
  try {
    const options = { params: {}, timeoutMs: CALL_TIMEOUT_MS };
    const reply = await callRoute(address, PROXY_ROUTES.model, options);
    model = parseProxyModel(reply, "the proxy's model");
  } catch (error) {
    throw new ApiError("bad-gateway", `proxy@${address} fetch model failed, ${messageOf(error)}`);
  }
  if (model.product_name !== productName) {
    throw new ApiError(
      "bad-request",
      `proxy@${address} belongs to the product '${model.product_name}', not '${productName}'`,
    );
  }
  const link = new ProxyLink(model, productAuth);
  try {
    await link.ping(CALL_TIMEOUT_MS);
  } catch (error) {
    throw new ApiError("bad-gateway", `proxy@${address} check xauth failed, ${messageOf(error)}`);
  }
  const stats = await link.askStats();
  const isOurs = stats !== null && ProxyLink.knowsFence(stats);
  const { id: _, fenced: __, fencing: ___, ...rest } = model;
  return isOurs ? { ...rest, fencing: true } : rest;
}

function nextId(proxies: Iterable<ProxyModel>): number {
  let highest = 0;
  for (const { id = 0 } of proxies) highest = Math.max(highest, id);
  return highest + 1;
}

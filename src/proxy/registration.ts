// Registers the proxy at a dashboard (contract 2.1): looks whether the dashboard serves the same
// product and asks it to take this proxy in. The dashboard then calls back into the admin API,
// fills the slots and puts the proxy online. Where it is, `find-dashboard.ts` knows.

import { callRoute } from "../api/client.ts";
import { readTopomModel, REGISTRATION_ROUTES } from "../api/routes.ts";
import { log } from "../lib/log.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import { xauthOf } from "../model/xauth.ts";
import type { DashboardSource } from "./find-dashboard.ts";

const PAUSE_MS = 3_000;

export interface Registration {
  readonly source: DashboardSource;
  readonly productName: string;
  readonly adminAddr: string;
  /** Attempts end when the proxy is online or closed, whoever saw to that. */
  readonly isWanted: () => boolean;
  readonly pauseMs?: number;
}

/** Another attempt would not help. */
class WrongProduct extends OperatorError {}

/** Throws `OperatorError` when the product is another one or every attempt failed. */
export async function register(options: Registration): Promise<void> {
  const { source, productName, isWanted } = options;
  let why = "";
  for (let attempt = 1; attempt <= source.attempts && isWanted(); attempt++) {
    if (attempt > 1) await pause(options.pauseMs ?? PAUSE_MS, isWanted);
    if (!isWanted()) return;
    try {
      const dashboard = await source.find();
      await attemptOnce(dashboard, options);
      log.info(`registered at the dashboard ${dashboard} of product ${productName}`);
      return;
    } catch (error) {
      if (error instanceof WrongProduct) throw error;
      why = messageOf(error);
      log.warn(`attempt ${attempt} of ${source.attempts} to register failed: ${why}`);
    }
  }
  if (isWanted()) {
    throw new OperatorError(`online proxy failed: ${source.what} did not help; ${why}`);
  }
}

async function attemptOnce(dashboard: string, options: Registration): Promise<void> {
  const { productName, adminAddr } = options;
  const reply = await callRoute(dashboard, REGISTRATION_ROUTES.topomModel, { params: {} });
  const topom = readTopomModel(reply);
  if (topom.product_name !== productName) {
    throw new WrongProduct(
      `the dashboard ${dashboard} serves the product '${topom.product_name}', ` +
        `this proxy belongs to '${productName}'`,
    );
  }
  const params = { xauth: xauthOf(productName), addr: adminAddr };
  await callRoute(dashboard, REGISTRATION_ROUTES.onlineProxy, { params });
}

/** Sleeps in short steps, so that a proxy that is closed does not wait for a dashboard. */
async function pause(totalMs: number, isWanted: () => boolean): Promise<void> {
  const endMs = performance.now() + totalMs;
  while (isWanted() && performance.now() < endMs) await Bun.sleep(Math.min(100, totalMs));
}

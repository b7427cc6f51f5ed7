// Where the coordinator keeps what (contract 5.2): the paths of the original, and ours behind them.
// Pure functions from names to paths; who reads or writes there knows the record.

/** Its children are the names of the products. */
export const PRODUCTS_PATH = "/codis3";

export function productPath(product: string): string {
  return `${PRODUCTS_PATH}/${product}`;
}

/** The Topom model of the dashboard that leads. */
export function leaderPath(product: string): string {
  return `${productPath(product)}/topom`;
}

export function slotsPath(product: string): string {
  return `${productPath(product)}/slots`;
}

export function slotPath(product: string, slot: number): string {
  return `${slotsPath(product)}/slot-${String(slot).padStart(4, "0")}`;
}

export function groupsPath(product: string): string {
  return `${productPath(product)}/group`;
}

export function groupPath(product: string, group: number): string {
  return `${groupsPath(product)}/group-${String(group).padStart(4, "0")}`;
}

export function proxiesPath(product: string): string {
  return `${productPath(product)}/proxy`;
}

export function proxyPath(product: string, token: string): string {
  return `${proxiesPath(product)}/proxy-${token}`;
}

export function sentinelPath(product: string): string {
  return `${productPath(product)}/sentinel`;
}

/** Ours: the jobs of the migration. */
export function jobsPath(product: string): string {
  return `${productPath(product)}/jobs`;
}

export function jobPath(product: string, job: number): string {
  return `${jobsPath(product)}/job-${String(job).padStart(6, "0")}`;
}

/** Ours: what the operator set and a restart must not forget. */
export function optionsPath(product: string): string {
  return `${productPath(product)}/options`;
}

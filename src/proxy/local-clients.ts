/**
 * The clients of one worker as CLIENT LIST prints and CLIENT KILL ends them. A command asks all
 * workers through the parent; each worker answers with `listClients` and `killClients` over its
 * own sessions.
 */
import type { ClientFilter, ClientRow, LocalSession } from "./local-types.ts";

export const EVERY_CLIENT: ClientFilter = {
  ids: null,
  address: null,
  localAddress: null,
  user: null,
  type: null,
  exceptId: null,
};

export function listClients(
  sessions: Iterable<LocalSession>,
  filter: ClientFilter,
  nowMs: number,
): ClientRow[] {
  const rows: ClientRow[] = [];
  for (const session of sessions) {
    if (clientMatches(session, filter)) {
      rows.push({ id: session.id, line: clientLine(session, nowMs) });
    }
  }
  return rows;
}

/** Ends every session that matches and says how many these were. */
export function killClients(sessions: Iterable<LocalSession>, filter: ClientFilter): number {
  // Closing takes sessions out of the collection being walked, so they are picked first.
  const doomed: LocalSession[] = [];
  for (const session of sessions) {
    if (clientMatches(session, filter)) doomed.push(session);
  }
  for (const session of doomed) session.close();
  return doomed.length;
}

export function clientMatches(session: LocalSession, filter: ClientFilter): boolean {
  if (filter.exceptId !== null && session.id === filter.exceptId) return false;
  if (filter.ids !== null && !filter.ids.includes(session.id)) return false;
  if (filter.address !== null && session.address !== filter.address) return false;
  if (filter.localAddress !== null && session.localAddress !== filter.localAddress) return false;
  if (filter.user !== null && session.user !== filter.user) return false;
  return filter.type === null || filter.type === "normal";
}

/**
 * The fields of Redis 7.0 in its order, and the two of 7.2 behind them. Fields that have no meaning
 * in a proxy hold what they hold for an idle client in Redis; `fd` is not known here.
 */
export function clientLine(session: LocalSession, nowMs: number): string {
  const age = seconds(nowMs - session.createdMs);
  const idle = seconds(nowMs - session.lastActiveMs);
  const input = session.pendingInputBytes;
  const output = session.pendingOutputBytes;
  return (
    `id=${session.id} addr=${session.address} laddr=${session.localAddress} fd=-1 ` +
    `name=${session.name} age=${age} idle=${idle} flags=${flagsOf(session)} ` +
    `db=${session.database} sub=0 psub=0 ssub=0 multi=-1 qbuf=${input} qbuf-free=0 argv-mem=0 ` +
    `multi-mem=0 rbs=0 rbp=0 obl=0 oll=${output > 0 ? 1 : 0} omem=${output} ` +
    `tot-mem=${input + output} events=r cmd=${session.lastCommand || "NULL"} ` +
    `user=${session.user} redir=-1 resp=${session.proto} ` +
    `lib-name=${session.libName} lib-ver=${session.libVersion}`
  );
}

function flagsOf(session: LocalSession): string {
  return (session.noEvict ? "e" : "") + (session.noTouch ? "T" : "") || "N";
}

function seconds(ms: number): number {
  return Math.max(0, Math.floor(ms / 1000));
}

// Many clients at once.
//
//   using sessions = await connectMany(proxy.port, 20);
//   for (const client of sessions.clients) client.send(encode("PING"));
import { connect, type RespClient } from "./resp-client.ts";

export interface Sessions extends Disposable {
  readonly clients: readonly RespClient[];
}

export async function connectMany(port: number, count: number): Promise<Sessions> {
  using stack = new DisposableStack();
  const opening = Array.from({ length: count }, () => connect(port));
  const clients = (await Promise.all(opening)).map((client) => stack.use(client));
  const owned = stack.move();
  return { clients, [Symbol.dispose]: () => owned.dispose() };
}

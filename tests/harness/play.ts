// Plays conversations to a server piece by piece, in lockstep, and hands back every byte that came
// before the close. Used where it matters at which byte a read of the server ends.
import { connect, type RespClient } from "./resp-client.ts";

/** What one client sends: each piece arrives in a read of its own. Latin-1 text or bytes. */
export type Pieces = readonly (string | Uint8Array)[];

/** So many connections are open at a time. */
const WIDTH = 400;

/** Redis reads so much from a connection before it turns to the next (PROTO_IOBUF_LEN). */
const READ_SIZE = 16 * 1024;

/**
 * One connection for each conversation. A client that has sent everything closes its side, and what
 * it received up to the server's close is its transcript, as latin-1 text.
 */
export async function play(port: number, conversations: readonly Pieces[]): Promise<string[]> {
  const transcripts: string[] = [];
  for (let from = 0; from < conversations.length; from += WIDTH) {
    transcripts.push(...(await playSome(port, conversations.slice(from, from + WIDTH))));
  }
  return transcripts;
}

async function playSome(port: number, conversations: readonly Pieces[]): Promise<string[]> {
  using fence = await connect(port);
  const clients = await Promise.all(conversations.map(() => connect(port)));
  const longest = Math.max(...conversations.map((pieces) => pieces.length));
  for (let i = 0; i < longest; i++) {
    clients.forEach((client, which) => sendPiece(client, conversations[which][i]));
    while (clients.some((client) => client.isOpen && client.unsentBytes > 0)) await turn();
    // The server reads from each connection in turn, so that it has read so much of every piece
    // when one of these is answered, and all when the last is.
    const size = Math.max(...conversations.map((pieces) => pieces[i]?.length ?? 0));
    for (let read = 0; read <= size; read += READ_SIZE) await fence.call("PING");
  }
  const transcripts = await Promise.all(clients.map(hangUp));
  for (const client of clients) client.reset();
  return transcripts;
}

function sendPiece(client: RespClient, piece: string | Uint8Array | undefined): void {
  if (piece !== undefined && client.isOpen && !client.hasEnded) client.send(piece);
}

function hangUp(client: RespClient): Promise<string> {
  client.shutdown();
  return client.readToEnd();
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

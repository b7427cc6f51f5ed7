// A program of its own, because a loop of the data plane never ends: closes a socket and opens
// another in one turn, and prints the numbers of both descriptors.
//
//   Bun.spawnSync([process.execPath, ONE_TURN]);
import { NativeSocket, type SocketHandler } from "../../src/net/native-socket.ts";
import { Poller } from "../../src/net/poller.ts";
import { inetAddress } from "../../src/net/socket-address.ts";

export const ONE_TURN = import.meta.path;

const ignore = (): void => {};
const SILENT: SocketHandler = {
  ...{ onData: ignore, onDrain: ignore, onEnd: ignore, onClose: ignore },
  onFault: (error) => {
    throw error;
  },
};

function run(): void {
  const poller = new Poller();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: (socket) => void socket.write("hello"), data: ignore },
  });
  const address = inetAddress("127.0.0.1", server.port)!;
  const closed = NativeSocket.connect(poller, address, SILENT)!;
  const onData = (): void => {
    closed.terminate();
    const next = NativeSocket.connect(poller, address, SILENT)!;
    process.stdout.write(`${closed.fd} ${next.fd}\n`);
    process.exit(0);
  };
  NativeSocket.connect(poller, address, { ...SILENT, onData });
  poller.start();
}

if (import.meta.main) run();

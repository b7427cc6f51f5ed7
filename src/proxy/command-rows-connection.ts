// Rows of the command table: the connection, transactions and channels.
// How to read a row is explained in command-rows.ts.
import type { RowTable } from "./command-rows.ts";

export const CONNECTION_ROWS: RowTable = {
  group: "connection",
  acl: "@connection",
  text: `
auth    -2  sltFny  -  local  1.0.0  Give the password
echo     2  ltF     -  local  1.0.0  Say the argument
hello   -1  sltFny  -  local  6.0.0  Choose the protocol, log in, give a name
ping    -1  F       -  local  1.0.0  Say PONG, or the argument  [shards >all]
quit    -1  sltFny  -  local  1.0.0  Close the connection
reset    1  sltFny  -  local  6.2.0  Make the connection as new
select   2  ltF     -  local  1.0.0  Choose the database

client               -2  -     -  -        2.4.0   Connections of clients
client|caching        3  slt   -  no:own   6.0.0   Track the keys of the next command, or not
client|getname        2  slt   -  local    2.6.9   Name of this connection
client|getredir       2  slt   -  local    6.0.0   Where invalidations of this connection go
client|help           2  lt    -  local    5.0.0   List the subcommands
client|id             2  slt   -  local    5.0.0   Number of this connection
client|info           2  slt   -  local    6.2.0   What is known about this connection  [random]
client|kill          -3  aslt  -  local    2.4.0   Close connections
client|list          -2  aslt  -  local    2.4.0   What is known about every connection  [random]
client|no-evict       3  aslt  -  local    7.0.0   Keep this connection when memory runs short
client|no-touch       3  slt   -  local    7.2.0   Read without marking keys as used
client|pause         -3  aslt  -  no:all   2.9.50  Stop serving clients for a while
client|reply          3  slt   -  no:own   3.2.0   Switch replies off or on
client|setinfo        4  slt   -  local    7.2.0   Name the library behind this connection
                     [nodes >all]
client|setname        3  slt   -  local    2.6.9   Name this connection
client|tracking      -3  slt   -  no:own   6.0.0   Announce changes of the keys that were read
client|trackinginfo   2  slt   -  local    6.2.0   State of the tracking of this connection
client|unblock       -3  aslt  -  local    5.0.0   Wake a client that waits
client|unpause        2  aslt  -  no:all   6.2.0   Serve clients again
`,
};

export const TRANSACTION_ROWS: RowTable = {
  group: "transactions",
  acl: "@transaction",
  text: `
discard   1  sltFy  -        no:tx  2.0.0  Drop the commands queued since MULTI
exec      1  sltS   -        no:tx  1.2.0  Run the commands queued since MULTI
multi     1  sltFy  -        no:tx  1.2.0  Queue the commands that follow
unwatch   1  sltFy  -        no:tx  2.2.0  Forget the keys under WATCH
watch    -2  sltFy  1:-1 RO  no:tx  2.2.0  Let EXEC fail when these keys change
`,
};

export const PUBSUB_ROWS: RowTable = {
  group: "pubsub",
  acl: "",
  text: `
psubscribe    -2  pslt  -        no:sub  2.0.0  Listen to channels by pattern
publish        3  pltF  -        no:sub  2.0.0  Send a message to a channel
punsubscribe  -1  pslt  -        no:sub  2.0.0  Stop listening by pattern
spublish       3  pltF  1 NK     no:sub  7.0.0  Send a message to a shard channel
ssubscribe    -2  pslt  1:-1 NK  no:sub  7.0.0  Listen to shard channels
subscribe     -2  pslt  -        no:sub  2.0.0  Listen to channels
sunsubscribe  -1  pslt  1:-1 NK  no:sub  7.0.0  Stop listening to shard channels
unsubscribe   -1  pslt  -        no:sub  2.0.0  Stop listening to channels

pubsub                -2  -    -  -       2.8.0  What is known about channels
pubsub|channels       -2  plt  -  no:sub  2.8.0  Channels that somebody listens to
pubsub|help            2  lt   -  local   6.2.0  List the subcommands
pubsub|numpat          2  plt  -  no:sub  2.8.0  Number of patterns
pubsub|numsub         -2  plt  -  no:sub  2.8.0  Listeners of channels
pubsub|shardchannels  -2  plt  -  no:sub  7.0.0  Shard channels that somebody listens to
pubsub|shardnumsub    -2  plt  -  no:sub  7.0.0  Listeners of shard channels
`,
};

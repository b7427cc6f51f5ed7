// Rows of the command table: servers and Redis Cluster.
// Most of it concerns one server or all of them, and not a slot; the proxy answers what it can.
// How to read a row is explained in command-rows.ts.
import type { RowTable } from "./command-rows.ts";

export const SERVER_ROWS: RowTable = {
  group: "server",
  acl: "",
  text: `
bgrewriteaof   1  asL     -  no:admin  1.0.0   Rewrite the append-only file
bgsave        -1  asL     -  no:admin  1.0.0   Save in the background
dbsize         1  rF      -  no:all    1.0.0   Number of keys  [+@keyspace shards >sum]
debug         -2  aslt    -  no:one    1.0.0   Tools for the developers of Redis  [syscmd]
failover      -1  ast     -  no:repl   6.2.0   Swap a master and its replica
flushall      -1  w       -  no:all    1.0.0   Delete all keys of all databases
              [+@dangerous +@keyspace shards >all]
flushdb       -1  w       -  no:all    1.0.0   Delete all keys of this database
              [+@dangerous +@keyspace shards >all]
info          -1  lt      -  local     1.0.0   State and figures of the proxy
              [+@dangerous random shards >special]
lastsave       1  ltF     -  no:all    1.0.0   When the data was saved last
              [+@admin +@dangerous random]
lolwut        -1  rF      -  local     5.0.0   A drawing and the version
monitor        1  aslt    -  no:own    1.0.0   Watch all commands as they come
psync         -3  asLT    -  no:repl   2.8.0   Begin replication, from a point on
replconf      -1  aslty   -  no:repl   3.0.0   Settings of a replication link  [syscmd]
replicaof      3  astL    -  no:repl   5.0.0   Follow a master
role           1  sltF    -  local     2.8.12  Master or replica, as a client sees it
              [+@admin +@dangerous]
save           1  asLT    -  no:admin  1.0.0   Save now, serving nobody
shutdown      -1  asltTy  -  no:admin  1.0.0   Save and stop
slaveof        3  astL    -  no:repl   1.0.0   Follow a master  [old:5.0.0:REPLICAOF]
swapdb         3  wF      -  no:all    4.0.0   Swap two databases  [+@dangerous +@keyspace]
sync           1  asLT    -  no:repl   1.0.0   Begin replication
time           1  ltF     -  local     2.6.0   Time of day  [random]

acl          -2  -     -  -         6.0.0  Users and what they may do
acl|cat      -2  slt   -  no:admin  6.0.0  Categories of commands
acl|deluser  -3  aslt  -  no:admin  6.0.0  Delete users
acl|dryrun   -4  aslt  -  no:admin  7.0.0  May this user run this command?
acl|genpass  -2  slt   -  no:admin  6.0.0  Make up a password
acl|getuser   3  aslt  -  no:admin  6.0.0  Rules of a user
acl|help      2  lt    -  local     6.0.0  List the subcommands
acl|list      2  aslt  -  no:admin  6.0.0  All users with their rules
acl|load      2  aslt  -  no:admin  6.0.0  Read the users from the file
acl|log      -2  aslt  -  no:admin  6.0.0  What was denied lately
acl|save      2  aslt  -  no:admin  6.0.0  Write the users to the file
acl|setuser  -3  aslt  -  no:admin  6.0.0  Create or change a user
acl|users     2  aslt  -  no:admin  6.0.0  Names of all users
acl|whoami    2  slt   -  no:admin  6.0.0  User of this connection

backup           2  -   -  -         8.10.0  Backups of a server
backup|abort     2  as  -  no:admin  8.10.0  Give up a backup
backup|cleanup   2  as  -  no:admin  8.10.0  Remove the files of a backup
backup|help      2  lt  -  local     8.10.0  List the subcommands
backup|list      2  at  -  no:admin  8.10.0  Files of a backup
backup|seal      2  as  -  no:admin  8.10.0  Finish a backup
backup|start     2  as  -  no:admin  8.10.0  Begin a backup
backup|status    2  at  -  no:admin  8.10.0  How far a backup is

commandlog        -2  -    -  -       8.1.0  Slow and large commands  [valkey]
commandlog|get    -4  alt  -  no:all  8.1.0  Entries of a log  [nodes random valkey]
commandlog|help    2  lt   -  local   8.1.0  List the subcommands  [valkey]
commandlog|len     3  alt  -  no:all  8.1.0  Number of entries of a log  [nodes >sum random valkey]
commandlog|reset   3  alt  -  no:all  8.1.0  Empty a log  [nodes >all valkey]

command                  -1  lt  -  local  2.8.13  All commands  [+@connection unordered]
command|count             2  lt  -  local  2.8.13  Number of commands  [+@connection]
command|docs             -2  lt  -  local  7.0.0   What commands do  [+@connection unordered]
command|getkeys          -4  lt  -  local  2.8.13  Keys of a whole command  [+@connection]
command|getkeysandflags  -4  lt  -  local  7.0.0   Keys of a whole command and their use
                         [+@connection]
command|help              2  lt  -  local  5.0.0   List the subcommands  [+@connection]
command|info             -2  lt  -  local  2.8.13  Some commands  [+@connection unordered]
command|list             -2  lt  -  local  7.0.0   Names of commands  [+@connection unordered]

config            -2  -     -  -       2.0.0  Settings
config|get        -3  aslt  -  local   2.0.0  Read settings
config|help        2  lt    -  local   5.0.0  List the subcommands
config|resetstat   2  aslt  -  no:all  2.0.0  Set the counters to zero
config|rewrite     2  aslt  -  no:all  2.8.0  Write the settings to the file
config|set        -4  aslt  -  no:all  2.0.0  Change settings  [nodes >all]

hotkeys        -2  -   -  -       8.6.0  Keys that take most of the time
hotkeys|get     2  as  -  no:all  8.6.0  What was measured
hotkeys|help    2  lt  -  local   8.6.1  List the subcommands  [+@admin]
hotkeys|reset   2  as  -  no:all  8.6.0  Drop what was measured
hotkeys|start  -2  as  -  no:all  8.6.0  Begin to measure
hotkeys|stop    2  as  -  no:all  8.6.0  Stop measuring

latency            -2  -     -  -       2.8.13  Events that took long
latency|doctor      2  aslt  -  no:all  2.8.13  Advice about latency  [random nodes >special]
latency|graph       3  aslt  -  no:all  2.8.13  Latency of an event as a drawing
                   [random nodes >special]
latency|help        2  lt    -  local   2.8.13  List the subcommands
latency|histogram  -2  aslt  -  no:all  7.0.0   Spread of the times that commands take
                   [random nodes >special]
latency|history     3  aslt  -  no:all  2.8.13  Samples of an event  [random nodes >special]
latency|latest      2  aslt  -  no:all  2.8.13  Latest sample of every event
                   [random nodes >special]
latency|reset      -2  aslt  -  no:all  2.8.13  Forget events  [nodes >all]

memory               -2  -   -     -        4.0.0  Where memory goes
memory|doctor         2  -   -     no:all   4.0.0  Advice about memory  [random shards >special]
memory|help           2  lt  -     local    4.0.0  List the subcommands
memory|malloc-stats   2  -   -     no:all   4.0.0  Report of the allocator  [random shards >special]
memory|purge          2  -   -     no:all   4.0.0  Give free memory back  [shards >all]
memory|stats          2  -   -     no:all   4.0.0  Figures about memory  [random shards >special]
memory|usage         -3  rP  2 RO  forward  4.0.0  Bytes that a key takes

module         -2  -    -  -         4.0.0  Modules
module|help     2  lt   -  local     5.0.0  List the subcommands
module|list     2  as   -  no:admin  4.0.0  Loaded modules  [unordered]
module|load    -3  asL  -  no:admin  4.0.0  Load a module
module|loadex  -3  asL  -  no:admin  7.0.0  Load a module with settings
module|unload   3  asL  -  no:admin  4.0.0  Unload a module

slowlog        -2  -    -  -       2.2.12  Commands that took long
slowlog|get    -2  alt  -  no:all  2.2.12  Entries of the slow log  [nodes random]
slowlog|help    2  lt   -  local   6.2.0   List the subcommands
slowlog|len     2  alt  -  no:all  2.2.12  Number of entries  [nodes >sum random]
slowlog|reset   2  alt  -  no:all  2.2.12  Empty the slow log  [nodes >all]

restore-asking  -4  wmk  1 OWu  no:move  3.0.0  RESTORE during a slot migration of Redis Cluster
                [+@dangerous +@keyspace syscmd]
`,
};

export const CLUSTER_ROWS: RowTable = {
  group: "cluster",
  acl: "",
  text: `
asking      1  F    -  no:cluster  3.0.0  Use a slot that is moving in, once  [+@connection]
readonly    1  ltF  -  local       3.0.0  Allow reads from replicas  [+@connection]
readwrite   1  ltF  -  local       3.0.0  Reads go to masters again  [+@connection]

cluster                        -2  -    -  -           3.0.0  Redis Cluster
cluster|addslots               -3  atL  -  no:cluster  3.0.0  Give slots to this node
cluster|addslotsrange          -4  atL  -  no:cluster  7.0.0  Give ranges of slots to this node
cluster|bumpepoch               2  atL  -  no:cluster  3.0.0  Raise the epoch  [random]
cluster|count-failure-reports   3  at   -  no:cluster  3.0.0  How many nodes report one as failing
                               [random]
cluster|countkeysinslot         3  t    -  no:cluster  3.0.0  Number of keys in a slot
cluster|delslots               -3  atL  -  no:cluster  3.0.0  Take slots from this node
cluster|delslotsrange          -4  atL  -  no:cluster  7.0.0  Take ranges of slots from this node
cluster|failover               -2  atL  -  no:cluster  3.0.0  Let a replica take over
cluster|flushslots              2  atL  -  no:cluster  3.0.0  Take all slots from this node
cluster|forget                  3  atL  -  no:cluster  3.0.0  Forget a node
cluster|getkeysinslot           4  t    -  no:cluster  3.0.0  Keys of a slot  [random]
cluster|help                    2  lt   -  no:cluster  5.0.0  List the subcommands
cluster|info                    2  t    -  no:cluster  3.0.0  State of the cluster  [random]
cluster|keyslot                 3  t    -  no:cluster  3.0.0  Slot of a key
cluster|links                   2  t    -  no:cluster  7.0.0  Links between nodes  [random]
cluster|meet                   -4  atL  -  no:cluster  3.0.0  Join another node
cluster|migration              -4  atL  -  no:cluster  8.4.0  Move slots between nodes
cluster|myid                    2  t    -  no:cluster  3.0.0  Id of this node
cluster|myshardid               2  t    -  no:cluster  7.2.0  Id of the shard of this node  [random]
cluster|nodes                   2  t    -  no:cluster  3.0.0  All nodes  [random]
cluster|replicas                3  at   -  no:cluster  5.0.0  Replicas of a node  [random]
cluster|replicate               3  atL  -  no:cluster  3.0.0  Become a replica of a node
cluster|reset                  -2  ast  -  no:cluster  3.0.0  Leave the cluster
cluster|saveconfig              2  atL  -  no:cluster  3.0.0  Write the state of the cluster to disk
cluster|set-config-epoch        3  atL  -  no:cluster  3.0.0  Set the epoch of a new node
cluster|setslot                -4  atL  -  no:cluster  3.0.0  Bind a slot to a node
cluster|shards                  2  t    -  no:cluster  7.0.0  Slots and nodes by shard  [random]
cluster|slaves                  3  at   -  no:cluster  3.0.0  Replicas of a node
                               [random old:5.0.0:CLUSTER+REPLICAS]
cluster|slot-stats             -4  tl   -  no:cluster  8.0.0  Figures about slots  [random shards]
cluster|slots                   2  t    -  no:cluster  3.0.0  Slots and their nodes
                               [random old:7.0.0:CLUSTER+SHARDS]
`,
};

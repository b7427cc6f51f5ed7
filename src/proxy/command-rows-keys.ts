// Rows of the command table: keys of any type, and scripts.
// Scripts run where their keys are; one without keys runs on the master of slot 0.
// How to read a row is explained in command-rows.ts.
import type { RowTable } from "./command-rows.ts";

export const KEY_ROWS: RowTable = {
  group: "generic",
  acl: "@keyspace",
  text: `
del          -2  w    1:-1 RMd  split:sum  1.0.0  Delete keys  [multi >sum]
dump          2  r    1 ROa     forward    2.6.0  Value of a key in the form RESTORE takes  [random]
exists       -2  rF   1:-1 RO   split:sum  1.0.0  How many of the keys exist  [multi >sum]
expire       -3  wF   1 RWu     forward    1.0.0  Let a key expire in seconds
expireat     -3  wF   1 RWu     forward    1.2.0  Let a key expire at a time in seconds
expiretime    2  rF   1 ROa     forward    7.0.0  When a key expires, in seconds
keys          2  r    -         no:all     1.0.0  All keys that match a pattern
             [+@dangerous shards unordered]
move          3  wF   1 RWau    forward    1.0.0  Move a key to another database
persist       2  wF   1 RWu     forward    2.2.0  Let a key expire no more
pexpire      -3  wF   1 RWu     forward    2.6.0  Let a key expire in milliseconds
pexpireat    -3  wF   1 RWu     forward    2.6.0  Let a key expire at a time in milliseconds
pexpiretime   2  rF   1 ROa     forward    7.0.0  When a key expires, in milliseconds
pttl          2  rF   1 ROa     forward    2.6.0  Milliseconds until a key expires  [random]
randomkey     1  r    -         no:all     1.0.0  Any one key  [shards random]
restore      -4  wm   1 OWu     forward    2.6.0  Write a value in the form DUMP gives
             [+@dangerous]
scan         -2  r    -         no:all     2.8.0  Walk over all keys, a few per call
             [random special]
touch        -2  rFP  1:-1 RO   split:sum  3.2.1  Mark keys as used now  [multi >sum]
ttl           2  rF   1 ROa     forward    1.0.0  Seconds until a key expires  [random]
type          2  rF   1 RO      forward    1.0.0  Type of a value
unlink       -2  wF   1:-1 RMd  split:sum  4.0.0  Delete keys, free memory in the background
             [multi >sum]
wait          3  s    -         no:wait    3.0.0  Wait until replicas have the writes
             [=@connection shards >min]
waitaof       4  b    -         no:wait    7.2.0  Wait until the writes are on disk
             [=@connection shards >min]

object           -2  -   -     -        2.2.3  How a value is stored
object|encoding   3  r   2 RO  forward  2.2.3  Encoding of a value  [random]
object|freq       3  rP  2 RO  forward  4.0.0  How often a key is used  [random]
object|help       2  lt  -     local    6.2.0  List the subcommands
object|idletime   3  rP  2 RO  forward  2.2.3  How long a key was not used  [random]
object|refcount   3  rP  2 RO  forward  2.2.3  Reference count of a value  [random]

copy      -3  wm  1 ROa, 2 OWu              forward  6.2.0  Copy a value to another key
migrate   -6  w   3 RWad, KEYS@-2:-1 RWadI  no:move  2.6.0  Move keys to another server
          [+@dangerous random]
rename     3  w   1 RWad, 2 OWu             forward  1.0.0  Give a key another name
renamenx   3  wF  1 RWad, 2 OWi             forward  1.0.0  Give a key a name that is still free
sort      -2  wm  1 ROa, ? ROa, ? OWu       forward  1.0.0  Sort a list, set or sorted set
          [=@dangerous,@list,@set,@sortedset]
sort_ro   -2  r   1 ROa, ? ROa              forward  7.0.0  Sort a list, set or sorted set
          [=@dangerous,@list,@set,@sortedset]
`,
};

export const SCRIPT_ROWS: RowTable = {
  group: "scripting",
  acl: "@scripting",
  text: `
eval        -3  stMo    2# RWau  forward  2.6.0  Run a script
eval_ro     -3  rstMo   2# ROa   forward  7.0.0  Run a script that only reads
evalsha     -3  stMo    2# RWau  forward  2.6.0  Run a script that was loaded
evalsha_ro  -3  rstMoP  2# ROa   forward  7.0.0  Run a loaded script that only reads
fcall       -3  stMo    2# RWau  forward  7.0.0  Call a function
fcall_ro    -3  rstMo   2# ROa   forward  7.0.0  Call a function that only reads

function          -2  -    -  -       7.0.0  Libraries of functions
function|delete    3  ws   -  no:all  7.0.0  Delete a library  [shards >all]
function|dump      2  s    -  no:all  7.0.0  All libraries, as FUNCTION RESTORE takes them
function|flush    -2  ws   -  no:all  7.0.0  Delete all libraries  [shards >all]
function|help      2  lt   -  local   7.0.0  List the subcommands
function|kill      2  sy   -  no:all  7.0.0  Stop the function that runs  [shards >one]
function|list     -2  s    -  no:all  7.0.0  All libraries  [unordered]
function|load     -3  wms  -  no:all  7.0.0  Add a library  [shards >all]
function|restore  -3  wms  -  no:all  7.0.0  Add libraries that FUNCTION DUMP gave  [shards >all]
function|stats     2  sy   -  no:all  7.0.0  The function that runs, and the engines
                  [random shards >special]

script         -2  -   -  -       2.6.0  Scripts kept by the servers
script|debug    3  s   -  no:own  3.2.0  Run scripts under the debugger
script|exists  -3  s   -  no:all  2.6.0  Which scripts are loaded  [shards >and]
script|flush   -2  s   -  no:all  2.6.0  Forget all scripts  [nodes >all]
script|help     2  lt  -  local   5.0.0  List the subcommands
script|kill     2  sy  -  no:all  2.6.0  Stop the script that runs  [shards >one]
script|load     3  st  -  no:all  2.6.0  Load a script  [nodes >all]
script|show     3  s   -  no:all  8.0.0  Source of a loaded script  [valkey]
`,
};

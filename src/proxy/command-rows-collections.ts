// Rows of the command table: lists, sets and hashes.
// How to read a row is explained in command-rows.ts.
import type { RowTable } from "./command-rows.ts";

export const LIST_ROWS: RowTable = {
  group: "list",
  acl: "@list",
  text: `
blmpop   -5  wb   2# RWad    no:wait  7.0.0  LMPOP that waits for an element
blpop    -3  wsb  1:-2 RWad  no:wait  2.0.0  LPOP from the first list with an element; waits
brpop    -3  wsb  1:-2 RWad  no:wait  2.0.0  RPOP from the first list with an element; waits
lindex    3  r    1 ROa      forward  1.0.0  Element at an index
linsert   5  wm   1 RWi      forward  2.2.0  Insert before or after an element
llen      2  rF   1 RO       forward  1.0.0  Number of elements
lmpop    -4  w    1# RWad    forward  7.0.0  Take elements from the first list with any
lpop     -2  wF   1 RWad     forward  1.0.0  Take from the left end
lpos     -3  r    1 ROa      forward  6.0.6  Index of an element
lpush    -3  wmF  1 RWi      forward  1.0.0  Put on the left end
lpushx   -3  wmF  1 RWi      forward  2.2.0  Put on the left end if the list exists
lrange    4  r    1 ROa      forward  1.0.0  Elements between two indexes
lrem      4  w    1 RWd      forward  1.0.0  Remove equal elements
lset      4  wm   1 RWu      forward  1.0.0  Replace the element at an index
ltrim     4  w    1 RWd      forward  1.0.0  Keep only the elements between two indexes
rpop     -2  wF   1 RWad     forward  1.0.0  Take from the right end
rpush    -3  wmF  1 RWi      forward  1.0.0  Put on the right end
rpushx   -3  wmF  1 RWi      forward  2.2.0  Put on the right end if the list exists

blmove       6  wmsb  1 RWad, 2 RWi  no:wait  6.2.0   LMOVE that waits for an element
blmovem     -6  wmb   1 RWad, 2 RWi  no:wait  8.10.0  LMOVEM that waits for elements
brpoplpush   4  wmsb  1 RWad, 2 RWi  no:wait  2.2.0   RPOPLPUSH that waits for an element
            [old:6.2.0:BLMOVE+RIGHT+LEFT]
lmove        5  wm    1 RWad, 2 RWi  forward  6.2.0   Move an element from one list to another
lmovem      -5  wm    1 RWad, 2 RWi  forward  8.10.0  Move several elements from one list to another
rpoplpush    3  wm    1 RWad, 2 RWi  forward  1.2.0   Move the last element of one list to another
            [old:6.2.0:LMOVE+RIGHT+LEFT]
`,
};

export const SET_ROWS: RowTable = {
  group: "set",
  acl: "@set",
  text: `
sadd         -3  wmF  1 RWi            forward  1.0.0   Add members
scard         2  rF   1 RO             forward  1.0.0   Number of members
sdiff        -2  r    1:-1 ROa         forward  1.0.0   Members that only the first set has
             [unordered]
sdiffcard    -3  r    1# ROa           forward  8.10.0  Size of the difference of sets
sdiffstore   -3  wm   1 OWu, 2:-1 ROa  forward  1.0.0   SDIFF into a key
sinter       -2  r    1:-1 ROa         forward  1.0.0   Members that all sets have  [unordered]
sintercard   -3  r    1# ROa           forward  7.0.0   Size of the intersection of sets
sinterstore  -3  wm   1 RWu, 2:-1 ROa  forward  1.0.0   SINTER into a key
sismember     3  rF   1 RO             forward  1.0.0   Is this a member?
smembers      2  r    1 ROa            forward  1.0.0   All members  [unordered]
smismember   -3  rF   1 ROa            forward  6.2.0   Are these members?
smove         4  wF   1 RWad, 2 RWi    forward  1.0.0   Move a member from one set to another
spop         -2  wF   1 RWad           forward  1.0.0   Take random members  [random]
srandmember  -2  r    1 ROa            forward  1.0.0   Random members, which stay  [random]
srem         -3  wF   1 RWd            forward  1.0.0   Remove members
sscan        -3  rP   1 ROa            forward  2.8.0   Walk over the members, a few per call
             [random]
sunion       -2  r    1:-1 ROa         forward  1.0.0   Members that any of the sets has
             [unordered]
sunioncard   -3  r    1# ROa           forward  8.10.0  Size of the union of sets
sunionstore  -3  wm   1 OWu, 2:-1 ROa  forward  1.0.0   SUNION into a key
`,
};

export const HASH_ROWS: RowTable = {
  group: "hash",
  acl: "@hash",
  text: `
hdel          -3  wF   1 RWd   forward  2.0.0  Delete fields
hexists        3  rF   1 RO    forward  2.0.0  Is there such a field?
hexpire       -6  wmF  1 RWu   forward  7.4.0  Let fields expire in seconds
hexpireat     -6  wmF  1 RWu   forward  7.4.0  Let fields expire at a time in seconds
hexpiretime   -5  rF   1 ROa   forward  7.4.0  When fields expire, in seconds
hget           3  rF   1 ROa   forward  2.0.0  Read a field
hgetall        2  r    1 ROa   forward  2.0.0  All fields and values  [unordered]
hgetdel       -5  wF   1 RWad  forward  8.0.0  Read fields and delete them
hgetex        -5  wF   1 RWau  forward  8.0.0  Read fields and change when they expire
hincrby        4  wmF  1 RWau  forward  2.0.0  Add an integer to a field
hincrbyfloat   4  wmF  1 RWau  forward  2.6.0  Add a decimal fraction to a field
hkeys          2  r    1 ROa   forward  2.0.0  All fields  [unordered]
hlen           2  rF   1 RO    forward  2.0.0  Number of fields
hmget         -3  rF   1 ROa   forward  2.0.0  Read several fields
hmset         -4  wmF  1 RWu   forward  2.0.0  Write several fields  [old:4.0.0:HSET]
hpersist      -5  wF   1 RWu   forward  7.4.0  Let fields expire no more
hpexpire      -6  wmF  1 RWu   forward  7.4.0  Let fields expire in milliseconds
hpexpireat    -6  wmF  1 RWu   forward  7.4.0  Let fields expire at a time in milliseconds
hpexpiretime  -5  rF   1 ROa   forward  7.4.0  When fields expire, in milliseconds
hpttl         -5  rF   1 ROa   forward  7.4.0  Milliseconds until fields expire  [random]
hrandfield    -2  r    1 ROa   forward  6.2.0  Random fields  [random]
hscan         -3  rP   1 ROa   forward  2.8.0  Walk over the fields, a few per call  [random]
hset          -4  wmF  1 RWu   forward  2.0.0  Write fields
hsetex        -6  wmF  1 RWu   forward  8.0.0  Write fields with an expiry
hsetnx         4  wmF  1 RWi   forward  2.0.0  Write a field if it does not exist
hstrlen        3  rF   1 RO    forward  3.2.0  Length of the value of a field
httl          -5  rF   1 ROa   forward  7.4.0  Seconds until fields expire  [random]
hvals          2  r    1 ROa   forward  2.0.0  All values  [unordered]

himport             -2  -   -      -       8.10.0  Write hashes by prepared field lists  [+@hash]
himport|discard      3  -   -      no:own  8.10.0  Forget a field list
himport|discardall   2  -   -      no:own  8.10.0  Forget all field lists
himport|prepare     -4  m   -      no:own  8.10.0  Name a field list on this connection
himport|set         -5  wm  2 OWu  no:own  8.10.0  Write a hash by a named field list
`,
};

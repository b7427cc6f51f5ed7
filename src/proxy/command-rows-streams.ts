// Rows of the command table: streams and arrays.
// XREAD and XREADGROUP block only when they carry BLOCK: command-keys.ts, mayBlock.
// How to read a row is explained in command-rows.ts.
import type { RowTable } from "./command-rows.ts";

export const STREAM_ROWS: RowTable = {
  group: "stream",
  acl: "@stream",
  text: `
xack         -4  wF   1 RWu   forward  5.0.0  Confirm messages of a group
xackdel      -6  wF   1 RWud  forward  8.2.0  Confirm messages and delete them
xadd         -5  wmF  1 RWu   forward  5.0.0  Append a message  [random]
xautoclaim   -6  wF   1 RWd   forward  6.2.0  Take over messages left pending  [random]
xcfgset      -2  wF   1 RWu   forward  8.6.0  Set the options of a stream
xclaim       -6  wF   1 RWu   forward  5.0.0  Take over given pending messages  [random]
xdel         -3  wF   1 RWd   forward  5.0.0  Delete messages
xdelex       -5  wF   1 RWd   forward  8.2.0  Delete messages that no group needs
xidmprecord   5  wmF  1 RWu   forward  8.8.0  Note a message id for idempotent XADD
xlen          2  rF   1 RO    forward  5.0.0  Number of messages
xnack        -7  wF   1 RWu   forward  8.8.0  Give pending messages of a group back
xpending     -3  r    1 ROa   forward  5.0.0  Messages that a group has not confirmed  [random]
xrange       -4  r    1 ROa   forward  5.0.0  Messages between two ids
xrevrange    -4  r    1 ROa   forward  5.0.0  Messages between two ids, newest first
xsetid       -3  wmF  1 RWu   forward  5.0.0  Set the last id of a stream
xtrim        -4  w    1 RWd   forward  5.0.0  Drop old messages  [random]

xread       -4  rb  STREAMS@1:-1/2 ROa  forward  5.0.0  Messages after an id, of several streams
xreadgroup  -7  wb  STREAMS@4:-1/2 ROa  forward  5.0.0  Messages for a consumer of a group

xgroup                 -2  -   -      -        5.0.0  Consumer groups
xgroup|create          -5  wm  2 RWi  forward  5.0.0  Create a group
xgroup|createconsumer   5  wm  2 RWi  forward  6.2.0  Create a consumer in a group
xgroup|delconsumer      5  w   2 RWd  forward  5.0.0  Delete a consumer of a group
xgroup|destroy          4  w   2 RWd  forward  5.0.0  Delete a group
xgroup|help             2  lt  -      local    5.0.0  List the subcommands
xgroup|setid           -5  w   2 RWu  forward  5.0.0  Set the last message a group was given

xinfo            -2  -   -      -        5.0.0  What is known about a stream
xinfo|consumers   4  r   2 ROa  forward  5.0.0  Consumers of a group  [random]
xinfo|groups      3  r   2 ROa  forward  5.0.0  Groups of a stream
xinfo|help        2  lt  -      local    5.0.0  List the subcommands
xinfo|stream     -3  r   2 ROa  forward  5.0.0  Length, ids and groups of a stream
`,
};

export const ARRAY_ROWS: RowTable = {
  group: "array",
  acl: "@array",
  text: `
arcount       2  rF   1 ROa  forward  8.8.0  Number of elements that hold a value
ardel        -3  wF   1 RWd  forward  8.8.0  Clear elements
ardelrange   -4  w    1 RWd  forward  8.8.0  Clear ranges of elements
arget         3  rF   1 ROa  forward  8.8.0  Read an element
argetrange    4  r    1 ROa  forward  8.8.0  Read a range of elements
argrep       -6  r    1 ROa  forward  8.8.0  Find elements by text or pattern
arinfo       -2  r    1 ROa  forward  8.8.0  How an array is stored
arinsert     -3  wmF  1 RWu  forward  8.8.0  Write values at the insertion point
arlastitems  -3  r    1 ROa  forward  8.8.0  Elements that were inserted last
arlen         2  rF   1 ROa  forward  8.8.0  Length of an array
armget       -3  rF   1 ROa  forward  8.8.0  Read several elements
armset       -4  wmF  1 RWu  forward  8.8.0  Write several elements
arnext        2  rF   1 ROa  forward  8.8.0  Where the insertion point is
arop         -5  r    1 ROa  forward  8.8.0  Sum, least, greatest and other folds over a range
arring       -4  wm   1 RWu  forward  8.8.0  Write values into an array used as a ring
arscan       -4  r    1 ROa  forward  8.8.0  Elements of a range that hold a value
arseek        3  wF   1 RWu  forward  8.8.0  Set the insertion point
arset        -4  wmF  1 RWu  forward  8.8.0  Write elements from an index on
`,
};

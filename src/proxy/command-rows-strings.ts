// Rows of the command table: strings, bitmaps and HyperLogLogs.
// Every row here works on string values. How to read a row is explained in command-rows.ts.
import type { RowTable } from "./command-rows.ts";

export const STRING_ROWS: RowTable = {
  group: "string",
  acl: "@string",
  text: `
append        3  wmF  1 RWi       forward      2.0.0  Add bytes to the end of a value
decr          2  wmF  1 RWau      forward      1.0.0  Subtract one from a number
decrby        3  wmF  1 RWau      forward      1.0.0  Subtract an integer from a number
delex        -2  wF   1 RWd       forward      8.4.0  Delete a key if its value or digest fits
delifeq       3  w    1 RMad      forward      9.0.0  Delete a key if it holds exactly this value
             [valkey]
digest        2  rF   1 ROa       forward      8.4.0  Hash of a value, for conditions
get           2  rF   1 ROa       forward      1.0.0  Read a value
getdel        2  wF   1 RWad      forward      6.2.0  Read a value and delete the key
getex        -2  wF   1 RWau      forward      6.2.0  Read a value and change when it expires
getrange      4  r    1 ROa       forward      2.4.0  Read a part of a value
getset        3  wmF  1 RWau      forward      1.0.0  Write a value and return the old one
             [old:6.2.0:SET+GET]
incr          2  wmF  1 RWau      forward      1.0.0  Add one to a number
incrby        3  wmF  1 RWau      forward      1.0.0  Add an integer to a number
incrbyfloat   3  wmF  1 RWau      forward      2.6.0  Add a decimal fraction to a number
increx       -2  wmF  1 RWau      forward      8.8.0  Add to a number within bounds, set its expiry
lcs          -3  r    1:2 ROa     forward      7.0.0  Longest common subsequence of two values
mget         -2  rF   1:-1 ROa    split:order  1.0.0  Read the values of several keys  [multi]
mset         -3  wm   1:-1:2 OWu  split:ok     1.0.1  Write several keys  [multi >all]
msetex       -4  wm   1#:2 OWu    forward      8.4.0  Write several keys with one expiry
             [multi >all]
msetnx       -3  wm   1:-1:2 OWi  forward      1.0.1  Write several keys if none of them exists
             [multi >min]
psetex        4  wm   1 OWu       forward      2.6.0  Write a value that expires in milliseconds
set          -3  wm   1 RWauv     forward      1.0.0  Write a value, with conditions and expiry
setex         4  wm   1 OWu       forward      2.0.0  Write a value that expires in seconds
setnx         3  wmF  1 OWi       forward      1.0.0  Write a value if the key does not exist
setrange      4  wm   1 RWu       forward      2.2.0  Overwrite a part of a value
strlen        2  rF   1 RO        forward      2.2.0  Length of a value
substr        4  r    1 ROa       forward      1.0.0  Read a part of a value  [old:2.0.0:GETRANGE]
`,
};

export const BITMAP_ROWS: RowTable = {
  group: "bitmap",
  acl: "@bitmap",
  text: `
bitcount     -2  r   1 ROa            forward  2.6.0  Count the bits that are set
bitfield     -2  wm  1 RWauv          forward  3.2.0  Read and change integers of any width
bitfield_ro  -2  rF  1 ROa            forward  6.0.0  Read integers of any width
bitop        -4  wm  2 OWu, 3:-1 ROa  forward  2.6.0  Combine bitmaps bit by bit into another key
bitpos       -3  r   1 ROa            forward  2.8.7  Find the first bit that is set or clear
getbit        3  rF  1 ROa            forward  2.2.0  Read one bit
setbit        4  wm  1 RWau           forward  2.2.0  Write one bit
`,
};

export const HYPERLOGLOG_ROWS: RowTable = {
  group: "hyperloglog",
  acl: "@hyperloglog",
  text: `
pfadd       -2  wmF  1 RWi             forward  2.8.9  Count elements into a HyperLogLog
pfcount     -2  r    1:-1 RWa          forward  2.8.9  Estimate of distinct elements
pfdebug      3  wma  2 RWa             forward  2.8.9  Look inside a HyperLogLog  [syscmd]
pfmerge     -2  wm   1 RWai, 2:-1 ROa  forward  2.8.9  Merge HyperLogLogs into one
pfselftest   1  a    -                 no:one   2.8.9  Test the HyperLogLog code of a server
            [syscmd]
`,
};

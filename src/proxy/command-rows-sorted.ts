// Rows of the command table: sorted sets, places on the map and vector sets.
// How to read a row is explained in command-rows.ts.
import type { RowTable } from "./command-rows.ts";

export const SORTED_SET_ROWS: RowTable = {
  group: "sorted-set",
  acl: "@sortedset",
  text: `
bzmpop            -5  wb    2# RWad        no:wait  7.0.0  ZMPOP that waits for a member
bzpopmax          -3  wsbF  1:-2 RWad      no:wait  5.0.0  ZPOPMAX from the first set with a member
bzpopmin          -3  wsbF  1:-2 RWad      no:wait  5.0.0  ZPOPMIN from the first set with a member
zadd              -4  wmF   1 RWu          forward  1.2.0  Add members or change their scores
zcard              2  rF    1 RO           forward  1.2.0  Number of members
zcount             4  rF    1 ROa          forward  2.0.0  Number of members between two scores
zdiff             -3  r     1# ROa         forward  6.2.0  Members that only the first set has
zdiffstore        -4  wm    1 OWu, 2# ROa  forward  6.2.0  ZDIFF into a key
zincrby            4  wmF   1 RWau         forward  1.2.0  Add to the score of a member
zinter            -3  r     1# ROa         forward  6.2.0  Members that all sets have
zintercard        -3  r     1# ROa         forward  7.0.0  Size of the intersection of sets
zinterstore       -4  wm    1 OWu, 2# ROa  forward  2.0.0  ZINTER into a key
zlexcount          4  rF    1 ROa          forward  2.8.9  Number of members between two names
zmpop             -4  w     1# RWad        forward  7.0.0  Take members from the first set with any
zmscore           -3  rF    1 ROa          forward  6.2.0  Scores of several members
zpopmax           -2  wF    1 RWad         forward  5.0.0  Take the members with the highest scores
zpopmin           -2  wF    1 RWad         forward  5.0.0  Take the members with the lowest scores
zrandmember       -2  r     1 ROa          forward  6.2.0  Random members  [random]
zrange            -4  r     1 ROa          forward  1.2.0  Members by rank, score or name
zrangebylex       -4  r     1 ROa          forward  2.8.9  Members between two names
                  [old:6.2.0:ZRANGE+BYLEX]
zrangebyscore     -4  r     1 ROa          forward  1.0.5  Members between two scores
                  [old:6.2.0:ZRANGE+BYSCORE]
zrangestore       -5  wm    1 OWu, 2 ROa   forward  6.2.0  ZRANGE into a key
zrank              3  rF    1 ROa          forward  2.0.0  Rank of a member, lowest score first
zrem              -3  wF    1 RWd          forward  1.2.0  Remove members
zremrangebylex     4  w     1 RWd          forward  2.8.9  Remove the members between two names
zremrangebyrank    4  w     1 RWd          forward  2.0.0  Remove the members between two ranks
zremrangebyscore   4  w     1 RWd          forward  1.2.0  Remove the members between two scores
zrevrange         -4  r     1 ROa          forward  1.2.0  Members by rank, highest score first
                  [old:6.2.0:ZRANGE+REV]
zrevrangebylex    -4  r     1 ROa          forward  2.8.9  Members between two names, downwards
                  [old:6.2.0:ZRANGE+REV+BYLEX]
zrevrangebyscore  -4  r     1 ROa          forward  2.2.0  Members between two scores, downwards
                  [old:6.2.0:ZRANGE+REV+BYSCORE]
zrevrank           3  rF    1 ROa          forward  2.0.0  Rank of a member, highest score first
zscan             -3  rP    1 ROa          forward  2.8.0  Walk over the members, a few per call
                  [random]
zscore             3  rF    1 ROa          forward  1.2.0  Score of a member
zunion            -3  r     1# ROa         forward  6.2.0  Members that any of the sets has
zunionstore       -4  wm    1 OWu, 2# ROa  forward  2.0.0  ZUNION into a key
`,
};

export const GEO_ROWS: RowTable = {
  group: "geo",
  acl: "@geo",
  text: `
geoadd                -5  wm  1 RWu         forward  3.2.0   Add places with their coordinates
geodist               -4  r   1 ROa         forward  3.2.0   Distance between two places
geohash               -2  r   1 ROa         forward  3.2.0   Places as geohash texts
geopos                -2  r   1 ROa         forward  3.2.0   Coordinates of places
georadius_ro          -6  r   1 ROa         forward  3.2.10  Places near a point
                      [old:6.2.0:GEOSEARCH]
georadiusbymember_ro  -5  r   1 ROa         forward  3.2.10  Places near a place
                      [old:6.2.0:GEOSEARCH]
geosearch             -7  r   1 ROa         forward  6.2.0   Places in a circle or a box
geosearchstore        -8  wm  1 OWu, 2 ROa  forward  6.2.0   GEOSEARCH into a key

georadius          -6  wm  1 ROa, STORE@6 OWu, STOREDIST@6 OWu  forward  3.2.0  Places near a point
                   [old:6.2.0:GEOSEARCHSTORE]
georadiusbymember  -5  wm  1 ROa, STORE@5 OWu, STOREDIST@5 OWu  forward  3.2.0  Places near a place
                   [old:6.2.0:GEOSEARCHSTORE]
`,
};

export const VECTOR_SET_ROWS: RowTable = {
  group: "vector_set",
  acl: "",
  text: `
vadd         -5  wm  1 RWu  forward  8.0.0  Add an element with its vector
vcard         2  rF  1 ROa  forward  8.0.0  Number of elements
vdim          2  rF  1 ROa  forward  8.0.0  Number of dimensions
vemb         -3  rF  1 ROa  forward  8.0.0  Vector of an element
vgetattr      3  rF  1 ROa  forward  8.0.0  Attributes of an element
vinfo         2  rF  1 ROa  forward  8.0.0  How a vector set is stored
vismember     3  r   1 ROa  forward  8.2.0  Is there such an element?
vlinks       -3  rF  1 ROa  forward  8.0.0  Neighbours of an element in the graph
vrandmember  -2  r   1 ROa  forward  8.0.0  Random elements
vrange       -4  r   1 ROa  forward  8.4.0  Elements between two names
vrem          3  w   1 RWd  forward  8.0.0  Remove an element
vsetattr      4  wF  1 RWu  forward  8.0.0  Set the attributes of an element
vsim         -4  r   1 ROa  forward  8.0.0  Elements most similar to a vector
`,
};

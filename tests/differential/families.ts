// What is compared with Redis: templates of commands by family. grammar.ts says how to read them,
// vocabulary.ts what the placeholders stand for.
//
// Left out is whatever Redis answers by chance, by the clock or by its own state: random members,
// the order of large sets and hashes, idle times, TTLs, XADD with "*".
import { readTemplates, type Template } from "./grammar.ts";

const TEXTS: Readonly<Record<string, string>> = {
  strings: `
    set <str> <value> [nx|xx] [get] [keepttl|exat <when>|pxat <whenms>]
    set <num> <int>
    (get|getdel|strlen) <str>
    getex <str> [persist|exat <when>|pxat <whenms>]
    (setnx|getset|append) <str> <value>
    (incr|decr) <num>
    (incrby|decrby) <num> (<int>|<big>)
    incrbyfloat <num> <float>
    (getrange|substr) <str> <idx> <idx>
    setrange <str> <offset> <value>
    mget <str>+
    mset (<str> <value>)+
    msetnx (<@str> <value>)+
    lcs <@num> <@num> [len|idx [minmatchlen <count>] [withmatchlen]]
    (setex|psetex) <vol> 100000 <value>
    (get|strlen|exists|persist) <vol>
  `,
  keys: `
    (set <str> <value>|rpush <list> <value>|hset <hash> <field> <short>)
    (mget|del|unlink|exists|touch) <key>+ [<key>+ <key>+ <key>+]
    mset (<str> <value>)+ [(<str> <value>)+ (<num> <int>)+]
    mset <str> <value> <str>
    (type|expiretime|pexpiretime|persist) <key>
    object (encoding|refcount|freq|nosuch) <key>
    (expireat <key> <when>|pexpireat <key> <whenms>) [nx|xx|gt|lt]
    (expire|pexpire) <key> (-1|0|abc)
    (ttl|pttl) missing
    (rename|renamenx) <@str> <@str>
    copy <@list> <@list> [replace] [db <db>]
    (rename|renamenx) <@zset> <@zset>
    copy <@str> <@str> [db <db>] [replace]
    move <str> <db>
    dump (<str>|<list>|<zset>|missing)
    restore <str> 0 <value> [replace]
  `,
  lists: `
    (lpush|rpush|lpushx|rpushx) <list> <value>+
    (lpop|rpop) <list> [<count>]
    llen <list>
    (lrange|ltrim) <list> <idx> <idx>
    lindex <list> <idx>
    lset <list> <idx> <value>
    linsert <list> (before|after|beside) <value> <value>
    lrem <list> <idx> <value>
    lpos <list> <value> [rank <idx>] [count <count>] [maxlen <count>]
    lmove <@list> <@list> (left|right) (left|right)
    rpoplpush <@list> <@list>
    lmpop (1 <@list>|2 <@list> <@list>) (left|right) [count <count>]
    rpush <list> <int>+
    sort <list> [limit <count> <count>] [asc|desc] [alpha] [get #]
    sort_ro <list> alpha [desc]
    sort <@list> by {same}w:* [get {same}str:*] [store <@list>]
    sort <@list> by nosort [get # get {same}num:*]
  `,
  hashes: `
    hset <hash> (<field> <short>)+
    hmset <hash> (<field> <short>)+
    hsetnx <hash> <field> <short>
    (hget|hexists|hstrlen) <hash> <field>
    (hmget|hdel) <hash> <field>+
    (hgetall|hkeys|hvals|hlen) <hash>
    hincrby <hash> <field> (<int>|<big>)
    hincrbyfloat <hash> <field> <float>
    hscan <hash> 0 [match f*] [count 100]
    hscan <hash> abc
    hrandfield missing [<count> [withvalues]]
  `,
  sets: `
    sadd <set> <member>+
    srem <set> <member>+
    (scard|type) <set>
    sismember <set> <member>
    smismember <set> <member>+
    smove <@set> <@set> <member>
    (sunionstore|sinterstore|sdiffstore) <@set> <@set>+
    sintercard (1 <@set>|2 <@set> <@set>) [limit <count>]
    sintercard (3 <@set> <@set>|0 <@set>)
    sort <set> alpha [desc] [limit <count> <count>]
    (sadd|srem) <iset> <element>+
    smembers <iset>
    (sunion|sinter|sdiff) <@iset>+
    (sunionstore|sinterstore|sdiffstore) <@iset> <@iset>+
    sscan <iset> 0 [count 100]
    sort <iset> [desc] [limit <count> <count>]
    smove <@iset> <@iset> <element>
    (spop|srandmember) missing [<count>]
  `,
  sortedSets: `
    zadd <zset> [nx|xx] [gt|lt] [ch] (<score> <member>)+
    zadd <zset> [xx] [ch] incr <score> <member>
    zincrby <zset> <score> <member>
    (zcard <zset>|zcount <zset> <range> <range>)
    (zscore|zrank|zrevrank) <zset> <member>
    zmscore <zset> <member>+
    (zrem <zset> <member>+|zremrangebyrank <zset> <idx> <idx>)
    zremrangebyscore <zset> <range> <range>
    zrange <zset> <idx> <idx> [rev] [withscores]
    zrange <zset> <range> <range> byscore [rev] [limit <idx> <idx>] [withscores]
    zrangestore <@zset> <@zset> <idx> <idx> [rev]
    zrevrange <zset> <idx> <idx> [withscores]
    (zrangebyscore|zrevrangebyscore) <zset> <range> <range> [withscores] [limit <idx> <idx>]
    zadd <lexed> 0 <member>
    (zlexcount|zremrangebylex) <lexed> <lex> <lex>
    zrange <lexed> <lex> <lex> bylex [rev] [limit <count> <count>]
    (zrangebylex|zrevrangebylex) <lexed> <lex> <lex> [limit <count> <count>]
    (zpopmin|zpopmax) <zset> [<count>]
    zmpop (1 <@zset>|2 <@zset> <@zset>) (min|max) [count <count>]
    (zunion|zinter) 2 <@zset> <@zset> [weights 2 <float>] [aggregate (sum|min|max)] [withscores]
    zdiff (1 <@zset>|2 <@zset> <@zset>) [withscores]
    (zunionstore|zinterstore) <@zset> 2 <@zset> <@zset> [weights 1 3] [aggregate max]
    (zunionstore|zdiffstore) <@zset> (1 <@zset>|3 <@zset> <@zset> <@iset>|0 <@zset>|2 <@zset>)
    zintercard 2 <@zset> <@zset> [limit <count>]
    zadd <pairs> <score> <member>
    zscan <pairs> 0 [match m1*] [count 100]
    zrandmember missing [<count> [withscores]]
    sort <zset> alpha [limit <count> <count>]
  `,
  streams: `
    xadd <stream> [nomkstream] [maxlen [~|=] <count>|minid <id>] <id> (<field> <short>)+
    (xlen <stream>|xdel <stream> <id>+)
    (xrange|xrevrange) <stream> <since> <since> [count <count>]
    xtrim <stream> (maxlen <count>|minid <id>|maxlen ~ <count> limit 10)
    xread [count <count>] streams (<@stream> <id>|<@stream> <@stream> <id> <id>)
    xread streams <@stream> <@stream> <id>
    xgroup (create|setid) <stream> <group> (<id>|0) [entriesread 3]
    xgroup create <stream> <group> 0 mkstream
    xgroup (createconsumer|delconsumer) <stream> <group> <consumer>
    xgroup (destroy <stream> <group>|nosuch <stream>)
    xreadgroup group <group> <consumer> [count <count>] [noack] streams <@stream> (<after>|<id>)
    xreadgroup group <group> <consumer> count 2 streams <@stream> <@stream> <after> <after>
    xack <stream> <group> <id>+
    xpending <stream> <group>
    xclaim <stream> <group> <consumer> 0 <id>+ [justid]
    xautoclaim <stream> <group> <consumer> 0 0 count <count> justid
    xinfo (stream|groups) <stream>
    xsetid <stream> <id>
  `,
  numbersOfThings: `
    pfadd <hll> <word>+
    pfadd <hll> <value>
    pfcount <@hll>+
    pfmerge <@hll> <@hll>+
    strlen <hll>
    setbit <bits> <bitoffset> <bit>
    getbit <bits> <bitoffset>
    bitcount <bits> [<idx> <idx> [byte|bit]]
    bitpos <bits> <bit> [<idx> [<idx> [byte|bit]]]
    bitop (and|or|xor) <@bits> <@bits>+
    bitop not <@bits> <@bits>
    bitfield <bits> (get <fieldtype> <fieldoffset>|set <fieldtype> <fieldoffset> <int>)+
    bitfield <bits> [overflow (wrap|sat|fail)] (incrby <fieldtype> <fieldoffset> <int>)+
    bitfield_ro <bits> (get <fieldtype> <fieldoffset>)+
    get <bits>
  `,
  places: `
    geoadd <geo> [nx|xx] [ch] (<lon> <lat> <place>)+
    geodist <geo> <place> <place> [<unit>]
    (geopos|geohash) <geo> <place>+
    geosearch <geo> frommember <place> byradius <radius> <unit> asc [withdist] [withcoord]
    geosearch <geo> fromlonlat <lon> <lat> bybox 300 <radius> <unit> desc [count 3] [withhash]
    geosearchstore <@geo> <@geo> fromlonlat <lon> <lat> byradius <radius> <unit> [storedist]
    (georadius|georadius_ro) <geo> <lon> <lat> <radius> <unit> [withdist] [withhash] asc
    georadiusbymember <geo> <place> <radius> <unit> desc
    georadius <@geo> <lon> <lat> <radius> <unit> (store|storedist) <@geo>
    georadiusbymember <@geo> <place> <radius> <unit> store <@zset>
    zrange <geo> 0 -1 withscores
  `,
  scripts: `
    eval <script> 1 <str> <value>+
    eval <tagscript> (1 <@str> <value>|2 <@str> <@str> <value> <value>)
    evalsha (<sha>|<sha>|abc) (1 <@str> <value>|2 <@str> <@str> <value>)
    evalsha abc 0 <value>
    eval_ro <script> 1 <str> <value>
    eval <script> (0 <value>|-1 <str>|abc <str>|5 <str>|1)
    (fcall|fcall_ro) nofunction 1 <str> <value>
    set <str> <value>
    get <str>
  `,
  connection: `
    ping [<value>]
    ping <value> <value>
    echo <value>
    echo
    select (<db>|<db>|16|-1|abc|)
    client setname (<word>|)
    client (getname|nosuch|setname)
    (set|get|mget|del) <str>
    set <str> <value>
    mget <str>+
    (config|object|xinfo|xgroup|memory|function|client|command) nosuch <word>
    (nosuch|get_|foo.bar|gett|ge) <value>+
    command getkeys (get <str>|mget <str>+|set <str>|nosuch <str>)
    command (getkeys|getkeysandflags) (eval x|zunionstore <str>|sintercard) <numkeys> <str> <str>
    (role|config)
    (object|memory|slowlog|xinfo)
  `,
};

/** Keys of other types, so that every family meets some. */
const FOREIGN = `
  set <str> <value>
  rpush <list> <value>
  zadd <zset> <score> <member>
  type <key>
`;

export const FAMILIES: ReadonlyMap<string, readonly Template[]> = new Map(
  Object.entries(TEXTS).map(([name, text]) => [name, readTemplates(text + FOREIGN)]),
);

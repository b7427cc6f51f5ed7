// The settings of codis-proxy: one row each, in the order in which the admin API shows them. The
// keys of the original come first and keep its spelling and its order; ours follow. Everything
// that is said about a setting anywhere is printed from here: config/proxy.toml, docs/config.md.
//
// A new setting is a row below and a field in `ProxyConfig` (settings.ts); the compiler complains
// when one is missing. Then `CODIS_TEST_UPDATE=1 npm test` refreshes the printed files.

import { SENTINEL_LOGIN } from "../settings/sentinel-login.ts";
import type { Setting } from "../settings/table.ts";
import { UNLIMITED } from "../settings/table.ts";

const GB = 1024 ** 3;

/** Names of products: they become paths of the coordinator and parts of metric names. */
const PRODUCT_NAME = /^\w[\w.-]*$/;

// What groups of rows have in common.
const BUFFER = { type: "bytes", zeroMeans: 1024, max: GB, reloadable: false } as const;
const TIMEOUT = { type: "duration", reloadable: true } as const;
const LIMIT = { zeroMeans: UNLIMITED, reloadable: true } as const;
const TEXT = { type: "string", default: "", reloadable: false } as const;
const PERIOD = { type: "duration", default: "1s", reloadable: false } as const;

export const PROXY_SETTINGS = [
  {
    key: "proto_type",
    type: "string",
    default: "tcp4",
    chapter: "Addresses",
    choices: ["tcp", "tcp4", "tcp6", "unix"],
    isRequired: true,
    doc:
      "What clients connect by. tcp4 and tcp6 listen on one family, tcp on both, unix on a " +
      "socket file. The unixpacket of the original is not available.",
    reloadable: false,
  },
  {
    key: "proxy_addr",
    type: "string",
    default: "127.0.0.1:19000",
    isRequired: true,
    doc:
      "Where clients connect: host:port, or a path when proto_type is unix. The default " +
      'serves this machine only; say "0.0.0.0:19000" to serve the network, and set ' +
      "session_auth then.",
    reloadable: false,
  },
  {
    key: "admin_addr",
    type: "string",
    default: "127.0.0.1:11080",
    isRequired: true,
    doc:
      "Where the admin API and the metrics listen, always TCP. A dashboard on another machine" +
      ' must be able to reach it; say "0.0.0.0:11080" then, and set product_auth.',
    reloadable: false,
  },
  {
    ...TEXT,
    key: "jodis_name",
    chapter: "Registration for client discovery (jodis)",
    choices: ["zookeeper", "zk", "etcd"],
    doc: "The kind of coordinator in which the proxy registers itself for clients.",
  },
  {
    ...TEXT,
    key: "jodis_addr",
    doc: "The address of that coordinator. Empty means that the proxy does not register.",
  },
  {
    ...TEXT,
    key: "jodis_auth",
    isSecret: true,
    doc: 'The account at that coordinator, "user:password".',
  },
  {
    key: "jodis_timeout",
    type: "duration",
    default: "20s",
    doc: "How long a registration outlives a proxy that has died.",
    reloadable: false,
  },
  {
    key: "jodis_compatible",
    type: "boolean",
    default: false,
    doc: "Register under the path of Codis 2 (/zk/codis/db_<product>) instead of /jodis/<product>.",
    reloadable: false,
  },
  {
    key: "product_name",
    type: "string",
    default: "codis-demo",
    chapter: "Product",
    isRequired: true,
    complaint: "bad product name",
    rule: {
      allows: (text) => PRODUCT_NAME.test(text),
      allowed: "letters, digits and underscores, after the first character also dots and dashes",
    },
    doc: "The product that this proxy belongs to.",
    reloadable: false,
  },
  {
    ...TEXT,
    key: "product_auth",
    isSecret: true,
    doc:
      "The password of the servers (their requirepass), and part of the token that admin " +
      "calls must carry. The same for the dashboard, all proxies and all servers of a " +
      "product.",
  },
  {
    ...TEXT,
    key: "session_auth",
    isSecret: true,
    doc: "The password that clients must give with AUTH or HELLO. Empty asks for none.",
    reloadable: true,
  },
  {
    ...TEXT,
    key: "proxy_datacenter",
    chapter: "The proxy",
    doc: "Where this proxy stands. Replicas in the same place are read first.",
  },
  {
    key: "proxy_max_clients",
    type: "integer",
    default: 0,
    doc:
      "The most sessions at a time; a client beyond that gets an error and is closed. 0 sets " +
      "no limit but that of the file descriptors (ulimit -n) less a reserve.",
    reloadable: true,
  },
  {
    key: "proxy_max_offheap_size",
    type: "bytes",
    default: "1024mb",
    retired: "memory outside of the heap of the original has no counterpart here",
    doc: "Bounded the buffers of the original outside of its heap.",
    reloadable: false,
  },
  {
    key: "proxy_heap_placeholder",
    type: "bytes",
    default: "256mb",
    retired: "there is no Go garbage collector to be slowed down here",
    doc: "Made garbage collections of the original rarer.",
    reloadable: false,
  },
  {
    ...TIMEOUT,
    key: "backend_ping_period",
    default: "5s",
    chapter: "Backends: connections to servers",
    doc:
      "How often an idle backend is asked for a sign of life, at most once a second. 0 never " +
      "asks.",
  },
  {
    ...BUFFER,
    key: "backend_recv_bufsize",
    default: "128kb",
    doc: "The receive buffer of a backend. 0 means 1kb.",
  },
  {
    ...TIMEOUT,
    key: "backend_recv_timeout",
    default: "30s",
    doc: "How long a server may keep silent while requests wait for its replies. 0 waits for ever.",
  },
  {
    ...BUFFER,
    key: "backend_send_bufsize",
    default: "128kb",
    doc: "The send buffer of a backend. 0 means 1kb.",
  },
  {
    ...TIMEOUT,
    key: "backend_send_timeout",
    default: "30s",
    doc: "How long a server may refuse to take bytes that wait for it. 0 waits for ever.",
  },
  {
    ...LIMIT,
    key: "backend_max_pipeline",
    type: "integer",
    default: 20480,
    doc:
      "Requests without a reply on one backend, above which the sessions that feed it are no " +
      "longer read. 0 sets no limit.",
  },
  {
    key: "backend_primary_only",
    type: "boolean",
    default: false,
    doc: "Never read from replicas, even when the slots name some.",
    reloadable: true,
  },
  {
    key: "backend_primary_parallel",
    type: "integer",
    default: 1,
    zeroMeans: 1,
    doc: "Backends per master, database and worker. A session keeps to one of them. 0 means 1.",
    reloadable: false,
  },
  {
    key: "backend_replica_parallel",
    type: "integer",
    default: 1,
    zeroMeans: 1,
    doc: "Backends per replica, database and worker. A session keeps to one of them. 0 means 1.",
    reloadable: false,
  },
  {
    key: "backend_keepalive_period",
    type: "duration",
    default: "75s",
    doc: "TCP keep-alive of backends. 0 switches it off.",
    reloadable: false,
  },
  {
    key: "backend_number_databases",
    type: "integer",
    default: 16,
    min: 1,
    doc: "How many databases SELECT offers; no more than the servers have.",
    reloadable: false,
  },
  {
    ...BUFFER,
    key: "session_recv_bufsize",
    default: "128kb",
    chapter: "Sessions: connections of clients",
    doc: "The receive buffer of a session. 0 means 1kb.",
  },
  {
    ...TIMEOUT,
    key: "session_recv_timeout",
    default: "30m",
    doc: "A client that sends nothing for so long is disconnected. 0 never does that.",
  },
  {
    ...BUFFER,
    key: "session_send_bufsize",
    default: "64kb",
    doc: "The send buffer of a session. 0 means 1kb.",
  },
  {
    ...TIMEOUT,
    key: "session_send_timeout",
    default: "30s",
    doc:
      "A client that takes none of the bytes that wait for it for so long is disconnected. 0 " +
      "never does that.",
  },
  {
    ...LIMIT,
    key: "session_max_pipeline",
    type: "integer",
    default: 10000,
    doc: "Requests of one client that may wait for their replies. 0 sets no limit.",
  },
  {
    key: "session_keepalive_period",
    type: "duration",
    default: "75s",
    doc: "TCP keep-alive of sessions. 0 switches it off.",
    reloadable: false,
  },
  {
    key: "session_break_on_failure",
    type: "boolean",
    default: false,
    doc: "Disconnect a client after an error that comes from the proxy and not from a server.",
    reloadable: true,
  },
  {
    ...TEXT,
    key: "metrics_report_server",
    chapter: "Metrics that are pushed",
    isUrl: true,
    doc: "A URL to which the overview is posted as JSON. Empty posts nothing.",
  },
  {
    ...PERIOD,
    key: "metrics_report_period",
    doc: "How often it is posted; no more than once a second.",
  },
  {
    ...TEXT,
    key: "metrics_report_influxdb_server",
    isUrl: true,
    doc: "The URL of an InfluxDB. Empty sends nothing.",
  },
  {
    ...PERIOD,
    key: "metrics_report_influxdb_period",
    doc: "How often it is written to; no more than once a second.",
  },
  { ...TEXT, key: "metrics_report_influxdb_username", doc: "The user at the InfluxDB." },
  {
    ...TEXT,
    key: "metrics_report_influxdb_password",
    isSecret: true,
    doc: "The password of that user.",
  },
  { ...TEXT, key: "metrics_report_influxdb_database", doc: "The database at the InfluxDB." },
  {
    ...TEXT,
    key: "metrics_report_statsd_server",
    doc: "The host:port of a statsd, reached by UDP. Empty sends nothing.",
  },
  {
    ...PERIOD,
    key: "metrics_report_statsd_period",
    doc: "How often it is sent to; no more than once a second.",
  },
  {
    ...TEXT,
    key: "metrics_report_statsd_prefix",
    doc: "The first part of the names of its gauges.",
  },
  {
    ...LIMIT,
    key: "session_max_input_buffer",
    type: "bytes",
    default: "1gb",
    chapter: "Settings that the original does not have",
    doc:
      "The bytes of one request that a session holds while the rest is still under way; a " +
      "client beyond that is disconnected. 0 sets no limit.",
  },
  {
    ...LIMIT,
    key: "session_max_output_buffer",
    type: "bytes",
    default: "256mb",
    doc:
      "The bytes of replies that wait for a client which does not read them; a client beyond " +
      "that is disconnected. One reply alone may be larger. 0 sets no limit.",
  },
  {
    ...TIMEOUT,
    key: "shutdown_timeout",
    default: "10s",
    doc:
      "How long requests in flight may take to finish after SIGTERM, before the proxy ends " +
      "all the same. What a client sends in the first second still counts. 0 does not wait.",
  },
  {
    ...LIMIT,
    key: "slot_hold_max_requests",
    type: "integer",
    default: 10000,
    doc:
      "Requests that may wait for one slot while it is held during a change, in each worker; " +
      "further ones get an error. 0 sets no limit.",
  },
  {
    ...LIMIT,
    key: "slot_hold_max_buffer",
    type: "bytes",
    default: "64mb",
    doc:
      "Bytes of requests that may wait for one slot while it is held, in each worker; further " +
      "requests get an error. 0 sets no limit.",
  },
  {
    ...TIMEOUT,
    key: "backend_connect_timeout",
    default: "5s",
    min: 1,
    doc: "How long a connection to a server may take to be established, AUTH and SELECT included.",
  },
  {
    key: "proxy_redis_version",
    type: "string",
    default: "7.0.15",
    isRequired: true,
    rule: {
      allows: (text) => /^\d+\.\d+\.\d+$/.test(text),
      allowed: "three numbers such as 7.0.15",
    },
    doc:
      "The version of Redis that HELLO and INFO report. Clients decide by it what they may " +
      "use, so it should be the lowest version among the servers.",
    reloadable: true,
  },
  {
    ...TEXT,
    key: "product_username",
    doc:
      "The ACL user of the servers that product_auth is the password of. Empty is their default " +
      "user. Servers before Redis 6 get the password alone.",
  },
  ...SENTINEL_LOGIN,
  {
    ...TEXT,
    key: "jodis_tls_ca",
    doc:
      "The PEM file of those who sign the certificates of an etcd at jodis_addr. With it an " +
      "endpoint without a scheme is https. Empty: say https:// there; the system's are trusted.",
  },
  {
    ...TEXT,
    key: "jodis_tls_cert",
    doc: "The PEM file of the proxy's own certificate, for an etcd that asks for one.",
  },
  {
    ...TEXT,
    key: "jodis_tls_key",
    doc: "The PEM file of the key of that certificate.",
  },
  {
    ...TIMEOUT,
    key: "slot_hold_timeout",
    default: "10s",
    doc:
      "How long a request may wait for a slot that is held or whose keys are being moved, before " +
      "it is answered with -TRYAGAIN. It was not carried out then. 0 waits for ever.",
  },
  {
    ...TIMEOUT,
    key: "migration_on_demand_timeout",
    default: "500ms",
    min: 1,
    doc:
      "How long the source of a moving slot may wait for its target while it hands over the key " +
      "of a request. The source answers nobody meanwhile.",
  },
  {
    key: "migration_big_key",
    type: "bytes",
    default: "1mb",
    min: 1024,
    doc:
      "A key of this size is not handed over for a request, because both servers would stand " +
      "still. Its requests wait until the dashboard has pinned it, and the key is in the " +
      "statistics for it.",
    reloadable: true,
  },
] as const satisfies readonly Setting[];

// How sentinels are logged in to. The dashboard orders them and the proxies listen to them, so
// these rows stand in the tables of both programs.

import type { Setting } from "./table.ts";

export const SENTINEL_LOGIN = [
  {
    key: "sentinel_auth",
    type: "string",
    default: "",
    isSecret: true,
    doc:
      "The password of the sentinels themselves (their requirepass); that of the servers, which " +
      "they need as well, is product_auth. The same for the dashboard and all proxies.",
    reloadable: false,
  },
  {
    key: "sentinel_username",
    type: "string",
    default: "",
    doc: "The ACL user of the sentinels that sentinel_auth belongs to. Empty: the default user.",
    reloadable: false,
  },
] as const satisfies readonly Setting[];

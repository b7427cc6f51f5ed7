// The bytes of ZooKeeper's protocol: big-endian numbers, texts and buffers with their length in
// front, requests and the results of transactions. No connection and no state; see
// `zookeeper-session.ts`.

export const Opcode = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getChildren: 8,
  sync: 9,
  ping: 11,
  check: 13,
  multi: 14,
  auth: 100,
  closeSession: -11,
} as const;

export const Code = {
  ok: 0,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  authFailed: -115,
} as const;

const NAMES: Readonly<Record<number, string>> = {
  [-4]: "connection loss",
  [Code.noNode]: "no such node",
  [Code.noAuth]: "this account may not do that",
  [Code.badVersion]: "the node was changed in between",
  [-108]: "an ephemeral node has no children",
  [Code.nodeExists]: "the node exists already",
  [Code.notEmpty]: "the node has children",
  [Code.sessionExpired]: "the session has expired",
  [-114]: "the ACL is not valid",
  [Code.authFailed]: "the account was refused",
  [-118]: "the session moved to another server",
};

export function codeName(code: number): string {
  return NAMES[code] ?? `error ${code}`;
}

export const EPHEMERAL = 1;
export const SEQUENTIAL = 2;
/** Any version will do. */
export const ANY = -1;

export interface Acl {
  readonly perms: number;
  readonly scheme: string;
  readonly id: string;
}

export interface Stat {
  readonly czxid: bigint; // the transaction that created the node; rises over the whole service
  readonly version: number; // 0 when created, one more with each change
  readonly ephemeralOwner: bigint;
}

/** A request without its header; the same shape stands in a transaction. */
export interface Operation {
  readonly opcode: number;
  readonly body: Buffer;
  readonly path: string; // for errors
}

export class WireWriter {
  #parts: Buffer[] = [];

  int(value: number): this {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeInt32BE(value);
    this.#parts.push(bytes);
    return this;
  }

  long(value: bigint): this {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigInt64BE(value);
    this.#parts.push(bytes);
    return this;
  }

  flag(value: boolean): this {
    this.#parts.push(Buffer.from([value ? 1 : 0]));
    return this;
  }

  buffer(value: Buffer): this {
    this.int(value.length).#parts.push(value);
    return this;
  }

  text(value: string): this {
    return this.buffer(Buffer.from(value, "utf8"));
  }

  raw(value: Buffer): this {
    this.#parts.push(value);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

export class WireReader {
  #at = 0;

  constructor(private readonly bytes: Buffer) {}

  get isAtEnd(): boolean {
    return this.#at >= this.bytes.length;
  }

  int(): number {
    const value = this.bytes.readInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  long(): bigint {
    const value = this.bytes.readBigInt64BE(this.#at);
    this.#at += 8;
    return value;
  }

  flag(): boolean {
    return this.bytes[this.#at++] === 1;
  }

  buffer(): Buffer {
    const length = Math.max(0, this.int()); // -1 is the buffer that is null
    const value = this.bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return value;
  }

  text(): string {
    return this.buffer().toString("utf8");
  }

  texts(): string[] {
    return Array.from({ length: Math.max(0, this.int()) }, () => this.text());
  }

  stat(): Stat {
    const czxid = this.long();
    this.#at += 3 * 8; // the last change, two times
    const version = this.int();
    this.#at += 2 * 4; // versions of children and ACL
    const ephemeralOwner = this.long();
    this.#at += 2 * 4 + 8; // sizes, the children's last change
    return { czxid, version, ephemeralOwner };
  }
}

export const operation = {
  create(path: string, data: string, acl: Acl, flags = 0): Operation {
    const body = new WireWriter().text(path).text(data).int(1);
    body.int(acl.perms).text(acl.scheme).text(acl.id).int(flags);
    return { path, opcode: Opcode.create, body: body.bytes() };
  },
  delete(path: string, version = ANY): Operation {
    return { path, opcode: Opcode.delete, body: new WireWriter().text(path).int(version).bytes() };
  },
  set(path: string, data: string, version = ANY): Operation {
    const body = new WireWriter().text(path).text(data).int(version);
    return { path, opcode: Opcode.setData, body: body.bytes() };
  },
  check(path: string, version = ANY): Operation {
    return { path, opcode: Opcode.check, body: new WireWriter().text(path).int(version).bytes() };
  },
  exists(path: string): Operation {
    return { path, opcode: Opcode.exists, body: new WireWriter().text(path).flag(false).bytes() };
  },
  get(path: string): Operation {
    return { path, opcode: Opcode.getData, body: new WireWriter().text(path).flag(false).bytes() };
  },
  children(path: string): Operation {
    return {
      path,
      opcode: Opcode.getChildren,
      body: new WireWriter().text(path).flag(false).bytes(),
    };
  },
  sync(path: string): Operation {
    return { path, opcode: Opcode.sync, body: new WireWriter().text(path).bytes() };
  },
  multi(operations: readonly Operation[]): Operation {
    const body = new WireWriter();
    for (const { opcode, body: each } of operations) {
      body.int(opcode).flag(false).int(-1).raw(each);
    }
    return { path: "", opcode: Opcode.multi, body: body.int(-1).flag(true).int(-1).bytes() };
  },
};

/** What went wrong in a transaction: which of its operations, and how. */
export interface MultiFailure {
  readonly index: number;
  readonly code: number;
}

/** Null when all was done. Those around the one that failed have codes of their own. */
export function readMulti(reader: WireReader): MultiFailure | null {
  let isFailed = false;
  let failure: MultiFailure | null = null;
  for (let index = 0; ; index++) {
    const opcode = reader.int();
    const isDone = reader.flag();
    reader.int();
    if (isDone) return failure ?? (isFailed ? { index: 0, code: -2 } : null);
    if (opcode === Opcode.create) reader.text();
    else if (opcode === Opcode.setData) reader.stat();
    else if (opcode === -1) {
      isFailed = true;
      const code = reader.int();
      // 0: would have been done; -2: was not tried.
      if (failure === null && code !== Code.ok && code !== -2) failure = { index, code };
    }
  }
}

import { expect, test } from "bun:test";
import { reclaim, roomFrom, slab, takeRoom } from "../lib/lent.ts";
import { SendBuffer, type Writable } from "./buffer.ts";

/** Takes a number of bytes per write that it is told, and remembers all. */
class Sink implements Writable {
  readonly taken: Buffer[] = [];
  #noted: Buffer[] = [];

  constructor(public room: () => number) {}

  write(bytes: Uint8Array, offset: number, length: number): number {
    const count = Math.min(length, this.room());
    if (count > 0) this.taken.push(Buffer.from(bytes.subarray(offset, offset + count)));
    return count;
  }

  note(bytes: Uint8Array, offset: number, length: number): boolean {
    if (this.#noted.length === 4) return false;
    this.#noted.push(Buffer.from(bytes.subarray(offset, offset + length)));
    return true;
  }

  writeNoted(): number {
    const all = Buffer.concat(this.#noted);
    this.#noted = [];
    return this.write(all, 0, all.length);
  }
}

function pseudoRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state % below;
  };
}

for (let seed = 1; seed <= 200; seed++) {
  test(`what was appended leaves in order, whatever the socket takes (${seed})`, () => {
    const random = pseudoRandom(seed);
    const out = new SendBuffer(seed % 3 === 0 ? 700 : 64 * 1024);
    const wanted: Buffer[] = [];
    const sink = new Sink(() => (random(3) === 0 ? random(9000) : 1_000_000));
    for (let turn = 0; turn < 30; turn++) {
      for (let n = random(8); n > 0; n--) {
        const length = random(4) === 0 ? random(20_000) : random(120);
        if (random(5) === 0) takeRoom(random(50));
        const bytes = takeRoom(length);
        const to = roomFrom + length;
        for (let i = roomFrom; i < to; i++) bytes[i] = random(256);
        const copy = Buffer.from(bytes.subarray(roomFrom, to));
        wanted.push(copy);
        if (random(6) === 0) out.append(copy, 0, length);
        else if (random(4) === 0) copy.copy(out.room(length), out.roomFrom);
        else out.append(bytes, roomFrom, to);
      }
      if (random(4) === 0) out.own();
      else out.flush(sink);
      slab.fill(0xdb);
      reclaim();
    }
    sink.room = () => 1_000_000;
    expect(out.flush(sink)).toBe(1);
    expect(out.pending).toBe(0);
    expect(Buffer.concat(sink.taken).equals(Buffer.concat(wanted))).toBe(true);
  });
}

// Hundreds of requests of one client on their way at once: the same for every library.
import { expect } from "bun:test";

export interface Calls {
  incr(key: string): Promise<number>;
  set(key: string, value: string | Buffer): Promise<unknown>;
  get(key: string): Promise<string | null>;
  mget(keys: string[]): Promise<(string | null)[]>;
  unlink(keys: string[]): Promise<number>;
}

export async function sendManyAtOnce(client: Calls): Promise<void> {
  const numbers = Array.from({ length: 500 }, (_, i) => i);
  const counts = await Promise.all(numbers.map((i) => client.incr(`counter:${i % 50}`)));
  expect(counts.toSorted((a, b) => a - b)[499]).toBe(10);
  await Promise.all(numbers.map((i) => client.set(`many:${i}`, `value ${i}`)));
  const values = await Promise.all(numbers.map((i) => client.get(`many:${i}`)));
  expect(values).toEqual(numbers.map((i) => `value ${i}`));
  expect(await client.mget(numbers.map((i) => `many:${i}`))).toEqual(values);
  expect(await client.unlink(numbers.map((i) => `many:${i}`))).toBe(500);
  const large = "large".repeat(200_000);
  await Promise.all(numbers.slice(0, 10).map((i) => client.set(`large:${i}`, large)));
  const back = await Promise.all(numbers.slice(0, 10).map((i) => client.get(`large:${i}`)));
  expect(back.every((each) => each === large)).toBe(true);
}

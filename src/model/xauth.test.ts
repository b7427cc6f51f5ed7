import { expect, test } from "bun:test";
import { decodeJson, encodeJson } from "./json.ts";
import { timeText } from "./time.ts";
import { secretsEqual, tokenOf, xauthOf } from "./xauth.ts";

test("xauth is the digest that the original programs compute", () => {
  expect(xauthOf("lab")).toBe("416e95f74eaf1a2459c1185514dc8425");
  expect(xauthOf("codis-demo")).toBe("95b62887719520f17e312eaa76d28f2b");
  expect(xauthOf("lab", "", "85b52774c33509df007f664e8f90c6c9")).toBe(
    "ec80998d3df220502fece0a1483c0d67",
  );
  expect(xauthOf("codis-demo", "secret", "0123456789abcdef0123456789abcdef")).toBe(
    "12fe2f50058c50af6b7884f0b3e88567",
  );
});

test("a token depends on machine and addresses and not on the order of the interfaces", () => {
  const token = tokenOf(["b", "a"], "lab", "127.0.0.1:19000", "127.0.0.1:11080");
  expect(token).toMatch(/^[0-9a-f]{32}$/);
  expect(tokenOf(["a", "b"], "lab", "127.0.0.1:19000", "127.0.0.1:11080")).toBe(token);
  expect(tokenOf(["a", "b"], "lab", "127.0.0.1:19001", "127.0.0.1:11080")).not.toBe(token);
});

test("secrets compare by content, whatever their lengths", () => {
  expect(secretsEqual("abc", "abc")).toBe(true);
  expect(secretsEqual("abc", "abd")).toBe(false);
  expect(secretsEqual("", "abc")).toBe(false);
  expect(secretsEqual("é", "é")).toBe(true);
});

test("JSON is indented by four spaces and HTML-escaped, and absent fields are left out", () => {
  const value = { b: "a&b <c>\u2028", a: [], c: {}, d: undefined, e: [1] };
  expect(encodeJson(value)).toBe(
    '{\n    "b": "a\\u0026b \\u003cc\\u003e\\u2028",\n    "a": [],\n    "c": {},\n' +
      '    "e": [\n        1\n    ]\n}',
  );
  expect(JSON.parse(encodeJson(value)).b).toBe(value.b);
  expect(encodeJson("OK")).toBe('"OK"');
});

test("a body that is not JSON is refused with a sentence", () => {
  expect(() => decodeJson("  ")).toThrow("the body is empty");
  expect(() => decodeJson("[1,")).toThrow("the body is not JSON");
});

test("time stamps look like those of the original", () => {
  expect(timeText(Date.UTC(2026, 10, 22, 17, 9, 37, 616), 0.006173277)).toBe(
    "2026-11-22 17:09:37.616000000 +0000 UTC m=+0.006173277",
  );
});

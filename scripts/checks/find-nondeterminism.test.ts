import { expect, test } from "vitest";
import { findNondeterminism } from "./find-nondeterminism.mjs";

const find = (text: string) => findNondeterminism("example.ts", text).map(({ message }) => message);

test.each([
  ["Date.now()", "Date.now"],
  ["globalThis.Date.now()", "Date.now"],
  ["new Date()", "new Date()"],
  ["new Date", "new Date()"],
  ["Date()", "Date"],
  ["const { now } = Date", "Date"],
  ["call(Date)", "Date"],
  ["performance.now()", "performance.now"],
  ["setTimeout(f, 1)", "setTimeout"],
  ["globalThis.setTimeout(f, 1)", "setTimeout"],
  ["const timers = { setTimeout }", "setTimeout"],
  ["const { setTimeout } = globalThis", "globalThis"],
  ["setInterval(f, 1)", "setInterval"],
  ["setImmediate(f)", "setImmediate"],
  ["AbortSignal.timeout(1)", "AbortSignal.timeout"],
  ["Math.random()", "Math.random"],
  ["const { random } = Math", "Math"],
  ["Math['random']()", "Math"],
  ["crypto.randomUUID()", "crypto.randomUUID"],
  ["globalThis.crypto.getRandomValues(a)", "crypto.getRandomValues"],
  ["process.hrtime.bigint()", "process.hrtime"],
  ["process.nextTick(f)", "process.nextTick"],
  ['import { setTimeout } from "node:timers/promises"', "import of node:timers/promises"],
  ['import { performance } from "node:perf_hooks"', "import of node:perf_hooks"],
  ['import { randomUUID } from "node:crypto"', "import of randomUUID from node:crypto"],
  ['import { createHash, randomBytes as bytes } from "crypto"', "import of randomBytes from node:crypto"],
  ['import * as crypto from "node:crypto"', "import of all of node:crypto"],
  ['import crypto from "node:crypto"', "import of all of node:crypto"],
  ['await import("node:crypto")', "import of all of node:crypto"],
])("refuses %s", (code, use) => {
  expect(find(code).map((message) => message.split(": ")[0])).toContain(use);
});

test.each([
  "new Date(0)",
  "new Date(clock.now())",
  "Date.UTC(2000, 0)",
  "Date.parse(text)",
  "x instanceof Date",
  "let at: Date; let all: Array<Date>; let make: typeof Date",
  "interface Clock { now(): Date; setTimeout(f: () => void): void }",
  "clock.setTimeout(f, 1)",
  "const clock = { setTimeout(f: () => void) {} }",
  "const { setTimeout: after } = clock",
  "Math.max(1, 2)",
  "let signal: AbortSignal; AbortSignal.any([]); x instanceof AbortSignal",
  "queueMicrotask(f); Promise.resolve().then(f)",
  'import { createHash } from "node:crypto"',
  'import type { webcrypto } from "node:crypto"',
  "// Date.now() in a comment",
  '"Date.now()"',
])("allows %s", (code) => {
  expect(find(code)).toEqual([]);
});

test("says where", () => {
  expect(findNondeterminism("example.ts", "const a = 1;\nlet b = Date.now();")).toMatchObject([{ line: 2, column: 9 }]);
});

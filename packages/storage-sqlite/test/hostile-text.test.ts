import { join } from "node:path";
import type { MetadataFilter } from "@heddle/core/storage";
import { beforeEach, describe, expect, test } from "vitest";
import { testDirectory } from "./support/directory.js";
import { newRun, newThread } from "./support/intents.js";
import { openStorage } from "./support/storage.js";

const hostile = [
  "'; drop table heddle_runs; --",
  '"double"',
  "back\\slash",
  "100%_",
  "$.path",
  "$[0]",
  "a.b",
  "?1",
  ":name",
  "",
  " ",
  "\n\t\r",
  "é",
  "e\u0301",
  "😀",
  "\u2028",
  "\uFFFF",
  "İ",
  "null",
  "1",
  "x".repeat(255),
];

let storage: Awaited<ReturnType<typeof openStorage>>;

beforeEach(async () => {
  storage = await openStorage(join(testDirectory(), "agents.db"));
});

describe("texts mean only themselves", () => {
  test.each(hostile)("as an id: %j", async (id) => {
    await storage.commit([newThread(`${id}x`), newThread(id), newRun(`run-${id}`, { threadId: id })]);
    expect(await storage.threads.get(id)).toMatchObject({ id });
    expect(
      (await storage.runs.list({ threadId: id, sortBy: "createdAt", order: "asc", limit: 5 })).map((run) => run.id),
    ).toEqual([`run-${id}`]);
    await storage.commit([{ kind: "delete_thread", id, keepTombstone: 1_000 }]);
    expect(await storage.threads.get(id)).toBeUndefined();
    expect(await storage.threads.get(`${id}x`)).toBeDefined();
  });

  test.each(hostile)("as a key and as a value of metadata: %j", async (text) => {
    await storage.commit([
      { ...newThread("key"), metadata: JSON.stringify({ [text]: "there" }) },
      { ...newThread("value"), metadata: JSON.stringify({ key: text }) },
      { ...newThread("nested"), metadata: JSON.stringify({ deep: { [text]: "there", key: text } }) },
    ]);
    expect(await found({ [text]: "there" })).toEqual(["key"]);
    expect(await found({ key: text })).toEqual(["value"]);
  });

  test('1, 1.0, "1" and true are told apart; null, objects and absent keys are never found', async () => {
    const values = {
      one: 1,
      text: "1",
      yes: true,
      yesText: "true",
      zero: 0,
      no: false,
      none: null,
      list: [1],
      big: 1e21,
      half: 0.5,
    };
    await storage.commit(
      Object.entries(values).map(([id, value]) => ({ ...newThread(id), metadata: JSON.stringify({ v: value }) })),
    );
    expect(await found({ v: 1 })).toEqual(["one"]);
    expect(await found({ v: "1" })).toEqual(["text"]);
    expect(await found({ v: true })).toEqual(["yes"]);
    expect(await found({ v: "true" })).toEqual(["yesText"]);
    expect(await found({ v: 0 })).toEqual(["zero"]);
    expect(await found({ v: false })).toEqual(["no"]);
    expect(await found({ v: 1e21 })).toEqual(["big"]);
    expect(await found({ v: 0.5 })).toEqual(["half"]);
    expect(await found({ v: "null" })).toEqual([]);
    expect(await found({ v: "[1]" })).toEqual([]);
    expect(await found({ w: 1 })).toEqual([]);
    expect(await storage.threads.count({ metadata: {} })).toBe(10);
  });

  test("JSON text comes back byte for byte, escapes and all", async () => {
    const input = '{"lone":"\\ud800","zero":"\\u0000","numbers":[1e-7,12345678901234567890,1.0]}';
    await storage.commit([newRun("r", { input })]);
    expect((await storage.runs.get("r"))?.input).toBe(input);
  });

  test("order is binary", async () => {
    const ids = ["a", "B", "ä", "Z", "_", "0", "😀", "\uFFFD"];
    await storage.commit(ids.map(newThread));
    const list = await storage.threads.list({ sortBy: "createdAt", order: "asc", limit: 10 });
    const bytes = (text: string) => Buffer.from(text).toString("hex");
    expect(list.map(({ id }) => id)).toEqual(ids.toSorted((a, b) => (bytes(a) < bytes(b) ? -1 : 1)));
  });
});

async function found(metadata: MetadataFilter): Promise<string[]> {
  const threads = await storage.threads.list({ metadata, sortBy: "createdAt", order: "asc", limit: 50 });
  return threads.map(({ id }) => id);
}

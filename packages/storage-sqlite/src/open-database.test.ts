import { describe, expect, it } from "vitest";
import { openDatabase, requireLoadable } from "./open-database.js";

const node20 = { napi: "9", node: "20.20.2" };
const node22 = { napi: "10", node: "22.14.0" };

describe("which better-sqlite3 this Node can load", () => {
  it.each([
    ["12 on Node 20", { driver: "12.11.1", ...node20 }],
    ["12 on Node 22", { driver: "12.11.1", ...node22 }],
    ["13 on Node 22", { driver: "13.2.0", ...node22 }],
    ["14 on a Node to come", { driver: "14.0.0", napi: "11", node: "28.0.0" }],
  ])("loads %s", (_, versions) => {
    expect(() => requireLoadable(versions)).not.toThrow();
  });

  it.each([
    ["13 on Node 20", { driver: "13.2.0", ...node20 }],
    ["13 where Node does not say", { driver: "13.2.0", napi: undefined, node: "20.0.0" }],
  ])("refuses %s, which would end the process, and says what to do", (_, versions) => {
    expect(() => requireLoadable(versions)).toThrow(
      expect.objectContaining({
        code: "STORAGE_UNAVAILABLE",
        message: expect.stringMatching(/better-sqlite3 13\.2\.0 needs Node\.js 22\.14.*pin the driver.*"\^12/),
        details: { driver: "13.2.0", node: versions.node },
      }),
    );
  });

  it("opens what is installed here", () => {
    const database = openDatabase(":memory:");
    expect(database.prepare("select 1").pluck().get()).toBe(1);
    database.close();
  });
});

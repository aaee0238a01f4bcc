import { describe, expect, test } from "vitest";
import { migrations } from "./index.js";
import type { Migration } from "./migration.js";
import { missingMigrations } from "./plan-migrations.js";

const steps: Migration[] = [1, 2, 3].map((version) => ({ version, name: `step ${version}`, statements: () => [] }));

describe("which migrations are missing", () => {
  test.each([
    [[], [1, 2, 3]],
    [[1], [2, 3]],
    [[1, 2, 3], []],
    [[1, 3], [2]],
  ])("of a database that has %j: %j", (applied, missing) => {
    expect(missingMigrations(applied, steps).map(({ version }) => version)).toEqual(missing);
  });

  test("a database that has more is refused", () => {
    expect(() => missingMigrations([1, 2, 3, 4], steps)).toThrow(
      expect.objectContaining({ code: "STORAGE_NEWER", details: { found: 4, known: 3 } }),
    );
  });

  test("ours are counted from 1 without gaps", () => {
    expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, index) => index + 1));
  });
});

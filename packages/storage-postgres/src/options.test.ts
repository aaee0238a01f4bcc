import { expect, test } from "vitest";
import { settingsOf } from "./options.js";

const connectionString = "postgres://nowhere.invalid/app";

test("a server may take a minute longer to answer than a row is waited for, unless told otherwise", () => {
  expect(settingsOf(connectionString)).toMatchObject({ wait: 10_000, queryTimeout: 70_000 });
  expect(settingsOf({ connectionString, wait: 1 })).toMatchObject({ wait: 1, queryTimeout: 60_001 });
  expect(settingsOf({ connectionString, queryTimeout: 5 })).toMatchObject({ wait: 10_000, queryTimeout: 5 });
  expect(settingsOf({ connectionString, wait: 2 ** 31 - 1 })).toMatchObject({ queryTimeout: 2 ** 31 - 1 });
});

// A timer that is told to wait for longer than it can fires at once.
test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, "1000", null])("%s is no time to wait", (value) => {
  for (const name of ["wait", "queryTimeout"]) {
    expect(() => settingsOf({ connectionString, [name]: value })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining(name) }),
    );
  }
});

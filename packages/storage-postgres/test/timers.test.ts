/** Timers outlive nothing: one per statement would keep its rows for a minute, and a closed engine's process alive. */

import { expect, test } from "vitest";
import { openStorage } from "./support/fixture.js";
import { freshSchema, useServer } from "./support/server.js";

const server = useServer();

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

test("an answered statement leaves no timer behind, nor does a refused one", async () => {
  const storage = await openStorage({ connectionString: server().url(), schema: freshSchema(), listen: false });
  const before = timers();
  for (let count = 0; count < 50; count++) await storage.runs.count({});
  await Promise.allSettled(Array.from({ length: 50 }, () => storage.threads.get("\u0000")));
  expect(timers() - before).toBeLessThan(20);
});

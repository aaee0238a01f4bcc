/** Runs the test beside it, as `npx vitest run` would. The example is in digest.ts and digest.test.ts. */

import { fileURLToPath } from "node:url";
import { startVitest } from "vitest/node";

const vitest = await startVitest("test", [], {
  root: fileURLToPath(new URL("..", import.meta.url)),
  config: false,
  watch: false,
  reporters: ["verbose"],
});
await vitest.close();

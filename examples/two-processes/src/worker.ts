/** One worker: a process with an engine that has the agent. It works until somebody ends it. */

import { createEngine } from "@heddle/core";
import { openStorage, write } from "./engine.js";

// The default lease of 15 s is right for hosts that pause now and then; here nobody wants to wait that long.
const engine = createEngine({
  storage: openStorage(),
  agents: [write],
  concurrency: 2,
  lease: 1_500,
  heartbeat: 500,
});
await engine.start();
process.send?.("ready");
process.once("disconnect", () => process.exit());

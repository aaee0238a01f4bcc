/** One worker. It tells which pieces it weaves; told to leave, it finishes them and goes. */

import { createEngine } from "@heddle/core";
import { openStorage, slots, weave } from "./engine.js";

const engine = createEngine({ storage: openStorage(), agents: [weave], concurrency: slots });
const pieces = new Map<string, number>();

engine.on("run_started", ({ run }) => {
  pieces.set(run.id, (run.input as { piece: number }).piece);
  tell();
});
for (const type of ["run_succeeded", "run_failed", "run_canceled", "run_retrying"] as const) {
  engine.on(type, ({ run }) => {
    if (pieces.delete(run.id)) tell();
  });
}

function tell(): void {
  process.send?.([...pieces.values()]);
}

await engine.start();
tell();

process.once("message", async () => {
  await engine.close();
  process.exit();
});
process.once("disconnect", () => process.exit());

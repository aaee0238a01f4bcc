/** Starts roots of families, several at a time, until it is killed. Argument: the database. */

import { createEngine, HeddleError } from "@heddle/core";
import { storageAt } from "../support/storage-at.js";
import { onCommand, tell } from "../support/tell.js";
import { familyAgents, familySettings, root } from "./family-agents.js";

export type FamilyTold =
  | { readonly type: "started"; readonly runId: string }
  | { readonly type: "settled" }
  | { readonly type: "trouble"; readonly message: string };
export type FamilyCommand = { readonly type: "end" };

const lanes = 4;
const [database = ""] = process.argv.slice(2);
const say = tell<FamilyTold>;
const engine = createEngine({ storage: storageAt(database), agents: familyAgents, ...familySettings });
// What the storage tries again is reported too.
engine.on("error", () => {});
await engine.start();
onCommand<FamilyCommand>(() => process.exit());

async function startForEver(): Promise<never> {
  for (;;) {
    const run = await engine.runs.start(root, null);
    say({ type: "started", runId: run.id });
    await run.settled();
    say({ type: "settled" });
  }
}

for (let lane = 0; lane < lanes; lane++) {
  startForEver().catch((error: unknown) => {
    if (!HeddleError.is(error) || !error.code.startsWith("STORAGE_")) say({ type: "trouble", message: String(error) });
  });
}

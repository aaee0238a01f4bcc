/**
 * A refund waits for a person. The engine that asked is closed meanwhile, as a server would be for the night; another one,
 * on the same file, takes the answer. The order is looked up once.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine, HeddleError } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { refunds } from "./refunds.js";

const folder = mkdtempSync(join(tmpdir(), "heddle-human-approval-"));
const open = async () => {
  const engine = createEngine({ storage: sqliteStorage(join(folder, "refunds.db")), agents: [refunds] });
  await engine.start();
  return engine;
};

const evening = await open();
const desk = await evening.threads.create({ id: "refund-desk" });
console.log("a small one:", await (await desk.start(refunds, { order: "A1", amount: 20 })).result());
const large = await desk.start(refunds, { order: "B2", amount: 900 });
console.log("a large one:", (await large.settled()).status);
await evening.close();

console.log("… a night passes; nothing of the run is in memory …");

const morning = await open();
const thread = await morning.threads.get("refund-desk");
for (const question of await thread.questions()) {
  console.log("open question:", question.key, question.payload);
  try {
    await thread.answer({ [question.id]: { approve: "maybe" } });
  } catch (error) {
    if (!HeddleError.is(error, "INVALID_ANSWER")) throw error;
    console.log("an answer that does not fit is refused, and the question stays open");
  }
  const resumed = await thread.answer({ [question.id]: { approve: true } });
  console.log("approved:", await resumed.result());
}
console.log("paid so far:", (await thread.values(refunds)).paid);
await morning.close();
rmSync(folder, { recursive: true });

/** The process that dies: it starts a run in a thread and works on it. */

import { createEngine } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { report } from "./report.js";
import { say } from "./say.js";

const [, , file = "agents.db"] = process.argv;
const engine = createEngine({ storage: sqliteStorage(file), agents: [report] });
await engine.start();
const thread = await engine.threads.create({ id: "library" });
const run = await thread.start(report, { topic: "looms" });
say(`the run is accepted: ${run.id}`);
await run.result();

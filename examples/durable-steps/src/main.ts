/**
 * A process that imports ten pages is killed in the middle. This one takes the run over: completed steps are not done again,
 * at most the one that was under way is.
 */

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createEngine } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { importer } from "./importer.js";

const folder = mkdtempSync(join(tmpdir(), "heddle-durable-steps-"));
const database = join(folder, "import.db");
const log = join(folder, "log.txt");
const pagesDone = (): number[] => (existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").map(Number) : []);

const program = fileURLToPath(new URL("child.ts", import.meta.url));
const child = spawn(process.execPath, ["--import", "tsx", program, database, log], { stdio: "inherit" });
while (pagesDone().length < 4) await sleep(10);
child.kill("SIGKILL");
await new Promise((resolve) => child.once("exit", resolve));
console.log("killed while it worked on page", pagesDone().at(-1));

const engine = createEngine({ storage: sqliteStorage(database), agents: [importer] });
await engine.start();
const run = await engine.runs.start(importer, { log }, { idempotencyKey: "the-import" });
console.log("rows:", await run.result());
const { attempt } = await run.info();
console.log("attempts:", attempt);
const repeated = pagesDone().length - 10;
console.log("steps done twice:", repeated);
if (repeated > 1) throw new Error("a completed step was repeated");
await engine.close();
rmSync(folder, { recursive: true });

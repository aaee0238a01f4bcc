/** Starts the import and works until it is killed. */

import { createEngine } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { importer } from "./importer.js";

const [database = "", log = ""] = process.argv.slice(2);
const engine = createEngine({ storage: sqliteStorage(database), agents: [importer] });
await engine.start();
await engine.runs.start(importer, { log }, { idempotencyKey: "the-import" });

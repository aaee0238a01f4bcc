/** Cancels runs that another process drives. Argument: the database. */

import { setTimeout as sleep } from "node:timers/promises";
import { createEngine } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { onCommand, tell } from "../support/tell.js";

export interface CancelerCommand {
  readonly type: "cancel";
  readonly runId: string;
  /** ms before. */
  readonly wait: number;
}

export type CancelerTold =
  | { readonly type: "ready" }
  | { readonly type: "canceled"; readonly runId: string; readonly outcome: string };

const [path = ""] = process.argv.slice(2);
const engine = createEngine({ storage: sqliteStorage(path) });
await engine.start();

onCommand<CancelerCommand>(async ({ runId, wait }) => {
  await sleep(wait);
  const { outcome } = await engine.runs.cancel(runId);
  tell<CancelerTold>({ type: "canceled", runId, outcome });
});
tell<CancelerTold>({ type: "ready" });

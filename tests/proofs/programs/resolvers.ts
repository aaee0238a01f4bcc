/** Answers one question, several times at once, whenever it is told to. Arguments: database, answerers. */

import { createEngine, HeddleError } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { onCommand, tell } from "../support/tell.js";

export interface ResolverCommand {
  readonly type: "race";
  readonly runId: string;
  /** The moment at which all processes answer, epoch ms. */
  readonly at: number;
}

export type ResolverTold =
  | { readonly type: "ready" }
  /** For each answer: the run that it started, or why it was refused. */
  | {
      readonly type: "raced";
      readonly runId: string;
      readonly won: readonly string[];
      readonly refused: readonly string[];
    };

const [path = "", answerers = ""] = process.argv.slice(2);
const engine = createEngine({ storage: sqliteStorage(path) });
await engine.start();

onCommand<ResolverCommand>(async ({ runId, at }) => {
  const run = await engine.runs.get(runId);
  while (Date.now() < at);
  const answers = Array.from({ length: Number(answerers) }, () => run.answer({ go: process.pid }));
  const won: string[] = [];
  const refused: string[] = [];
  for (const result of await Promise.allSettled(answers)) {
    if (result.status === "fulfilled") won.push(result.value.id);
    else if (HeddleError.is(result.reason)) refused.push(result.reason.code);
    else throw result.reason;
  }
  tell<ResolverTold>({ type: "raced", runId, won, refused });
});
tell<ResolverTold>({ type: "ready" });

/** Starts runs on one thread, several at once, whenever it is told to. Arguments: database, thread id, starters. */

import { createEngine, defineAgent, HeddleError } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { onCommand, tell } from "../support/tell.js";

export type StarterCommand =
  /** `at`: the moment at which all processes start, epoch ms. */
  { readonly type: "race"; readonly round: number; readonly at: number } | { readonly type: "finish" };

export type StarterTold =
  | { readonly type: "ready" }
  | { readonly type: "raced"; readonly round: number; readonly attempts: readonly Attempt[] };

export type Attempt =
  | { readonly won: string }
  | { readonly refused: string; readonly activeRunId: unknown; readonly worker: unknown };

const [path = "", threadId = "", starters = ""] = process.argv.slice(2);

let finish = (): void => {};
let finished = Promise.resolve();

/** Holds the thread until the round is judged, so that no second run can win because the first is done. */
const hold = defineAgent({
  name: "hold",
  async run() {
    await finished;
  },
});

const engine = createEngine({ storage: sqliteStorage(path), agents: [hold] });
await engine.start();
const thread = await engine.threads.get(threadId);

async function start(): Promise<Attempt> {
  try {
    return { won: (await thread.start(hold, null)).id };
  } catch (error) {
    if (!HeddleError.is(error)) throw error;
    const { activeRunId, worker } = error.details;
    return { refused: error.code, activeRunId, worker };
  }
}

onCommand<StarterCommand>(async (command) => {
  if (command.type === "finish") return finish();
  finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  while (Date.now() < command.at);
  const attempts = await Promise.all(Array.from({ length: Number(starters) }, start));
  tell<StarterTold>({ type: "raced", round: command.round, attempts });
});
tell<StarterTold>({ type: "ready" });

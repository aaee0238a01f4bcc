/** Settles runs with a hook, one after the other in several lanes, until it is killed. Argument: the database. */

import { createEngine, HeddleError } from "@heddle/core";
import { storageAt } from "../support/storage-at.js";
import { onCommand, tell } from "../support/tell.js";
import { hookedAgent, type Order } from "./hooked-agent.js";

export type HookedTold =
  /** A settle's transaction is under way; or is over. */
  { readonly type: "settling" } | { readonly type: "settled" } | { readonly type: "trouble"; readonly message: string };
export type HookedCommand = { readonly type: "end" };

const lanes = 3;
const orders: readonly Order[] = ["succeed", "throw", "change values", "refuse", "cancel"];

const [database = ""] = process.argv.slice(2);
const say = tell<HookedTold>;
const hooked = hookedAgent(database, () => say({ type: "settling" }));
const engine = createEngine({ storage: storageAt(database), agents: [hooked], lease: 1_500, heartbeat: 500 });
// The hook's own refusals are reported, and what the storage tries again.
engine.on("error", () => {});
await engine.start();
onCommand<HookedCommand>(() => process.exit());

async function settleForEver(lane: number): Promise<never> {
  for (let turn = lane; ; turn++) {
    const order = orders[turn % orders.length] as Order;
    const thread = turn % 2 === 0 ? await engine.threads.getOrCreate(`lane ${lane} of ${process.pid}`) : undefined;
    const run = await (thread === undefined
      ? engine.runs.start(hooked, order)
      : thread.start(hooked, order, { whenBusy: "enqueue" }));
    if (order === "cancel") await run.cancel();
    await run.settled();
    say({ type: "settled" });
  }
}

for (let lane = 0; lane < lanes; lane++) {
  settleForEver(lane).catch((error: unknown) => {
    if (!HeddleError.is(error) || !error.code.startsWith("STORAGE_")) say({ type: "trouble", message: String(error) });
  });
}

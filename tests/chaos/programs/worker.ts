/** One worker process. */

import { createEngine } from "@heddle/core";
import { RecordedProcess } from "@heddle/core/testing";
import { onCommand, tell } from "../../proofs/support/tell.js";
import { agentNames } from "../make-load.js";
import { slots } from "../options.js";
import { openStorage, readArguments, startAtLast } from "./set-up.js";

export type WorkerCommand = { readonly type: "fill_slots" } | { readonly type: "close" };
export type WorkerTold =
  | { readonly type: "ready" }
  | { readonly type: "at_work"; readonly attempts: number }
  | { readonly type: "filled" };

const { setting, name } = readArguments();
const recorded = new RecordedProcess({ folder: setting.folder, name });
const engine = createEngine({
  storage: openStorage(setting),
  agents: [...agentNames.map((agent) => recorded.agent(agent)), recorded.slotFiller(slots)],
  concurrency: slots,
  lease: setting.lease,
  heartbeat: setting.lease / 3,
  cancelGrace: 1_000,
  suspendAfter: 300,
  closeGrace: 500,
});

onCommand<WorkerCommand>(async ({ type }) => {
  if (type === "fill_slots") {
    await recorded.fillSlots(engine, slots);
    tell<WorkerTold>({ type: "filled" });
  } else {
    await engine.close();
    process.exit();
  }
});

recorded.join(engine);
await startAtLast(engine);
tell<WorkerTold>({ type: "ready" });
setInterval(() => tell<WorkerTold>({ type: "at_work", attempts: recorded.attempts }), 500);

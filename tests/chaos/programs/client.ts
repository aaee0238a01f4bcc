/** One client process: several clients on an engine that does not work itself. Further arguments: per lane the last step taken. */

import { setTimeout as sleep } from "node:timers/promises";
import { createEngine } from "@heddle/core";
import { RecordedProcess } from "@heddle/core/testing";
import { onCommand, tell } from "../../proofs/support/tell.js";
import { agentNames, isRepeatable, makeLoad } from "../make-load.js";
import { lanesPerClient, openCallsPerClient } from "../options.js";
import { openStorage, readArguments, startAtLast } from "./set-up.js";

/** `finish`: take no more steps. */
export type ClientCommand =
  | { readonly type: "finish" }
  | { readonly type: "stop_readers" }
  | { readonly type: "close" };
export type ClientTold =
  | { readonly type: "ready" }
  | { readonly type: "step"; readonly lane: number; readonly step: number }
  | { readonly type: "counts"; readonly accepted: number; readonly settled: number; readonly open: number }
  | { readonly type: "finished" };

const { setting, name, rest } = readArguments();
const waits = new Map<number, string>();
const settled = new Set<string>();
const recorded = new RecordedProcess({
  folder: setting.folder,
  name,
  onEntry(entry) {
    if (entry.type === "call" && entry.command.kind === "wait") waits.set(entry.call, entry.command.runId);
    if (entry.type !== "answer") return;
    const runId = waits.get(entry.call);
    if (runId !== undefined && entry.answer.type === "ok") settled.add(runId);
    waits.delete(entry.call);
  },
});
const engine = createEngine({
  storage: openStorage(setting),
  agents: agentNames.map((agent) => recorded.agent(agent)),
  work: false,
});
let finishing = false;

onCommand<ClientCommand>(async ({ type }) => {
  if (type === "finish") finishing = true;
  if (type === "stop_readers") recorded.stopReaders();
  if (type !== "close") return;
  await engine.close();
  process.exit();
});

recorded.join(engine);
await startAtLast(engine);
tell<ClientTold>({ type: "ready" });
setInterval(
  () =>
    tell<ClientTold>({ type: "counts", accepted: recorded.accepted, settled: settled.size, open: recorded.openCalls }),
  200,
);

const lanes = setting.clients * lanesPerClient;
await Promise.all(rest.map((first, index) => walk(laneOf(index), Number(first))));
tell<ClientTold>({ type: "finished" });

/** Lanes of this client, counted over all. */
function laneOf(index: number): number {
  const [, client = "0"] = /^client(\d+)/.exec(name) ?? [];
  return Number(client) * lanesPerClient + index;
}

/** @param left where a client that was killed left off; whether that step was taken nobody knows. -1: there was none */
async function walk(lane: number, left: number): Promise<void> {
  const client = recorded.client(`c${lane}`, engine);
  let step = -1;
  for (const next of makeLoad({ ...setting, lane, lanes })) {
    if (finishing) return;
    if (++step < left || (step === left && !isRepeatable(next))) continue;
    while (recorded.openCalls > openCallsPerClient && !finishing) await sleep(20);
    tell<ClientTold>({ type: "step", lane, step });
    await client.take(next);
  }
}

import { expect, test } from "vitest";
import type { EventRecord } from "../model/event.js";
import { Subscription } from "./subscription.js";

const stored: readonly EventRecord[] = [1, 2, 3, 4].map((seq) => ({
  stream: "t:thr",
  seq,
  runId: "run",
  attempt: 1,
  rollout: 1,
  type: "note",
  payload: "null",
  createdAt: 0,
}));

const delta = (sequenceNumber: number, behind: number) =>
  ({
    kind: "delta",
    delta: { kind: "delta", runId: "run", attempt: 1, sequenceNumber, type: "token", payload: null },
    behind,
    isRelayed: true,
  }) as const;

test("a delta from another process that arrives while stored events are read does not come behind what was sent after it", async () => {
  const read = async ({ after }: { readonly after: number }) => stored.filter(({ seq }) => seq > after);
  const subscription = new Subscription({ read }, { stream: "t:thr", after: 0, bufferedDeltas: 10 });
  const seen: string[] = [];
  for (let frame = await subscription.next(); frame !== undefined; frame = await subscription.next()) {
    if (frame.kind === "event") seen.push(`event ${frame.seq}`);
    else if (frame.kind === "delta") seen.push(`delta ${frame.sequenceNumber}`);
    else if (frame.kind === "dropped") seen.push(`${frame.count} dropped`);
    if (frame.kind !== "event") continue;
    if (frame.seq === 2) {
      subscription.push(delta(1, 1));
      subscription.push(delta(2, 2));
    }
    if (frame.seq === 4) subscription.end();
  }
  expect(seen).toEqual(["event 1", "event 2", "1 dropped", "delta 2", "event 3", "event 4"]);
});

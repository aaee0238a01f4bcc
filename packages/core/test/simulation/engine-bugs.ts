/** Bugs in the engine's own parts, put in by replacing a method. */

import { AttemptDriver } from "../../dist/engine/attempt-driver.js";
import { Dispatcher } from "../../dist/engine/dispatcher.js";
import { FrameHub } from "../../dist/runtime/frame-hub.js";
import { Outbox } from "../../dist/runtime/outbox.js";
import { RunTracker } from "../../dist/runtime/run-tracker.js";
import { Subscription } from "../../dist/runtime/subscription.js";
import type { StoredValues } from "../../dist/runtime/values-cache.js";
import { ValuesCache } from "../../dist/runtime/values-cache.js";
import type { PlantedBug } from "./planted-bug.js";
import { patch } from "./planted-bug.js";

const nothing = () => (): void => {};

export const engineBugs: readonly PlantedBug[] = [
  { name: "a lost lease is not noticed", install: () => patch(AttemptDriver.prototype, "loseLease", nothing) },
  { name: "a cancel does not reach the attempt", install: () => patch(AttemptDriver.prototype, "observe", nothing) },
  { name: "a reservation is not given back", install: () => patch(Dispatcher.prototype, "giveBack", nothing) },
  { name: "a subscription ignores hints", install: () => patch(Subscription.prototype, "stale", nothing) },
  {
    name: "waiters are not checked after a hint",
    install: () => patch(RunTracker.prototype, "recheck", () => async () => {}),
  },
  { name: "a delta is dropped without a mark", install: dropDeltas },
  { name: "a delta overtakes the event before it", install: delayEvents },
  { name: "values are cached by thread, not by checkpoint", install: cacheByLine },
];

function dropDeltas(): () => void {
  let count = 0;
  return patch(
    FrameHub.prototype,
    "publish",
    (publish) =>
      function (this: FrameHub, stream, frame) {
        if (frame.kind === "delta" && ++count % 5 === 0) return;
        publish.call(this, stream, frame);
      },
  );
}

function delayEvents(): () => void {
  return patch(
    Outbox.prototype,
    "emit",
    (emit) =>
      async function (this: Outbox, event) {
        for (let turns = 0; turns < 10; turns++) await Promise.resolve();
        await emit.call(this, event);
      },
  );
}

function cacheByLine(): () => void {
  const newest = new WeakMap<ValuesCache, Map<string, StoredValues>>();
  return patch(
    ValuesCache.prototype,
    "atHand",
    (atHand) =>
      function (this: ValuesCache, checkpointId, line) {
        const known = newest.get(this) ?? new Map<string, StoredValues>();
        newest.set(this, known);
        const values = known.get(line) ?? atHand.call(this, checkpointId, line);
        if (values !== undefined) known.set(line, values);
        return values;
      },
  );
}

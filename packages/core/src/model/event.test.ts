import { expect, test } from "vitest";
import { isTerminalEvent, lifecycleEvents, storedPayload, streamOf, succeededPayload } from "./event.js";

test("a run writes to its thread's stream, a stateless one to its own", () => {
  expect(streamOf({ id: "a", threadId: "b" })).toBe("t:b");
  expect(streamOf({ id: "a", threadId: null })).toBe("r:a");
  expect(streamOf({ id: "a", threadId: "r:a" })).not.toBe(streamOf({ id: "a", threadId: null }));
});

test("four lifecycle events end a run", () => {
  const terminal = lifecycleEvents.filter(isTerminalEvent);
  expect(terminal).toEqual(["run_succeeded", "run_failed", "run_canceled", "run_interrupted"]);
  expect(isTerminalEvent("log")).toBe(false);
});

test("a run's output is stored once: the event leaves it to the run", () => {
  expect(storedPayload({ type: "run_succeeded", payload: '{"output":1}' })).toBeNull();
  expect(storedPayload({ type: "run_failed", payload: "{}" })).toBe("{}");
  expect(succeededPayload("1.0")).toBe('{"output":1.0}');
  expect(succeededPayload("null")).toBe('{"output":null}');
  expect(succeededPayload(null)).toBeNull();
  expect(succeededPayload(undefined)).toBeNull();
});

import type { NewCheckpoint } from "../model/intents/intent.js";
import type { ChangedValues } from "./attempt-values.js";

/** One checkpoint in place of two of which the first was never written. */
export function mergeCheckpoints(
  first: NewCheckpoint | undefined,
  { checkpoint, stored }: ChangedValues,
): NewCheckpoint {
  if (first === undefined) return checkpoint;
  const changedKeys = [...new Set([...first.changedKeys, ...checkpoint.changedKeys])];
  if (checkpoint.encoding === "snapshot") return { ...checkpoint, changedKeys };
  if (first.encoding === "snapshot") {
    return { ...checkpoint, encoding: "snapshot", body: JSON.stringify(stored.tree), changedKeys };
  }
  return { ...checkpoint, body: concatenated(first.body ?? "[]", checkpoint.body ?? "[]"), changedKeys };
}

/** Deltas are JSON arrays of operations that apply in order, and none of these is empty. */
function concatenated(first: string, second: string): string {
  return `${first.slice(0, -1)},${second.slice(1)}`;
}

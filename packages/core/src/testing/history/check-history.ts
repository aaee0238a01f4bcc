/**
 * The judge of a history. It knows what DESIGN section 3 promises and nothing of how the engine keeps it: no code, no
 * type of the model is used here or in `rules/`, so that one mistake cannot hide another.
 */

import { requireOptions } from "../../engine/check-input.js";
import { requireRecords } from "../check-arguments.js";
import type { History } from "./history.js";
import { busyRules } from "./rules/busy-rules.js";
import { callRules } from "./rules/call-rules.js";
import { eventRules } from "./rules/event-rules.js";
import type { Rule } from "./rules/facts.js";
import { gatherFacts } from "./rules/facts.js";
import { keyRules } from "./rules/key-rules.js";
import { memoryRules } from "./rules/memory-rules.js";
import { questionRules } from "./rules/question-rules.js";
import { readerRules } from "./rules/reader-rules.js";
import { runRules } from "./rules/run-rules.js";
import { steeringRules } from "./rules/steering-rules.js";
import { valueRules } from "./rules/value-rules.js";

export interface Violation {
  /** The promise that was broken, by its name in {@link historyRules}. */
  readonly rule: string;
  readonly message: string;
}

/** Every promise by name. */
export const historyRules: Readonly<Record<string, Rule>> = {
  ...callRules,
  ...keyRules,
  ...runRules,
  ...eventRules,
  ...readerRules,
  ...valueRules,
  ...busyRules,
  ...steeringRules,
  ...questionRules,
  ...memoryRules,
};

/**
 * All that a history proves to be broken; empty where everything is as promised.
 * @throws HeddleError INVALID_ARGUMENT for what is no history
 */
export function checkHistory(history: History): readonly Violation[] {
  requireOptions("history", history);
  requireRecords("history.entries", history.entries);
  requireOptions("history.final", history.final);
  for (const part of ["runs", "threads", "logs", "lineages"] as const)
    requireRecords(`history.final.${part}`, history.final[part]);
  const facts = gatherFacts(history);
  return Object.entries(historyRules).flatMap(([rule, find]) => [...find(facts)].map((message) => ({ rule, message })));
}

/**
 * The judge of a history. It knows what DESIGN section 3 promises and nothing of how the engine keeps it: no code, no
 * type of the model is used here or in `rules/`, so that one mistake cannot hide another.
 */

import type { History } from "./history.js";
import { callRules } from "./rules/call-rules.js";
import { eventRules } from "./rules/event-rules.js";
import type { Rule } from "./rules/facts.js";
import { gatherFacts } from "./rules/facts.js";
import { keyRules } from "./rules/key-rules.js";
import { readerRules } from "./rules/reader-rules.js";
import { runRules } from "./rules/run-rules.js";
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
};

/** All that a history proves to be broken; empty where everything is as promised. */
export function checkHistory(history: History): readonly Violation[] {
  const facts = gatherFacts(history);
  return Object.entries(historyRules).flatMap(([rule, find]) => [...find(facts)].map((message) => ({ rule, message })));
}

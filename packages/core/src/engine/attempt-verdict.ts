/** What becomes of a run whose attempt's code returned or threw. */

import { HeddleError } from "../errors.js";
import type { RunError } from "../model/run.js";
import { parseWith } from "../model/values-schema.js";
import type { AttemptResult } from "../ports/executor.js";
import type { AttemptValues, ChangedValues } from "./attempt-values.js";
import { checkJson } from "./check-input.js";
import type { Core, RegisteredAgent } from "./core.js";

export type Verdict =
  | { readonly type: "succeeded"; readonly output: string; readonly changed: ChangedValues | undefined }
  | { readonly type: "failed"; readonly error: RunError; readonly final: boolean };

/** @throws HeddleError INVALID_OUTPUT, INVALID_VALUES, INVALID_JSON, TOO_LARGE */
export function acceptResult(
  { settings, random }: Core,
  agent: RegisteredAgent,
  values: AttemptValues | undefined,
  result: AttemptResult,
): Extract<Verdict, { type: "succeeded" }> {
  if (typeof result !== "object" || result === null) {
    throw new HeddleError("INVALID_OUTPUT", "The agent must return an object { output, values } or nothing.");
  }
  const { output: schema } = agent.definition;
  const given =
    schema === undefined ? (result.output ?? null) : parseWith(schema, result.output, "INVALID_OUTPUT", "output");
  const output = checkJson("output", given, settings.limits.output);
  if (result.values === undefined) return { type: "succeeded", output, changed: undefined };
  return { type: "succeeded", output, changed: values?.change(result.values, random.id("chk")) };
}

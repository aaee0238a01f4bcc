/** What an executor is given of one attempt. */

import type { JsonObject } from "../model/json.js";
import { parseJson } from "../model/json.js";
import { lazyProperties } from "../model/lazy-properties.js";
import type { RunRecord } from "../model/run.js";
import { parseWith } from "../model/values-schema.js";
import type { Attempt } from "../ports/executor.js";
import type { Agent } from "./agent.js";
import type { Core } from "./core.js";
import type { LazyAbort } from "./lazy-abort.js";

export interface AttemptSignals {
  readonly abort: LazyAbort;
  readonly fence: LazyAbort;
}

const nothing: JsonObject = Object.freeze({});

const withSignals = lazyProperties<AttemptSignals, Pick<Attempt, "signal" | "fence">>({
  signal: ({ abort }) => abort.signal,
  fence: ({ fence }) => fence.signal,
});

/**
 * A plain object, so that an executor around another one may hand on a copy with changes.
 * @throws HeddleError INVALID_INPUT, INVALID_CONFIG, CORRUPT_DATA
 */
export function liveAttempt(
  { clock, random }: Core,
  agent: Agent,
  run: RunRecord,
  values: JsonObject,
  signals: AttemptSignals,
): Attempt {
  const inputJson = parseJson(run.input, "input");
  const config = run.config === null ? undefined : parseJson(run.config, "config");
  const attempt = {
    runId: run.id,
    threadId: run.threadId,
    lineageId: run.lineageId,
    agent,
    attempt: run.attempt,
    resumed: run.id !== run.lineageId,
    input: agent.input === undefined ? inputJson : parseWith(agent.input, inputJson, "INVALID_INPUT", "input"),
    inputJson,
    config: agent.config === undefined ? config : parseWith(agent.config, config, "INVALID_CONFIG", "config"),
    metadata: run.metadata === "{}" ? nothing : (parseJson(run.metadata, "metadata") as JsonObject),
    values,
    clock,
    random,
  };
  return withSignals(attempt, signals);
}

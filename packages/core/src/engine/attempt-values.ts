/**
 * The values of one attempt: what the agent is handed, and what it makes of them.
 *
 * The agent gets the head's stored tree itself, frozen, with defaults in place of absent top-level keys and without
 * the keys its schema does not know. What it returns is compared with that tree by identity, so only what changed is
 * validated, copied and written.
 */

import type { NewCheckpoint } from "../model/intents/intent.js";
import type { JsonObject } from "../model/json.js";
import { reconcile } from "../model/reconcile.js";
import type { RunRecord } from "../model/run.js";
import type { ValuesSchema } from "../model/values-schema.js";
import type { StoredValues, ValuesCache } from "../runtime/values-cache.js";
import { encodeCheckpoint, noValues } from "../runtime/values-cache.js";
import type { Core, RegisteredAgent } from "./core.js";

export interface ChangedValues {
  readonly checkpoint: NewCheckpoint;
  readonly stored: StoredValues;
}

export class AttemptValues {
  readonly #cache: ValuesCache;
  readonly #agent: RegisteredAgent;
  readonly #maxBytes: number;
  readonly #line: string;
  #stored: StoredValues;

  private constructor(
    cache: ValuesCache,
    agent: RegisteredAgent,
    maxBytes: number,
    line: string,
    stored: StoredValues,
  ) {
    this.#cache = cache;
    this.#agent = agent;
    this.#maxBytes = maxBytes;
    this.#line = line;
    this.#stored = stored;
  }

  /** Without waiting, where they need not be read. @throws HeddleError INVALID_VALUES */
  static atHand(core: Core, agent: RegisteredAgent, run: RunRecord): AttemptValues | undefined {
    const stored = core.values.atHand(run.headCheckpointId, lineOf(run));
    return stored && AttemptValues.#of(core, agent, run, stored);
  }

  /** @throws HeddleError INVALID_VALUES, CORRUPT_DATA, CHECKPOINT_NOT_FOUND */
  static async load(core: Core, agent: RegisteredAgent, run: RunRecord): Promise<AttemptValues> {
    return AttemptValues.#of(core, agent, run, await core.values.load(run.headCheckpointId, lineOf(run)));
  }

  static #of({ values, settings }: Core, agent: RegisteredAgent, run: RunRecord, stored: StoredValues): AttemptValues {
    const line = lineOf(run);
    requireValid(agent.values, stored.tree, stored === noValues ? noLine : line);
    return new AttemptValues(values, agent, settings.limits.values, line, stored);
  }

  /** What the agent sees. */
  get visible(): JsonObject {
    const { values } = this.#agent;
    return values.visible(values.fillDefaults(this.#stored.tree));
  }

  /** @throws HeddleError INVALID_VALUES, INVALID_JSON, TOO_LARGE */
  change(update: Readonly<Record<string, unknown>>, checkpointId: string): ChangedValues {
    const next = reconcile(this.#stored.tree, update, {
      schema: this.#agent.values,
      baseBytes: this.#stored.bytes,
      maxBytes: this.#maxBytes,
      identity: this.#agent.executor.sharesMemory,
    });
    const { checkpoint, values } = encodeCheckpoint(checkpointId, this.#stored, next);
    return { checkpoint, stored: values };
  }

  /** The change is committed. */
  adopt({ checkpoint, stored }: ChangedValues): void {
    this.#stored = stored;
    rememberValid(this.#agent.values, stored.tree, this.#line);
    this.#cache.put(checkpoint.id, this.#line, stored);
  }
}

/** What the values belong to. */
function lineOf({ threadId, lineageId }: RunRecord): string {
  return threadId ?? lineageId;
}

/** All lines begin with the same empty tree: it is looked at once. No thread or run has this name. */
const noLine = "";

/** Trees known to satisfy a schema: the newest per line, so the next tree of the line needs a look at the difference. */
const validTrees = new WeakMap<ValuesSchema, Map<string, JsonObject>>();
const rememberedLines = 1_000;

/** @throws HeddleError INVALID_VALUES: another agent, an edit or an older schema left values this agent cannot take */
function requireValid(schema: ValuesSchema, tree: JsonObject, line: string): void {
  const valid = validTrees.get(schema)?.get(line);
  if (valid === tree) return;
  if (valid === undefined) schema.validateWhole(tree);
  else validateDifference(schema, valid, tree);
  rememberValid(schema, tree, line);
}

function validateDifference(schema: ValuesSchema, valid: JsonObject, tree: JsonObject): void {
  const gone = Object.keys(valid).some((key) => !Object.hasOwn(tree, key));
  if (gone) schema.validateWhole(tree);
  else reconcile(valid, schema.visible(tree), { schema, baseBytes: 0 });
}

function rememberValid(schema: ValuesSchema, tree: JsonObject, line: string): void {
  const lines = validTrees.get(schema) ?? new Map<string, JsonObject>();
  validTrees.set(schema, lines);
  // For the order alone, so only where something may have to go: what a Map dropped lives on in its old tables for a while.
  if (lines.size > rememberedLines / 2) lines.delete(line);
  lines.set(line, tree);
  if (lines.size <= rememberedLines) return;
  for (const oldest of lines.keys()) {
    lines.delete(oldest);
    return;
  }
}

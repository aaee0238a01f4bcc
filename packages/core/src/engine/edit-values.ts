/** A host's own change of a thread's values: read the head, work out the difference, write it if the head is still there. */

import type { CheckpointRef, HeadMoved, MoveHead } from "../model/intents/intent.js";
import type { JsonObject } from "../model/json.js";
import { reconcile } from "../model/reconcile.js";
import type { ThreadRecord } from "../model/thread.js";
import { type ValuesSchema, valuesSchema } from "../model/values-schema.js";
import { encodeCheckpoint, type StoredValues } from "../runtime/values-cache.js";
import type { Core } from "./core.js";
import { loadHead } from "./load-head.js";
import { agentOf } from "./start-run.js";

export interface Edit {
  readonly values: Readonly<Record<string, unknown>>;
  readonly agent: { readonly name: string } | string | undefined;
  /** Edit the values as they were there. Default: the head. */
  readonly at: CheckpointRef | undefined;
}

export interface EditedValues {
  readonly checkpointId: string;
  /** All of the thread's values from here on, frozen. */
  readonly values: JsonObject;
}

/** @throws HeddleError THREAD_BUSY, THREAD_NOT_FOUND, CHECKPOINT_NOT_FOUND, INVALID_VALUES, INVALID_JSON, TOO_LARGE */
export async function editValues(core: Core, threadId: string, edit: Edit): Promise<EditedValues> {
  const checkpointId = core.random.id("chk");
  for (;;) {
    const { thread } = await loadHead(core, threadId);
    const from = edit.at?.id ?? thread.headCheckpointId;
    const line = edit.at === undefined ? threadId : `${threadId}@${edit.at.id}`;
    const base = await core.values.load(from, line);
    const { checkpoint, values } = changed(core, schemaOf(core, thread, edit), base, edit, checkpointId);
    const where = edit.at === undefined ? { expectedHead: from } : { to: edit.at };
    const intent: MoveHead = { kind: "move_head", threadId, checkpoint, ...where };
    const { outcome }: HeadMoved = await core.committer.commit<"move_head">(intent);
    if (outcome === "stale") continue;
    core.values.put(checkpointId, threadId, values);
    return { checkpointId, values: values.tree };
  }
}

function changed(core: Core, schema: ValuesSchema, base: StoredValues, { values }: Edit, checkpointId: string) {
  const next = reconcile(base.tree, values, {
    schema,
    baseBytes: base.bytes,
    maxBytes: core.settings.limits.values,
    // The host's objects were never handed out.
    identity: false,
  });
  return encodeCheckpoint(checkpointId, base, next);
}

const anyJson = valuesSchema(undefined);

/** The named agent's, else that of the agent that was active last; where this engine does not have it, any JSON. */
function schemaOf(core: Core, { lastAgent }: ThreadRecord, { agent }: Edit): ValuesSchema {
  if (agent !== undefined) return agentOf(core, agent).values;
  return core.agents.get(lastAgent ?? "")?.values ?? anyJson;
}

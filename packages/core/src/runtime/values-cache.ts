/**
 * Values by checkpoint. A checkpoint never changes, so its tree may be shared by all who read it; trees of one thread
 * share what did not change between them. The first load costs O(state); with an ancestor here, only the deltas since.
 */

import { HeddleError } from "../errors.js";
import { snapshotIsDue } from "../model/checkpoint.js";
import { applyDeltas } from "../model/delta.js";
import type { NewCheckpoint } from "../model/intents/intent.js";
import { byteLength, jsonBytes, parseJson } from "../model/json.js";
import type { Json, JsonObject } from "../model/json.js";
import type { Reconciled } from "../model/reconcile.js";
import type { CheckpointChain, CheckpointReader } from "../ports/storage.js";

/** Values with what is needed to write the next checkpoint. */
export interface StoredValues {
  readonly tree: JsonObject;
  /** JSON bytes of the tree. */
  readonly bytes: number;
  /** JSON bytes of the deltas since the last snapshot. */
  readonly deltaBytes: number;
}

export const noValues: StoredValues = { tree: Object.freeze({}), bytes: 2, deltaBytes: 0 };

export class ValuesCache {
  readonly #checkpoints: CheckpointReader;
  readonly #budget: number;
  /** Least recently used first. */
  readonly #entries = new Map<string, StoredValues>();
  readonly #newestOf = new Map<string, string>();
  #bytes = 0;

  /** @param budget JSON bytes kept */
  constructor(checkpoints: CheckpointReader, budget: number) {
    this.#checkpoints = checkpoints;
    this.#budget = budget;
  }

  /**
   * @param line what the checkpoint belongs to (a thread, a lineage): an older entry of it saves reading
   * @throws HeddleError CHECKPOINT_NOT_FOUND, CORRUPT_DATA
   */
  async load(checkpointId: string | null, line: string): Promise<StoredValues> {
    if (checkpointId === null) return noValues;
    const known = this.#entries.get(checkpointId);
    if (known !== undefined) {
      this.put(checkpointId, line, known);
      return known;
    }
    const values = await this.#read(checkpointId, line);
    this.put(checkpointId, line, values);
    return values;
  }

  put(checkpointId: string, line: string, values: StoredValues): void {
    this.#forget(checkpointId);
    const older = this.#newestOf.get(line);
    if (older !== undefined && older !== checkpointId) this.#forget(older);
    this.#newestOf.set(line, checkpointId);
    this.#entries.set(checkpointId, values);
    this.#bytes += values.bytes;
    for (const id of this.#entries.keys()) {
      if (this.#bytes <= this.#budget || id === checkpointId) break;
      this.#forget(id);
    }
    if (this.#newestOf.size > 2 * this.#entries.size + 64) this.#sweepLines();
  }

  async #read(checkpointId: string, line: string): Promise<StoredValues> {
    const since = this.#newestOf.get(line);
    const base = since === undefined ? undefined : this.#entries.get(since);
    const chain = await this.#checkpoints.chain(checkpointId, base === undefined ? undefined : since);
    if (chain === undefined) throw checkpointNotFound(checkpointId);
    return replay(chain, base ?? noValues, checkpointId);
  }

  #forget(checkpointId: string): void {
    const entry = this.#entries.get(checkpointId);
    if (entry === undefined) return;
    this.#entries.delete(checkpointId);
    this.#bytes -= entry.bytes;
  }

  #sweepLines(): void {
    for (const [line, id] of this.#newestOf) if (!this.#entries.has(id)) this.#newestOf.delete(line);
  }
}

export function checkpointNotFound(checkpointId: string): HeddleError {
  return new HeddleError("CHECKPOINT_NOT_FOUND", `There is no checkpoint "${checkpointId}".`, {
    details: { checkpointId },
  });
}

function replay(chain: CheckpointChain, cached: StoredValues, checkpointId: string): StoredValues {
  let start = chain.continuesSince ? cached : noValues;
  const deltas: Json[] = [];
  let { bytes, deltaBytes }: { bytes: number | null; deltaBytes: number } = start;
  for (const link of chain.links) {
    if (link.body === null) continue;
    bytes = link.valuesBytes;
    if (link.encoding === "snapshot") {
      const body = parseJson(link.body, `checkpoint ${link.id}`);
      start = { tree: body as JsonObject, bytes: link.valuesBytes ?? jsonBytes(body), deltaBytes: 0 };
      deltas.length = 0;
      deltaBytes = 0;
    } else {
      deltas.push(parseDelta(link.body, link.id));
      deltaBytes += byteLength(link.body);
    }
  }
  try {
    const tree = deltas.length === 0 ? start.tree : applyDeltas(start.tree, deltas);
    return { tree, bytes: bytes ?? jsonBytes(tree), deltaBytes };
  } catch (error) {
    const message = `Checkpoint "${checkpointId}" does not read back: a delta does not fit its parent.`;
    throw new HeddleError("CORRUPT_DATA", message, { details: { checkpointId }, cause: error });
  }
}

/** Not frozen: what a delta carries into the tree is frozen when it is applied, and the rest is thrown away. */
function parseDelta(text: string, checkpointId: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    const message = `The delta of checkpoint "${checkpointId}" is not readable as JSON.`;
    throw new HeddleError("CORRUPT_DATA", message, { details: { checkpointId }, cause });
  }
}

/** The checkpoint that brings `base` to `next`, and the values it stands for. */
export function encodeCheckpoint(
  id: string,
  base: StoredValues,
  next: Reconciled,
): { readonly checkpoint: NewCheckpoint; readonly values: StoredValues } {
  const { tree, bytes, changedKeys } = next;
  if (next.delta.length === 0) {
    return {
      checkpoint: { id, encoding: "same", body: null, valuesBytes: null, changedKeys: [] },
      values: base,
    };
  }
  const delta = JSON.stringify(next.delta);
  const deltaBytes = base.deltaBytes + byteLength(delta);
  if (!snapshotIsDue(deltaBytes, bytes)) {
    return {
      checkpoint: { id, encoding: "delta", body: delta, valuesBytes: bytes, changedKeys },
      values: { tree, bytes, deltaBytes },
    };
  }
  return {
    checkpoint: { id, encoding: "snapshot", body: JSON.stringify(tree), valuesBytes: bytes, changedKeys },
    values: { tree, bytes, deltaBytes: 0 },
  };
}

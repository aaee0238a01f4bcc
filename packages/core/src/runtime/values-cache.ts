/**
 * Values by checkpoint. A checkpoint never changes, so its tree may be shared by all who read it; trees of one thread
 * share what did not change between them. The first load costs O(state); with an ancestor here, only the deltas since.
 */

import { HeddleError } from "../errors.js";
import { snapshotIsDue } from "../model/checkpoint.js";
import { applyDeltas } from "../model/delta.js";
import { checkpointNotFound } from "../model/intents/checkpoint-ref.js";
import type { NewCheckpoint } from "../model/intents/intent.js";
import type { Json, JsonObject } from "../model/json.js";
import { byteLength, jsonBytes, parseJson } from "../model/json.js";
import type { Reconciled } from "../model/reconcile.js";
import type { ChainBodies, CheckpointChain, CheckpointReader } from "../ports/storage.js";

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

  /** What need not be read. */
  atHand(checkpointId: string | null, line: string): StoredValues | undefined {
    if (checkpointId === null) return noValues;
    const known = this.#entries.get(checkpointId);
    if (known !== undefined) this.put(checkpointId, line, known);
    return known;
  }

  /**
   * @param line what the checkpoint belongs to (a thread, a lineage): an older entry of it saves reading
   * @throws HeddleError CHECKPOINT_NOT_FOUND, CORRUPT_DATA
   */
  async load(checkpointId: string | null, line: string): Promise<StoredValues> {
    const known = this.atHand(checkpointId, line);
    if (known !== undefined || checkpointId === null) return known ?? noValues;
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
    const chain = await this.#chain(checkpointId, base === undefined ? undefined : since);
    if (chain === undefined) throw checkpointNotFound(checkpointId);
    return replay(chain, base ?? noValues, checkpointId);
  }

  async #chain(checkpointId: string, since: string | undefined): Promise<ParsedChain | undefined> {
    if (this.#checkpoints.bodies === undefined) {
      const chain = await this.#checkpoints.chain(checkpointId, since);
      return chain && parseBodies(bodiesOf(chain), checkpointId);
    }
    const bodies = await this.#checkpoints.bodies(checkpointId, since);
    return bodies && parseBodies(bodies, checkpointId);
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

interface ParsedChain {
  readonly snapshot: JsonObject | undefined;
  /** Oldest first. Not frozen: what they carry into the tree is frozen there, and the rest is thrown away. */
  readonly deltas: readonly Json[];
  readonly deltaBytes: number;
  readonly valuesBytes: number | null;
  readonly continuesSince: boolean;
}

/** @internal What every storage can say, from what it does say. */
export function bodiesOf({ links, continuesSince }: CheckpointChain): ChainBodies {
  const changes = links.filter((link) => link.body !== null);
  const snapshot = changes.findLast((link) => link.encoding === "snapshot");
  const deltas = changes.slice(snapshot === undefined ? 0 : changes.indexOf(snapshot) + 1);
  return {
    snapshot: snapshot?.body ?? null,
    deltas: deltas.map((link) => link.body as string).reverse(),
    valuesBytes: changes.at(-1)?.valuesBytes ?? null,
    continuesSince,
  };
}

function parseBodies({ snapshot, deltas, ...rest }: ChainBodies, checkpointId: string): ParsedChain {
  return {
    ...rest,
    snapshot:
      snapshot === null
        ? undefined
        : (parseJson(snapshot, `the snapshot below checkpoint ${checkpointId}`) as JsonObject),
    deltas: deltas.map((delta) => parseStored(delta, checkpointId)).reverse(),
    deltaBytes: deltas.reduce((sum, delta) => sum + byteLength(delta), 0),
  };
}

function parseStored(text: string, checkpointId: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    const message = `The delta of checkpoint "${checkpointId}" is not readable as JSON.`;
    throw new HeddleError("CORRUPT_DATA", message, { details: { checkpointId }, cause });
  }
}

function replay(chain: ParsedChain, since: StoredValues, checkpointId: string): StoredValues {
  const { snapshot, deltas } = chain;
  const base = chain.continuesSince ? since : noValues;
  const tree = snapshot ?? base.tree;
  if (deltas.length === 0) {
    if (snapshot === undefined) return base;
    return { tree, bytes: chain.valuesBytes ?? jsonBytes(tree), deltaBytes: 0 };
  }
  const changed = changedBy(deltas, tree, checkpointId);
  const deltaBytes = chain.deltaBytes + (snapshot === undefined ? base.deltaBytes : 0);
  return { tree: changed, bytes: chain.valuesBytes ?? jsonBytes(changed), deltaBytes };
}

function changedBy(deltas: readonly Json[], tree: JsonObject, checkpointId: string): JsonObject {
  try {
    return applyDeltas(tree, deltas);
  } catch (cause) {
    const message = `Checkpoint "${checkpointId}" does not read back: a delta does not fit its parent.`;
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

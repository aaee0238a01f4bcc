/**
 * A checkpoint: an immutable snapshot of values with a parent. Stored as a delta against the parent; a whole snapshot
 * is stored once the deltas since the last one outweigh the state twice, so reads stay within about three times the
 * state and a thread that only appends never stores a second copy of itself.
 */

/** `final`: written by a settle. `mid`: during a run. `initial`: values a thread was created with. `update`: edited. */
export type CheckpointKind = "initial" | "mid" | "final" | "update";

export interface CheckpointRecord {
  readonly id: string;
  /** The thread that wrote it; `null`: a stateless run's. Copies of a thread share its checkpoints. */
  readonly threadId: string | null;
  readonly runId: string | null;
  readonly parentId: string | null;
  readonly kind: CheckpointKind;
  readonly attempt: number;
  /** The last number of its stream when it was written: rises from checkpoint to checkpoint, whatever their branches. */
  readonly seq: number;
  readonly encoding: CheckpointEncoding;
  /** JSON text: the whole values (`snapshot`), a delta (`delta`), or `null` (`same` as the parent). */
  readonly body: string | null;
  /** About the JSON bytes of the whole values; `null`: as the parent's. */
  readonly valuesBytes: number | null;
  readonly createdAt: number;
}

export type CheckpointEncoding = "snapshot" | "delta" | "same";

/** A checkpoint without its body: what history lists. */
export type CheckpointHead = Omit<CheckpointRecord, "body"> & { readonly bodyBytes: number };

/** DESIGN section 6: a snapshot is due when the deltas since the last one exceed twice the state. */
export function snapshotIsDue(deltaBytesSinceSnapshot: number, valuesBytes: number): boolean {
  return deltaBytesSinceSnapshot > 2 * Math.max(valuesBytes, 512);
}

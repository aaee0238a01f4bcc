/** What a lineage remembers, so that no retry, crash or resume does it again. */

/**
 * | kind    | body                                         |
 * |---|---|
 * | `event` | `null`: a keyed event was stored             |
 * | `step`  | JSON of the step's result                    |
 * | `sleep` | JSON number, epoch ms: when the sleep ends   |
 * | `child` | JSON string: the lineage of the child run    |
 */
export type MemoKind = "event" | "step" | "sleep" | "child";

export interface MemoRecord {
  readonly lineageId: string;
  readonly kind: MemoKind;
  /** The agent's own name for it, unique per lineage and kind. */
  readonly key: string;
  /** The run that did it. */
  readonly runId: string;
  /** JSON text. */
  readonly body: string | null;
}

export type MemoRef = Pick<MemoRecord, "lineageId" | "kind" | "key">;

export function memoId({ lineageId, kind, key }: MemoRef): string {
  return JSON.stringify([lineageId, kind, key]);
}

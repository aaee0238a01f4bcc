/** What a lineage remembers, so that no retry, crash or resume does it again: today the keyed events it stored. */

export interface MemoRecord {
  readonly lineageId: string;
  readonly kind: "event";
  /** The agent's own name for it, unique per lineage and kind. */
  readonly key: string;
  /** The run that did it. */
  readonly runId: string;
}

export type MemoRef = Pick<MemoRecord, "lineageId" | "kind" | "key">;

export function memoId({ lineageId, kind, key }: MemoRef): string {
  return JSON.stringify([lineageId, kind, key]);
}

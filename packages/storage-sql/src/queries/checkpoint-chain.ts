import type { CheckpointChain } from "@heddle/core/storage";
import type { ByChain, ChainRow } from "./checkpoint-queries.js";

/** @param rows what the `chain` query found, oldest first */
export function checkpointChain(rows: readonly ChainRow[], { id, since }: ByChain): CheckpointChain | undefined {
  const first = rows[0];
  if (first === undefined) return id === since ? { links: [], continuesSince: true } : undefined;
  return {
    links: rows.map((row) => ({ id: row.id, encoding: row.encoding, body: row.body, valuesBytes: row.valuesBytes })),
    continuesSince: since !== undefined && first.encoding !== "snapshot" && first.parentId === since,
  };
}

import type { CheckpointChain } from "@heddle/core/storage";
import type { ChainRow } from "./checkpoint-queries.js";

/** @param rows what the `chain` query found, in any order */
export function checkpointChain(rows: readonly ChainRow[], since: string | undefined): CheckpointChain | undefined {
  const oldestFirst = rows.toSorted((a, b) => b.depth - a.depth);
  const first = oldestFirst[0];
  if (first === undefined) return undefined;
  return {
    links: oldestFirst.map(({ id, encoding, body, valuesBytes }) => ({ id, encoding, body, valuesBytes })),
    continuesSince: since !== undefined && first.encoding !== "snapshot" && first.parentId === since,
  };
}

import { describe, expect, test } from "vitest";
import { checkpointChain } from "./checkpoint-chain.js";
import type { ChainRow } from "./checkpoint-queries.js";

const row = (
  id: string,
  parentId: string | null,
  depth: number,
  encoding: ChainRow["encoding"] = "delta",
): ChainRow => ({
  id,
  parentId,
  depth,
  encoding,
  body: "[]",
  valuesBytes: null,
});

describe("a chain of checkpoints", () => {
  test("is oldest first, in whatever order the rows came", () => {
    const rows = [row("b", "a", 1), row("c", "b", 0), row("a", null, 2, "snapshot")];
    const chain = checkpointChain(rows, undefined);
    expect(chain?.links.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(chain?.continuesSince).toBe(false);
  });

  test("continues a cached state only where no snapshot lies between", () => {
    expect(checkpointChain([row("c", "b", 0)], "b")?.continuesSince).toBe(true);
    expect(checkpointChain([row("c", "b", 0, "snapshot")], "b")?.continuesSince).toBe(false);
    expect(checkpointChain([row("c", "b", 0), row("b", "a", 1, "snapshot")], "a")?.continuesSince).toBe(false);
  });

  test("of nothing is nothing", () => {
    expect(checkpointChain([], undefined)).toBeUndefined();
  });
});

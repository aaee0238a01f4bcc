/** How much work the long tests do: HEDDLE_TEST_SIZE is `quick` (default), or more. */
export function sized(quick: number, full: number): number {
  return (process.env["HEDDLE_TEST_SIZE"] ?? "quick") !== "quick" ? full : quick;
}

export const minutes = 60_000;

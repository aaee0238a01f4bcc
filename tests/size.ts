/** How much work the long tests do: HEDDLE_TEST_SIZE is `quick` (default) or `full`. */
export const isFull = process.env.HEDDLE_TEST_SIZE === "full";

export function size(quick: number, full: number): number {
  return isFull ? full : quick;
}

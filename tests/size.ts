/** How much work the long tests do: HEDDLE_TEST_SIZE is `quick` (default), `full` in `.ci/run`, `long` in `npm run prove`. */
const named = process.env.HEDDLE_TEST_SIZE ?? "quick";
export const isFull = named !== "quick";

export function size(quick: number, full: number, long = full): number {
  if (named === "long") return long;
  return isFull ? full : quick;
}

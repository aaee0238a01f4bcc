/** How much a proof does: `quick` in `npm test`, `full` in `.ci/run` (the sizes that the project promises). */

export const size = process.env.HEDDLE_TEST_SIZE === "full" ? "full" : "quick";

export function sized<Value>(sizes: { readonly quick: Value; readonly full: Value }): Value {
  return sizes[size];
}

export const seconds = 1_000;
export const minutes = 60 * seconds;

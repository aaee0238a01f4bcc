/** How much a proof does: `quick` in `npm test`, `full` in `.ci/run`, `long` in `npm run prove`. */

interface Sizes<Value> {
  readonly quick: Value;
  readonly full: Value;
  /** `full` unless given. */
  readonly long?: Value;
}

export const size = (process.env.HEDDLE_TEST_SIZE ?? "quick") as keyof Sizes<unknown>;

export function sized<Value>(sizes: Sizes<Value>): Value {
  return sizes[size] ?? sizes.full;
}

export const seconds = 1_000;
export const minutes = 60 * seconds;

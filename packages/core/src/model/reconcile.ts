/**
 * What an agent returned, against the frozen tree it was handed: the next tree, and what changed. A subtree that comes
 * back identical at its place is not looked into, so a turn costs what it changed and one pass over pointers. All else is
 * copied, validated by its part of the schema and frozen. The next tree shares with the base everything that stayed,
 * which is what makes the next turn as cheap.
 */

import { HeddleError } from "../errors.js";
import type { Delta } from "./delta.js";
import {
  copyJson,
  isJsonObject,
  isPlainObject,
  type Json,
  type JsonObject,
  jsonBytes,
  putKey,
  readProperty,
} from "./json.js";
import { TreeWalk, unknownKey } from "./tree-walk.js";
import { jsonParts, type ObjectParts, type ValuesSchema } from "./values-schema.js";

/** As a top-level value: removes that key. The same symbol in every installed copy of Heddle. */
export const REMOVE = Symbol.for("heddle.remove") as unknown as Remove;

/** A type of its own: a unique symbol's would widen to `symbol` in what an agent returns. */
export interface Remove {
  readonly "heddle.remove": never;
}

export interface ReconcileOptions {
  readonly schema: ValuesSchema;
  /** `bytes` of the result that made `base`. Default: measured, in O(base). */
  readonly baseBytes?: number;
  /** In bytes of JSON text. Only growth is refused: what is too large already may stay or shrink. Default: none. */
  readonly maxBytes?: number;
  /**
   * True (default): array elements stayed if they are the same objects. False, for values from another process: if they
   * are deep-equal, in O(state).
   */
  readonly identity?: boolean;
}

export interface Reconciled {
  /** Frozen; the base itself if nothing changed. Its order of keys is the one that applying `delta` gives. */
  readonly tree: JsonObject;
  /** Against the base, or against `{}` without one. Shares its values with `tree`. */
  readonly delta: Delta;
  /** Top-level keys that were set, changed or removed. */
  readonly changedKeys: string[];
  /** In bytes of JSON text; exact. */
  readonly sizeChange: number;
  /** Bytes of the JSON text of `tree`; as exact as `baseBytes`. */
  readonly bytes: number;
}

/**
 * Merges `next` into `base`: named keys replace, `undefined` and keys not named leave as is, {@link REMOVE} removes.
 * Objects and arrays inside a named key are given whole: what they lack is removed.
 *
 * @param base the stored tree, frozen, as made by this function, `parseJson` or `applyDelta`; undefined: none yet.
 * @throws INVALID_JSON, INVALID_VALUES (also for keys that the schema does not know), TOO_LARGE
 */
export function reconcile(
  base: JsonObject | undefined,
  next: Readonly<Record<string, unknown>>,
  options: ReconcileOptions,
): Reconciled {
  const from = base ?? nothing;
  const { root } = options.schema;
  const identity = options.identity !== false && root.object !== undefined;
  const named = readNamed(from, next, identity);
  const checked = root.object === undefined ? validateRoot(from, named, options.schema) : named;
  const walk = new TreeWalk(identity);
  const merged = mergeNamed(walk, from, checked, root.object ?? jsonParts);
  const bytes = (options.baseBytes ?? jsonBytes(from)) + walk.sizeChange;
  refuseGrowth(bytes, walk.sizeChange, options.maxBytes);
  return { ...merged, delta: walk.ops, sizeChange: walk.sizeChange, bytes };
}

const nothing: JsonObject = Object.freeze({});

function refuseGrowth(size: number, change: number, limit = Number.POSITIVE_INFINITY): void {
  if (size <= limit || change <= 0) return;
  const details = { limit, size, what: "values" };
  throw new HeddleError("TOO_LARGE", `values: ${size} bytes of JSON, the limit is ${limit}`, { details });
}

type Named = ReadonlyMap<string, unknown>;

/** Reads each property once and leaves out what is unchanged. Deep comparison needs trusted trees, hence copies. */
function readNamed(base: JsonObject, next: Readonly<Record<string, unknown>>, identity: boolean): Named {
  refuseNonObject(next);
  const named = new Map<string, unknown>();
  for (const key of Object.keys(next)) {
    const value = readProperty(next, key, "values", []);
    if (value === undefined || (Object.hasOwn(base, key) && base[key] === value)) continue;
    named.set(key, identity || value === REMOVE ? value : copyJson(value, "values", [key]));
  }
  return named;
}

function refuseNonObject(next: unknown): void {
  if (isPlainObject(next)) return;
  const details = { path: "values", what: "no plain object" };
  throw new HeddleError("INVALID_JSON", "values: must be a plain object of top-level keys", { details });
}

/** A root that does not come apart: everything visible is validated together, then the named keys are merged as JSON. */
function validateRoot(base: JsonObject, named: Named, schema: ValuesSchema): Named {
  const whole: Record<string, Json> = { ...schema.visible(base) };
  for (const [key, value] of named) {
    if (value === REMOVE) delete whole[key];
    else putKey(whole, key, value as Json);
  }
  const output = schema.root.parse(Object.freeze(whole), []);
  return new Map([...named].map(([key, value]) => [key, value === REMOVE ? REMOVE : outputOf(output, key)]));
}

function outputOf(output: Json, key: string): Json {
  if (isJsonObject(output) && Object.hasOwn(output, key)) return output[key] as Json;
  throw unknownKey([key]);
}

function mergeNamed(
  walk: TreeWalk,
  base: JsonObject,
  named: Named,
  parts: ObjectParts,
): Pick<Reconciled, "tree" | "changedKeys"> {
  const result = { ...base };
  const changedKeys: string[] = [];
  for (const [key, value] of named) {
    const before = walk.ops.length;
    if (value === REMOVE) removeKey(walk, base, result, key, parts);
    else walk.namedKey(base, result, key, value, parts);
    if (walk.ops.length > before) changedKeys.push(key);
  }
  if (changedKeys.length === 0) return { tree: base, changedKeys };
  walk.countKeys(base, result);
  return { tree: Object.freeze(result), changedKeys };
}

function removeKey(
  walk: TreeWalk,
  base: JsonObject,
  result: Record<string, Json>,
  key: string,
  parts: ObjectParts,
): void {
  if (typeof parts.child(key) === "string") throw unknownKey([key]);
  // Asks for what stands in its absence: throws where the key is required.
  if (parts.keys.includes(key)) parts.absent(key, [key]);
  if (Object.hasOwn(base, key)) walk.removeKey(base, result, key);
}

/**
 * What changed between two values trees, as stored with a checkpoint. Operations apply in order, each to what the ones
 * before it left; paths lead from the root.
 */

import { HeddleError } from "../errors.js";
import {
  deepFreeze,
  isJsonArray,
  type Json,
  type JsonArray,
  type JsonObject,
  type JsonPath,
  putKey,
  thaw,
} from "./json.js";

export type DeltaOp =
  /** Sets a key of an object, or replaces an element of an array. */
  | readonly ["=", JsonPath, Json]
  /** Removes a key of an object. */
  | readonly ["-", JsonPath]
  /** In an array, at an index: removes that many, then inserts these. */
  | readonly ["~", JsonPath, number, number, JsonArray]
  /** Appends to a string. */
  | readonly ["+", JsonPath, string];

export type Delta = readonly DeltaOp[];

/**
 * The tree that `delta` makes of `base`: frozen, sharing with `base` all that did not change. Freezes the values inside
 * `delta` in place, they become part of the tree.
 *
 * @param delta as parsed from storage; nothing about it is trusted.
 * @throws CORRUPT_DATA (details: delta, op) when it is no delta or does not fit `base`.
 */
export function applyDelta(base: JsonObject, delta: Json): JsonObject {
  return applyDeltas(base, [delta]);
}

/**
 * {@link applyDelta} for each of `deltas` in turn, oldest first. Every container is copied at most once however many
 * deltas touch it, so the cost is that of the deltas and the touched containers.
 */
export function applyDeltas(base: JsonObject, deltas: readonly Json[]): JsonObject {
  if (deltas.every((delta) => isJsonArray(delta) && delta.length === 0)) return base;
  const draft = new Draft(base);
  for (let index = 0; index < deltas.length; index++) applyOps(draft, deltas[index] as Json, index);
  return draft.finish();
}

function applyOps(draft: Draft, delta: Json, index: number): void {
  if (!isJsonArray(delta)) throw corrupt("a delta is an array of operations", { delta: index });
  for (let op = 0; op < delta.length; op++) {
    const misfit = applyOp(draft, delta[op] as Json);
    if (misfit !== undefined) throw corrupt(misfit, { delta: index, op });
  }
}

/** Applies one operation, or says why it does not fit. */
function applyOp(draft: Draft, op: Json): string | undefined {
  if (!isJsonArray(op)) return "an operation is an array";
  const [code, path, a, b, c] = op;
  if (!isPath(path)) return "its path is no array of keys and indexes";
  if (code === "~") return spliceAt(draft, path, a, b, c);
  const parent = draft.container(path, path.length - 1);
  const last = path.at(-1);
  if (parent === undefined || last === undefined) return "its path leads nowhere";
  if (code === "=") return setAt(parent, last, a);
  if (code === "-") return removeAt(parent, last);
  if (code === "+") return appendAt(parent, last, a);
  return "its code is unknown";
}

function setAt(parent: Container, key: string | number, value: Json | undefined): string | undefined {
  if (value === undefined) return "it has no value";
  deepFreeze(value);
  if (!Array.isArray(parent)) {
    if (typeof key !== "string") return "it sets an index of an object";
    putKey(parent, key, value);
    return undefined;
  }
  if (!hasStep(parent, key)) return "it sets an element that is not there";
  parent[key as number] = value;
  return undefined;
}

function removeAt(parent: Container, key: string | number): string | undefined {
  if (Array.isArray(parent) || !hasStep(parent, key)) return "it removes a key that is not there";
  delete parent[key];
  return undefined;
}

function appendAt(parent: Container, key: string | number, tail: Json | undefined): string | undefined {
  const text = hasStep(parent, key) ? read(parent, key) : undefined;
  if (typeof text !== "string" || typeof tail !== "string") return "it appends to what is no text";
  if (Array.isArray(parent)) parent[key as number] = text + tail;
  else putKey(parent, String(key), text + tail);
  return undefined;
}

function spliceAt(
  draft: Draft,
  path: JsonPath,
  at: Json | undefined,
  removed: Json | undefined,
  inserted: Json | undefined,
): string | undefined {
  const array = draft.container(path, path.length);
  if (!Array.isArray(array) || !isJsonArray(inserted)) return "it splices what is no array";
  if (!isCount(at) || !isCount(removed) || at + removed > array.length) return "it splices beyond the end";
  for (const value of inserted) deepFreeze(value);
  splice(array, at, removed, inserted);
  return undefined;
}

function splice(array: Json[], at: number, removed: number, inserted: JsonArray): void {
  // Arguments live on the stack, which a hundred thousand elements would overflow.
  const many = inserted.length > 1000;
  const tail = many ? array.splice(at).slice(removed) : [];
  if (!many && (removed > 0 || at < array.length)) array.splice(at, removed, ...inserted);
  else for (const value of inserted) array.push(value);
  for (const value of tail) array.push(value);
}

type Container = Json[] | Record<string, Json>;

/**
 * A tree under change. A container is copied when it is first touched; the copy belongs to the draft, so later
 * operations change it in place. Only `finish` freezes, after which the draft is used up.
 */
class Draft {
  readonly #owned = new Set<object>();
  readonly #root: Record<string, Json>;

  constructor(base: JsonObject) {
    this.#root = this.#own(base) as Record<string, Json>;
  }

  /** The changeable container at the first `length` steps of `path`; undefined where there is none. */
  container(path: JsonPath, length: number): Container | undefined {
    let node: Container = this.#root;
    for (let depth = 0; depth < length; depth++) {
      const child = this.#child(node, path[depth] as string | number);
      if (child === undefined) return undefined;
      node = child;
    }
    return node;
  }

  finish(): JsonObject {
    for (const container of this.#owned) Object.freeze(container);
    return this.#root;
  }

  #child(parent: Container, step: string | number): Container | undefined {
    if (!hasStep(parent, step)) return undefined;
    const child = read(parent, step);
    if (typeof child !== "object" || child === null) return undefined;
    if (this.#owned.has(child)) return child as Container;
    const copy = this.#own(child);
    if (Array.isArray(parent)) parent[step as number] = copy;
    else putKey(parent, String(step), copy);
    return copy;
  }

  #own(container: JsonArray | JsonObject): Container {
    const copy = isJsonArray(container) ? thaw(container) : { ...container };
    this.#owned.add(copy);
    return copy;
  }
}

function hasStep(container: Container, step: string | number): boolean {
  if (Array.isArray(container)) return isCount(step) && step < container.length;
  return typeof step === "string" && Object.hasOwn(container, step);
}

function read(container: Container, step: string | number): Json | undefined {
  return (container as Record<string | number, Json>)[step];
}

function isCount(value: Json | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isPath(value: Json | undefined): value is readonly (string | number)[] {
  return isJsonArray(value) && value.every((step) => typeof step === "string" || typeof step === "number");
}

function corrupt(misfit: string, details: Readonly<Record<string, unknown>>): HeddleError {
  return new HeddleError("CORRUPT_DATA", `A checkpoint's delta does not fit: ${misfit}`, { details });
}

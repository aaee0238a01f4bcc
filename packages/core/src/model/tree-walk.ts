/**
 * The descent behind `reconcile`: two trees side by side, the frozen base and what an agent returned, with the part of
 * the schema that belongs to each place. Leaves whatever stayed, makes the rest, and notes each change as an operation.
 */

import { HeddleError } from "../errors.js";
import { alignArrays, type Hole } from "./align.js";
import type { DeltaOp } from "./delta.js";
import {
  copyJson,
  formatPath,
  isJsonArray,
  isJsonObject,
  isPlainObject,
  type Json,
  type JsonArray,
  type JsonObject,
  type JsonPath,
  jsonBytes,
  jsonEqual,
  putKey,
  readProperty,
  thaw,
} from "./json.js";
import { type ArrayParts, jsonNode, type ObjectParts, type SchemaNode } from "./values-schema.js";

/** A shorter string is stored anew when it grows. */
const appendableLength = 64;

/** One descent; after an error it is of no further use. */
export class TreeWalk {
  /** In the order in which they apply; the results of the walk are built in the same order. */
  readonly ops: DeltaOp[] = [];
  /** In bytes of JSON text. */
  sizeChange = 0;
  /** Grows with whatever stays: a container of which nothing stayed is cheaper to store anew. */
  #stayed = 0;
  readonly #path: (string | number)[] = [];
  #identity: boolean;

  /** @param identity whether array elements stay by identity or by deep equality, for which `next` must be trusted. */
  constructor(identity: boolean) {
    this.#identity = identity;
  }

  /** Merges a key into `result`, the copy of `base`. */
  namedKey(base: JsonObject, result: Record<string, Json>, key: string, next: unknown, parts: ObjectParts): void {
    const child = parts.child(key);
    if (typeof child === "string") throw unknownKey([...this.#path, key]);
    this.#putKey(base, result, key, next, child);
  }

  removeKey(base: JsonObject, result: Record<string, Json>, key: string): void {
    this.ops.push(["-", [...this.#path, key]]);
    this.sizeChange -= propertyBytes(key, base[key] as Json);
    delete result[key];
  }

  /** To be called once per object that got or lost keys: the commas between them. */
  countKeys(base: JsonObject, result: JsonObject): void {
    this.sizeChange += commas(Object.keys(result).length) - commas(Object.keys(base).length);
  }

  #value(base: Json, next: unknown, node: SchemaNode): Json {
    if (base === next) return this.#keep(base);
    if (node.array !== undefined && isJsonArray(base) && Array.isArray(next))
      return this.#array(base, next, node, node.array);
    if (node.object !== undefined && isJsonObject(base) && isPlainObject(next))
      return this.#object(base, next, node.object);
    return this.#whole(base, next, node);
  }

  #keep(base: Json): Json {
    this.#stayed++;
    return base;
  }

  /** A part that does not come apart, or a value of another kind than the base. */
  #whole(base: Json, next: unknown, node: SchemaNode): Json {
    const copy = copyJson(next, "values", this.#path);
    if (jsonEqual(base, copy)) return this.#keep(base);
    const value = node.parse(copy, this.#path);
    return sameContainer(base, value) ? this.#deep(base, value) : this.#replace(base, value);
  }

  /** A validated copy has no identity left to go by. */
  #deep(base: Json, value: Json): Json {
    const identity = this.#identity;
    this.#identity = false;
    const result = this.#value(base, value, jsonNode);
    this.#identity = identity;
    return result;
  }

  #fresh(next: unknown, node: SchemaNode): Json {
    return node.parse(copyJson(next, "values", this.#path), this.#path);
  }

  #replace(base: Json, value: Json): Json {
    if (base === value) return this.#keep(base);
    this.sizeChange += jsonBytes(value) - jsonBytes(base);
    if (!isAppended(base, value)) return this.#set(value);
    this.ops.push(["+", this.#path.slice(), (value as string).slice((base as string).length)]);
    this.#stayed++;
    return value;
  }

  #set(value: Json): Json {
    this.ops.push(["=", this.#path.slice(), value]);
    return value;
  }

  /** Nothing noted: it stayed. Nothing left of the base: one operation in place of many. */
  #settle(base: Json, result: Json, opsBefore: number, stayedBefore: number): Json {
    if (this.ops.length === opsBefore) return this.#keep(base);
    if (this.#stayed > stayedBefore) return result;
    this.ops.length = opsBefore;
    return this.#set(result);
  }

  #at<Result>(step: string | number, work: () => Result): Result {
    this.#path.push(step);
    const result = work();
    this.#path.pop();
    return result;
  }

  #object(base: JsonObject, next: Readonly<Record<string, unknown>>, parts: ObjectParts): Json {
    const ops = this.ops.length;
    const stayed = this.#stayed;
    const result = { ...base };
    const named = this.#namedKeys(base, result, next, parts);
    for (const key of parts.keys) if (!named.has(key) && this.#absentKey(base, result, key, parts)) named.add(key);
    for (const key of Object.keys(base)) if (!named.has(key)) this.removeKey(base, result, key);
    this.countKeys(base, result);
    return this.#settle(base, Object.freeze(result), ops, stayed);
  }

  /** The keys that `next` has a value for. Undefined, and what the schema strips, is absent. */
  #namedKeys(
    base: JsonObject,
    result: Record<string, Json>,
    next: Readonly<Record<string, unknown>>,
    parts: ObjectParts,
  ): Set<string> {
    const named = new Set<string>();
    for (const key of Object.keys(next)) {
      const value = readProperty(next, key, "values", this.#path);
      const node = Object.hasOwn(base, key) && base[key] === value ? jsonNode : parts.child(key);
      if (value === undefined || node === "strip") continue;
      if (node === "refuse") throw unknownKey([...this.#path, key]);
      this.#putKey(base, result, key, value, node);
      named.add(key);
    }
    return named;
  }

  /** Whether the schema has a default for a key that was left out. */
  #absentKey(base: JsonObject, result: Record<string, Json>, key: string, parts: ObjectParts): boolean {
    const value = parts.absent(key, [...this.#path, key]);
    if (value !== undefined) this.#putKey(base, result, key, value, jsonNode);
    return value !== undefined;
  }

  #putKey(base: JsonObject, result: Record<string, Json>, key: string, next: unknown, node: SchemaNode): void {
    const value = this.#at(key, () =>
      Object.hasOwn(base, key) ? this.#value(base[key] as Json, next, node) : this.#newKey(key, next, node),
    );
    putKey(result, key, value);
  }

  #newKey(key: string, next: unknown, node: SchemaNode): Json {
    const value = this.#fresh(next, node);
    this.sizeChange += propertyBytes(key, value);
    return this.#set(value);
  }

  #array(frozen: JsonArray, next: readonly unknown[], node: SchemaNode, parts: ArrayParts): Json {
    const ops = this.ops.length;
    const stayed = this.#stayed;
    const base = thaw(frozen);
    // Without identity `next` is a frozen copy; one frozen array makes V8 compile the pass anew, slower for all.
    const after = this.#identity ? next : [...next];
    const holes = alignArrays(base, after, this.#identity);
    const result = this.#fillHoles(base, after, holes, parts.element);
    if (!parts.fits(result.length)) node.parse(result, this.#path);
    this.sizeChange += commas(result.length) - commas(base.length);
    return this.#settle(frozen, result, ops, stayed);
  }

  #fillHoles(base: JsonArray, next: readonly unknown[], holes: readonly Hole[], element: SchemaNode): JsonArray {
    const result = base.slice(0, holes[0]?.from ?? base.length);
    let from = result.length;
    this.#stayed += from;
    for (const hole of holes) {
      this.#stayed += pushRun(result, base, from, hole.from);
      this.#fillHole(result, base, next, hole, element);
      from = hole.fromEnd;
    }
    this.#stayed += pushRun(result, base, from, base.length);
    return Object.freeze(result);
  }

  /** Elements of one kind are walked in pairs, so that an edit inside one is noted as such; the rest is spliced. */
  #fillHole(result: Json[], base: JsonArray, next: readonly unknown[], hole: Hole, element: SchemaNode): void {
    const pairs = comparablePairs(base, next, hole);
    for (let pair = 0; pair < pairs; pair++) {
      const before = base[hole.from + pair] as Json;
      result.push(this.#at(result.length, () => this.#value(before, next[hole.to + pair], element)));
    }
    const at = result.length;
    for (let index = hole.to + pairs; index < hole.toEnd; index++) {
      result.push(this.#at(index, () => this.#fresh(next[index], element)));
    }
    this.#splice(at, base.slice(hole.from + pairs, hole.fromEnd), result.slice(at));
  }

  #splice(at: number, removed: JsonArray, inserted: JsonArray): void {
    if (removed.length === 0 && inserted.length === 0) return;
    this.ops.push(["~", this.#path.slice(), at, removed.length, inserted]);
    this.sizeChange += elementBytes(inserted) - elementBytes(removed);
  }
}

export function unknownKey(path: JsonPath): HeddleError {
  const at = formatPath("values", path);
  return new HeddleError("INVALID_VALUES", `${at}: the values schema does not know this key`, {
    details: { path: at },
  });
}

function pushRun(result: Json[], base: JsonArray, from: number, end: number): number {
  for (let index = from; index < end; index++) result.push(base[index] as Json);
  return end - from;
}

/** How many elements at the front of the hole to walk in pairs: all that have a partner, unless no pair has a likeness. */
function comparablePairs(base: JsonArray, next: readonly unknown[], hole: Hole): number {
  const pairs = Math.min(hole.fromEnd - hole.from, hole.toEnd - hole.to);
  for (let pair = 0; pair < pairs; pair++) {
    const before = base[hole.from + pair];
    const after = next[hole.to + pair];
    if (sameContainer(before, after) || isAppended(before, after)) return pairs;
  }
  return 0;
}

function sameContainer(a: unknown, b: unknown): boolean {
  const containers = typeof a === "object" && typeof b === "object" && a !== null && b !== null;
  return containers && Array.isArray(a) === Array.isArray(b);
}

function isAppended(before: unknown, after: unknown): boolean {
  if (typeof before !== "string" || typeof after !== "string") return false;
  return before.length >= appendableLength && after.startsWith(before);
}

function propertyBytes(key: string, value: Json): number {
  return jsonBytes(key) + 1 + jsonBytes(value);
}

function elementBytes(elements: JsonArray): number {
  return elements.length === 0 ? 0 : jsonBytes(elements) - 2 - commas(elements.length);
}

function commas(length: number): number {
  return Math.max(0, length - 1);
}

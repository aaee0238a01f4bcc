/**
 * Which elements of a new array are elements of the old one. Agents append, drop from the front, replace the front by a
 * summary, edit an element in place: all of it comes out as few holes between runs of elements that stayed.
 */

import { canonicalJson, type Json, type JsonArray, jsonEqual } from "./json.js";

/** A stretch `[from, fromEnd)` of the old array that became `[to, toEnd)` of the new one; one side may be empty. */
export interface Hole {
  readonly from: number;
  readonly fromEnd: number;
  readonly to: number;
  readonly toEnd: number;
}

/**
 * The holes, in order; all between them stayed as it was. No hole: nothing changed.
 *
 * @param identity true: an element stayed if it is the same object (`===`), one pass over the pointers. False: if it is
 * deep-equal; `next` must then be a trusted tree.
 */
export function alignArrays(base: JsonArray, next: readonly unknown[], identity: boolean): Hole[] {
  const hole = trimSuffix(base, next, identity, trimPrefix(base, next, identity));
  const removed = hole.fromEnd - hole.from;
  const added = hole.toEnd - hole.to;
  if (removed === 0 && added === 0) return [];
  if (removed === 0 || added === 0 || removed + added === 2) return [hole];
  return splitHole(base, next, hole, new Finder(base, hole.fromEnd, identity));
}

function same(a: unknown, b: unknown, identity: boolean): boolean {
  return a === b || (!identity && jsonEqual(a as Json, b as Json));
}

function trimPrefix(base: JsonArray, next: readonly unknown[], identity: boolean): number {
  const most = Math.min(base.length, next.length);
  let length = 0;
  while (length < most && same(base[length], next[length], identity)) length++;
  return length;
}

function trimSuffix(base: JsonArray, next: readonly unknown[], identity: boolean, prefix: number): Hole {
  let fromEnd = base.length;
  let toEnd = next.length;
  while (fromEnd > prefix && toEnd > prefix && same(base[fromEnd - 1], next[toEnd - 1], identity)) {
    fromEnd--;
    toEnd--;
  }
  return { from: prefix, fromEnd, to: prefix, toEnd };
}

/** Each new element is looked for among the old ones not yet passed; what lies between two finds is a hole. */
function splitHole(base: JsonArray, next: readonly unknown[], hole: Hole, finder: Finder): Hole[] {
  const holes: Hole[] = [];
  let { from, to } = hole;
  for (let at = to; at < hole.toEnd; ) {
    const found = finder.find(next[at], from);
    if (found === -1) {
      at++;
      continue;
    }
    if (found > from || at > to) holes.push({ from, fromEnd: found, to, toEnd: at });
    from = found;
    to = at;
    while (from < hole.fromEnd && to < hole.toEnd && same(base[from], next[to], finder.identity)) {
      from++;
      to++;
    }
    at = to;
  }
  if (from < hole.fromEnd || to < hole.toEnd) holes.push({ ...hole, from, to });
  return holes;
}

/** Finds old elements, never looking back: plain scans while they succeed, an index once one has failed. */
class Finder {
  #index: Map<unknown, number[]> | undefined;

  constructor(
    readonly base: JsonArray,
    readonly end: number,
    readonly identity: boolean,
  ) {}

  /** The first position from `from` on, or -1. `from` never decreases from call to call. */
  find(element: unknown, from: number): number {
    if (this.#index !== undefined) return this.#look(this.#index, element, from);
    const found = this.#scan(element, from);
    if (found === -1) this.#index = this.#build(from);
    return found;
  }

  #scan(element: unknown, from: number): number {
    if (this.identity) {
      const found = this.base.indexOf(element as Json, from);
      return found < this.end ? found : -1;
    }
    for (let at = from; at < this.end; at++) if (jsonEqual(this.base[at], element as Json)) return at;
    return -1;
  }

  /** Positions per element, last first, so that those passed are popped. */
  #build(from: number): Map<unknown, number[]> {
    const index = new Map<unknown, number[]>();
    for (let at = this.end - 1; at >= from; at--) {
      const key = this.#key(this.base[at]);
      const positions = index.get(key);
      if (positions === undefined) index.set(key, [at]);
      else positions.push(at);
    }
    return index;
  }

  #look(index: Map<unknown, number[]>, element: unknown, from: number): number {
    const positions = index.get(this.#key(element)) ?? [];
    while (positions.length > 0 && (positions.at(-1) as number) < from) positions.pop();
    return positions.at(-1) ?? -1;
  }

  #key(element: unknown): unknown {
    return this.identity ? element : canonicalJson(element as Json);
  }
}

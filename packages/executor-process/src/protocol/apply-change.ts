/** What an agent says has changed, as the update that a session takes: top-level keys, whole. */

import type { JsonObject } from "@heddle/core";
import { REMOVE } from "@heddle/core";
import type { ChangeFields, PatchOperation } from "./frames.js";
import { ProtocolViolation } from "./frames.js";

/** @param base what the agent was told; it is not changed. `undefined` where nothing is said to change. */
export function applyChange(
  base: JsonObject,
  { values, patch }: ChangeFields,
): Readonly<Record<string, unknown>> | undefined {
  if (patch === undefined) return values;
  const update: Record<string, unknown> = { ...values };
  for (const [index, operation] of patch.entries()) {
    try {
      applyOperation(base, update, operation);
    } catch (error) {
      if (!(error instanceof NoSuchPlace)) throw error;
      throw new ProtocolViolation(`a patch that does not fit: operation ${index}, ${JSON.stringify(operation.path)}`);
    }
  }
  return update;
}

class NoSuchPlace extends Error {}

function applyOperation(base: JsonObject, update: Record<string, unknown>, operation: PatchOperation): void {
  const [key, ...below] = operation.path;
  if (typeof key !== "string") throw new NoSuchPlace();
  if (below.length === 0 && operation.op !== "append") {
    return put(update, key, operation.op === "set" ? operation.value : REMOVE);
  }
  const before = Object.hasOwn(update, key) ? update[key] : Object.hasOwn(base, key) ? base[key] : undefined;
  put(update, key, changeAt(before, below, operation));
}

/** A copy along the path; all else is shared with `tree`. */
function changeAt(tree: unknown, path: readonly (string | number)[], operation: PatchOperation): unknown {
  const [step, ...below] = path;
  if (step === undefined) return appendTo(tree, operation);
  const copy = copyContainer(tree, step);
  if (below.length > 0 || operation.op === "append") put(copy, step, changeAt(read(copy, step), below, operation));
  else if (operation.op === "set") put(copy, step, operation.value);
  else remove(copy, step);
  return copy;
}

function appendTo(tree: unknown, operation: PatchOperation): unknown {
  if (operation.op !== "append" || !Array.isArray(tree)) throw new NoSuchPlace();
  return [...(tree as readonly unknown[]), ...operation.values];
}

type Container = unknown[] | Record<string, unknown>;

function copyContainer(tree: unknown, step: string | number): Container {
  if (Array.isArray(tree) && typeof step === "number" && step < tree.length) return [...(tree as readonly unknown[])];
  const isObject = typeof tree === "object" && tree !== null && !Array.isArray(tree);
  if (isObject && typeof step === "string") return { ...tree };
  throw new NoSuchPlace();
}

function read(container: Container, step: string | number): unknown {
  return Object.hasOwn(container, step) ? (container as Record<string | number, unknown>)[step] : undefined;
}

/** `__proto__` is a key like any other. */
function put(container: Container, step: string | number, value: unknown): void {
  Object.defineProperty(container, step, { value, enumerable: true, configurable: true, writable: true });
}

function remove(container: Container, step: string | number): void {
  if (Array.isArray(container)) container.splice(step as number, 1);
  else if (Object.hasOwn(container, step)) delete container[step];
  else throw new NoSuchPlace();
}

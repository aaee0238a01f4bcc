/** Checks of what tests hand in. Each error names the field: INVALID_ARGUMENT. */

import { invalidArgument } from "../engine/settings.js";
import type { Storage } from "../ports/storage.js";

/** @throws HeddleError INVALID_ARGUMENT */
export function requireStorage(field: string, value: unknown): asserts value is Storage {
  if (typeof (value as Partial<Storage> | null | undefined)?.commit === "function" && "runs" in (value as object))
    return;
  throw invalidArgument(field, value, "a storage");
}

/** @throws HeddleError INVALID_ARGUMENT */
export function requireText(field: string, value: unknown): asserts value is string {
  if (typeof value !== "string" || value === "") throw invalidArgument(field, value, "a text");
}

/** A list of objects. @throws HeddleError INVALID_ARGUMENT */
export function requireRecords(field: string, value: unknown): void {
  const isList = Array.isArray(value) && [...value].every((item) => typeof item === "object" && item !== null);
  if (!isList) throw invalidArgument(field, value, "a list of records");
}

/** @throws HeddleError INVALID_ARGUMENT */
export function requireWhole(field: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw invalidArgument(field, value, `a whole number from ${least} to ${most}`);
}

/** A time, or a length of time. @throws HeddleError INVALID_ARGUMENT */
export function requireFinite(field: string, value: unknown): number {
  const number = value instanceof Date ? value.getTime() : value;
  if (typeof number === "number" && Number.isFinite(number)) return number;
  throw invalidArgument(field, value, "a finite number of ms, or a Date");
}

/** Checks of what a caller passes in, before anything is asked of the storage. Each error names the field. */

import { HeddleError } from "../errors.js";
import type { Json, JsonObject } from "../model/json.js";
import { byteLength, copyJson } from "../model/json.js";
import type { CancelReason } from "../model/run.js";
import { shown } from "../model/shown.js";
import type { MetadataFilter } from "../ports/storage.js";
import type { Limits } from "./settings.js";
import { invalidArgument, requireDuration, requireOneOf } from "./settings.js";

/** @throws HeddleError INVALID_ID */
export function checkId(what: string, id: unknown, limits: Limits): string {
  if (typeof id === "string" && id.length > 0 && id.length <= limits.id && isPlainText(id)) return id;
  const given = typeof id === "string" ? JSON.stringify(id.slice(0, 60)) : shown(id);
  throw new HeddleError(
    "INVALID_ID",
    `${given} cannot be a ${what}: a string of 1 to ${limits.id} characters without U+0000 and lone surrogates.`,
    { details: { field: what } },
  );
}

/** Can this be anybody's id? What cannot need not be looked for, and some databases refuse to. */
export function isId(id: unknown): id is string {
  return typeof id === "string" && isPlainText(id);
}

/** What every database holds as it is. */
function isPlainText(text: string): boolean {
  return !text.includes("\u0000") && text.isWellFormed();
}

/** @throws HeddleError INVALID_ARGUMENT unless `value` is an object */
export function requireOptions(field: string, value: unknown): void {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  throw invalidArgument(field, value, "an object");
}

/** Of waiting and reading. @throws HeddleError INVALID_ARGUMENT naming the field */
export function checkReaderOptions(options: { readonly signal?: unknown; readonly onDisconnect?: unknown }): void {
  requireOptions("options", options);
  const { signal, onDisconnect } = options;
  if (onDisconnect !== undefined) requireOneOf("onDisconnect", onDisconnect, ["continue", "cancel"]);
  const isSignal = typeof signal === "object" && signal !== null && "aborted" in signal && "addEventListener" in signal;
  if (signal !== undefined && !isSignal) throw invalidArgument("signal", signal, "an AbortSignal");
}

/** @throws HeddleError INVALID_ARGUMENT naming the field */
export function checkCancelOptions(options: {
  readonly grace?: unknown;
  readonly note?: unknown;
  readonly rollback?: unknown;
}): { readonly grace?: number; readonly reason: CancelReason } {
  requireOptions("options", options);
  const { grace, note, rollback } = options;
  if (note !== undefined && typeof note !== "string") throw invalidArgument("note", note, "a text");
  const kind = rollback !== undefined && checkBoolean("rollback", rollback) ? "rolled_back" : "user";
  return {
    ...(grace === undefined ? {} : { grace: requireDuration("grace", grace) }),
    reason: note === undefined ? { kind } : { kind, note: note.slice(0, longestNote) },
  };
}

const longestNote = 1_000;

/** @throws HeddleError INVALID_ARGUMENT unless absent or a text */
export function checkText(field: string, value: unknown): void {
  if (value !== undefined && typeof value !== "string") throw invalidArgument(field, value, "a text");
}

/** @throws HeddleError INVALID_ARGUMENT */
export function checkBoolean(field: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw invalidArgument(field, value, "true or false");
}

/** Those that can be anybody's. @throws HeddleError INVALID_ARGUMENT unless `ids` is a list of texts */
export function checkIds(ids: unknown): readonly string[] {
  if (!Array.isArray(ids) || ids.some((id) => typeof id !== "string"))
    throw invalidArgument("ids", ids, "a list of ids");
  return (ids as readonly string[]).filter(isId);
}

/** @throws HeddleError INVALID_ARGUMENT */
export function checkTitle(title: unknown): string | null {
  if (title === null || title === undefined) return null;
  if (typeof title === "string" && title.length <= 1_000 && isPlainText(title)) return title;
  throw new HeddleError(
    "INVALID_ARGUMENT",
    "A title is a string of at most 1,000 characters without U+0000 and lone surrogates.",
    { details: { field: "title" } },
  );
}

/** Metadata as stored: a JSON object of which nothing is lost in any database. */
export function checkMetadata(metadata: unknown, limits: Limits): string {
  if (metadata === undefined) return "{}";
  const copy = requireObject("metadata", copyJson(metadata, "metadata"));
  requirePlain(copy, "metadata");
  const text = JSON.stringify(copy);
  const size = byteLength(text);
  if (size <= limits.metadata) return text;
  throw new HeddleError("TOO_LARGE", `The metadata has ${size} bytes of JSON; the limit is ${limits.metadata}.`, {
    details: { what: "metadata", size, limit: limits.metadata },
  });
}

/** A merge patch of metadata: `null` removes a key. */
export function checkMetadataPatch(patch: unknown, limits: Limits): JsonObject | undefined {
  if (patch === undefined) return undefined;
  return JSON.parse(checkMetadata(patch, limits)) as JsonObject;
}

/** @throws HeddleError INVALID_ARGUMENT unless the filter is an object of scalars */
export function checkMetadataFilter(filter: unknown): MetadataFilter | undefined {
  if (filter === undefined) return undefined;
  const copy = requireObject("metadata", copyJson(filter, "metadata"));
  for (const [key, value] of Object.entries(copy)) {
    if (!["string", "number", "boolean"].includes(typeof value)) {
      throw new HeddleError("INVALID_ARGUMENT", `metadata.${key}: search is equality on strings, numbers, booleans.`, {
        details: { field: `metadata.${key}` },
      });
    }
  }
  requirePlain(copy, "metadata");
  return copy as MetadataFilter;
}

function requireObject(field: string, value: Json): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new HeddleError("INVALID_ARGUMENT", `"${field}" must be an object.`, { details: { field } });
}

function requirePlain(value: Json, where: string): void {
  if (typeof value === "string" && !isPlainText(value)) throw notPlain(where);
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    if (!isPlainText(key)) throw notPlain(`${where}.${JSON.stringify(key)}`);
    requirePlain(item, `${where}.${key}`);
  }
}

function notPlain(field: string): HeddleError {
  return new HeddleError("INVALID_ARGUMENT", `${field} must not contain U+0000 or lone surrogates.`, {
    details: { field },
  });
}

/** JSON text of a value, within `limit` bytes. */
export function checkJson(what: string, value: unknown, limit: number): string {
  return checkedJson(what, value, limit).text;
}

/** The same, and a frozen copy of the value as that text holds it. */
export function checkedJson(
  what: string,
  value: unknown,
  limit: number,
): { readonly copy: Json; readonly text: string } {
  const copy = copyJson(value ?? null, what);
  const text = JSON.stringify(copy);
  const size = text.length * 3 <= limit ? 0 : byteLength(text);
  if (size <= limit) return { copy, text };
  throw new HeddleError("TOO_LARGE", `The ${what} has ${size} bytes of JSON; the limit is ${limit}.`, {
    details: { what, size, limit },
  });
}

/**
 * The zod schema of an agent's values, taken apart so that only what an agent changed is validated. Objects, arrays and
 * records come apart, also inside optional, nullable, default and readonly. Whatever says something about a container as
 * a whole (refinements, unions, pipes, lazies, …) is a node that is validated whole whenever anything in it changed.
 */

import { z } from "zod";
import { HeddleError, type HeddleErrorCode } from "../errors.js";
import {
  copyJson,
  formatPath,
  isJsonObject,
  type Json,
  type JsonObject,
  type JsonPath,
  jsonEqual,
  putKey,
} from "./json.js";

export interface ValuesSchema {
  /** How the values as a whole come apart; without `object` they are validated whole. */
  readonly root: SchemaNode;
  /** `stored` without the top-level keys that the schema does not know; `stored` itself where it knows all. */
  visible(stored: JsonObject): JsonObject;
  /**
   * `stored` with the schema's defaults in place of absent top-level keys; `stored` itself where there is none.
   *
   * @throws INVALID_VALUES for a default that is not plain JSON.
   */
  fillDefaults(stored: JsonObject): JsonObject;
  /**
   * Checks everything visible in `tree`, in O(tree). Defaults count: fill them in first or not, both pass.
   *
   * @throws INVALID_VALUES
   */
  validateWhole(tree: JsonObject): void;
}

/** A part of the schema. */
export interface SchemaNode {
  /**
   * Validates a frozen tree whole. Returns it, or what the schema made of it: keys stripped, nested defaults filled in.
   *
   * @throws INVALID_VALUES also when that is not plain JSON or does not parse to itself.
   */
  parse(tree: Json, path: JsonPath): Json;
  /** How an object comes apart, where it does. */
  readonly object?: ObjectParts;
  /** How an array comes apart, where it does. */
  readonly array?: ArrayParts;
}

export interface ObjectParts {
  /** The keys that have a say even when they are absent: a default, or an error. */
  readonly keys: readonly string[];
  /** The node of a key, or what becomes of a key that the schema does not know. */
  child(key: string): SchemaNode | "strip" | "refuse";
  /**
   * What the schema puts where `key` is absent; undefined: nothing.
   *
   * @throws INVALID_VALUES when the key is required.
   */
  absent(key: string, path: JsonPath): Json | undefined;
}

export interface ArrayParts {
  readonly element: SchemaNode;
  /** Whether the schema allows this length; if not, `parse` of the whole says why. */
  fits(length: number): boolean;
}

/** Any JSON. */
export const jsonNode: SchemaNode = {
  parse: (tree) => tree,
  get object() {
    return jsonParts;
  },
  get array() {
    return jsonElements;
  },
};

export const jsonParts: ObjectParts = { keys: [], child: () => jsonNode, absent: () => undefined };

const jsonElements: ArrayParts = { element: jsonNode, fits: () => true };

const anyValues: ValuesSchema = {
  root: jsonNode,
  visible: (stored) => stored,
  fillDefaults: (stored) => stored,
  validateWhole: () => {},
};

/** Takes the schema of an agent's values apart; without a schema values are any JSON and all of them are visible. */
export function valuesSchema(schema: z.ZodType | undefined): ValuesSchema {
  if (schema === undefined) return anyValues;
  const root = new Parts().node(schema);
  const def = unwrap(schema)._zod.def;
  return def.type === "object" ? objectValues(schema, root, def) : wholeValues(schema, root);
}

/** Top-level keys are known one by one, even where refinements make the values one whole. */
function objectValues(schema: z.ZodType, root: SchemaNode, def: z.core.$ZodObjectDef): ValuesSchema {
  const keys = Object.keys(def.shape);
  const known = new Set(keys);
  const parts = root.object ?? objectParts(new Parts(), def);
  const open = def.catchall !== undefined && def.catchall._zod.def.type !== "never";
  const visible = (stored: JsonObject): JsonObject => {
    if (open || Object.keys(stored).every((key) => known.has(key))) return stored;
    return pick(stored, (key) => known.has(key));
  };
  return {
    root,
    visible,
    fillDefaults: (stored) => fill(stored, keys, (key) => unlessInvalid(() => parts.absent(key, [key]))),
    validateWhole: (tree) => void parseSync(schema, visible(tree), []),
  };
}

/** A union, a record, …: what is known depends on the values themselves, so everything is visible. */
function wholeValues(schema: z.ZodType, root: SchemaNode): ValuesSchema {
  const defaults = (stored: JsonObject): JsonObject => {
    const output = unlessInvalid(() => plainOutput(parseSync(schema, stored, []), []));
    return isJsonObject(output) ? output : {};
  };
  return {
    root,
    visible: (stored) => stored,
    fillDefaults: (stored) => {
      const filled = defaults(stored);
      return fill(stored, Object.keys(filled), (key) => filled[key]);
    },
    validateWhole: (tree) => void parseSync(schema, tree, []),
  };
}

function pick(tree: JsonObject, wanted: (key: string) => boolean): JsonObject {
  const picked: Record<string, Json> = {};
  for (const key of Object.keys(tree)) if (wanted(key)) putKey(picked, key, tree[key] as Json);
  return Object.freeze(picked);
}

/** @param value gives plain, frozen JSON */
function fill(stored: JsonObject, keys: readonly string[], value: (key: string) => Json | undefined): JsonObject {
  const filled: Record<string, Json> = {};
  for (const key of keys) {
    const missing = Object.hasOwn(stored, key) ? undefined : value(key);
    if (missing !== undefined) putKey(filled, key, missing);
  }
  return Object.keys(filled).length === 0 ? stored : Object.freeze({ ...stored, ...filled });
}

/** What is required and absent, or invalid, is for `validateWhole` to report; a default that is no JSON is not. */
function unlessInvalid<Output>(make: () => Output): Output | undefined {
  try {
    return make();
  } catch (error) {
    if (HeddleError.is(error) && "issues" in error.details) return undefined;
    throw error;
  }
}

type Schema = z.core.$ZodType;

/** Nodes by schema. Made when first asked for, because the shape of a recursive schema contains itself. */
class Parts {
  readonly #nodes = new WeakMap<Schema, SchemaNode>();

  node(schema: Schema): SchemaNode {
    const known = this.#nodes.get(schema);
    if (known !== undefined) return known;
    const node = makeNode(this, schema);
    this.#nodes.set(schema, node);
    return node;
  }
}

function makeNode(parts: Parts, schema: Schema): SchemaNode {
  const { def } = unwrap(schema)._zod;
  const parse = (tree: Json, path: JsonPath): Json => validated(schema, tree, path);
  if (def.type === "array" && hasOnly(def, lengthChecks)) return { parse, array: arrayParts(parts, def) };
  if (hasChecks(def)) return { parse };
  if (def.type === "any" || def.type === "unknown") return jsonNode;
  if (def.type === "object") return { parse, object: objectParts(parts, def) };
  if (def.type === "record" && hasFreeKeys(def)) return { parse, object: recordParts(parts, def) };
  return { parse };
}

function arrayParts(parts: Parts, def: z.core.$ZodArrayDef): ArrayParts {
  const checks = checksOf(def) as readonly LengthCheck[];
  return {
    get element() {
      return parts.node(def.element as Schema);
    },
    fits: (length) => checks.every((check) => lengthFits(check, length)),
  };
}

function objectParts(parts: Parts, def: z.core.$ZodObjectDef): ObjectParts {
  const unknown =
    def.catchall === undefined ? "strip" : def.catchall._zod.def.type === "never" ? "refuse" : def.catchall;
  return {
    keys: Object.keys(def.shape),
    child(key) {
      if (Object.hasOwn(def.shape, key)) return parts.node(def.shape[key] as Schema);
      return typeof unknown === "string" ? unknown : parts.node(unknown as Schema);
    },
    absent: (key, path) => absentValue(def.shape[key] as z.ZodType, path),
  };
}

function recordParts(parts: Parts, def: z.core.$ZodRecordDef): ObjectParts {
  return { keys: [], child: () => parts.node(def.valueType as Schema), absent: () => undefined };
}

const holders = new WeakMap<Schema, z.ZodType>();

/** zod's rules for absent keys belong to the object, so one with this one key is asked. */
function holderOf(schema: z.ZodType): z.ZodType {
  const known = holders.get(schema);
  if (known !== undefined) return known;
  const holder = z.object({ value: schema });
  holders.set(schema, holder);
  return holder;
}

function absentValue(schema: z.ZodType, path: JsonPath): Json | undefined {
  const value = (parseSync(holderOf(schema), {}, path, 1) as { value?: unknown }).value;
  return value === undefined ? undefined : plainOutput(value, path);
}

const wrappers = new Set<string>(["optional", "nullable", "default", "prefault", "nonoptional", "readonly"]);

/** The schema that decides about containers: wrappers only concern undefined and null. */
function unwrap(schema: Schema): z.core.$ZodTypes {
  let inner = schema as z.core.$ZodTypes;
  while (wrappers.has(inner._zod.def.type) && !hasChecks(inner._zod.def)) {
    inner = (inner._zod.def as z.core.$ZodOptionalDef).innerType as z.core.$ZodTypes;
  }
  return inner;
}

type LengthCheck = z.core.$ZodCheckMinLengthDef | z.core.$ZodCheckMaxLengthDef | z.core.$ZodCheckLengthEqualsDef;

const lengthChecks = new Set<string>(["min_length", "max_length", "length_equals"]);

function lengthFits(check: LengthCheck, length: number): boolean {
  if (check.check === "min_length") return length >= check.minimum;
  if (check.check === "max_length") return length <= check.maximum;
  return length === check.length;
}

function checksOf(def: z.core.$ZodTypeDef): readonly z.core.$ZodCheckDef[] {
  return (def.checks ?? []).map((check) => check._zod.def);
}

function hasChecks(def: z.core.$ZodTypeDef): boolean {
  return def.checks !== undefined && def.checks.length > 0;
}

function hasOnly(def: z.core.$ZodTypeDef, kinds: ReadonlySet<string>): boolean {
  return checksOf(def).every((check) => kinds.has(check.check));
}

/** Other key schemas may require, refuse or rename keys. */
function hasFreeKeys(def: z.core.$ZodRecordDef): boolean {
  const key: z.core.$ZodTypeDef = def.keyType._zod.def;
  return key.type === "string" && !hasChecks(key) && !("format" in key) && !("coerce" in key);
}

function validated(schema: Schema, tree: Json, path: JsonPath): Json {
  const output = plainOutput(parseSync(schema, tree, path), path);
  if (jsonEqual(output, tree)) return tree;
  if (jsonEqual(plainOutput(parseSync(schema, output, path), path), output)) return output;
  throw transformed(path, "its output does not parse to itself");
}

function plainOutput(output: unknown, path: JsonPath): Json {
  try {
    return copyJson(output, "values", path);
  } catch (error) {
    throw transformed(path, error instanceof HeddleError ? error.message : "", error);
  }
}

function transformed(path: JsonPath, why: string, cause?: unknown): HeddleError {
  const at = formatPath("values", path);
  return new HeddleError("INVALID_VALUES", `${at}: a values schema cannot transform what it validates (${why})`, {
    details: { path: at },
    cause,
  });
}

function parseSync(schema: Schema, value: unknown, path: JsonPath, skip = 0): unknown {
  return parseAt(schema, value, "INVALID_VALUES", "values", path, skip);
}

/**
 * Validates any value with any zod schema, synchronously, and returns the schema's output.
 *
 * @param where names the value in messages, e.g. `input`
 * @throws HeddleError with `code`; the message names the path of each of the first five issues, `details.path` is the
 * first one's, `details.issues` are all of them as `{ path, message, code }`.
 */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  code: HeddleErrorCode,
  where: string,
): z.output<Schema> {
  return parseAt(schema, value, code, where, [], 0) as z.output<Schema>;
}

/** `skip` steps at the front of an issue's path belong to a holder object of ours. */
function parseAt(
  schema: Schema,
  value: unknown,
  code: HeddleErrorCode,
  where: string,
  path: JsonPath,
  skip: number,
): unknown {
  const result = runSchema(schema, value, code, formatPath(where, path));
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => ({
    path: formatPath(where, [...path, ...issue.path.slice(skip)]),
    message: issue.message,
    code: issue.code,
  }));
  throw new HeddleError(code, summarize(issues), {
    details: { path: issues[0]?.path ?? where, issues },
    cause: result.error,
  });
}

function runSchema(schema: Schema, value: unknown, code: HeddleErrorCode, at: string): z.ZodSafeParseResult<unknown> {
  try {
    return z.safeParse(schema, value);
  } catch (cause) {
    const isAsync = cause instanceof z.core.$ZodAsyncError;
    const why = isAsync
      ? "its schema is asynchronous; Heddle validates synchronously, so use synchronous refinements"
      : "its schema threw";
    throw new HeddleError(code, `${at}: ${why}`, { details: { path: at }, cause });
  }
}

const issuesInMessage = 5;

function summarize(issues: readonly { readonly path: string; readonly message: string }[]): string {
  const shown = issues.slice(0, issuesInMessage).map((issue) => `${issue.path}: ${issue.message}`);
  const more = issues.length - shown.length;
  return shown.join("; ") + (more > 0 ? `; and ${more} more` : "");
}

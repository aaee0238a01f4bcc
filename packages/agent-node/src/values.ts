/** What an agent returns, as frames carry it: changes against what it was handed, found by identity. */

/** As a top-level value: removes that key. The symbol that `@heddle/core` exports as `REMOVE`. */
export const REMOVE: unique symbol = Symbol.for("heddle.remove") as never;

type Path = readonly (string | number)[];

export type PatchOperation =
  | { readonly op: "set"; readonly path: Path; readonly value: unknown }
  | { readonly op: "remove"; readonly path: Path }
  | { readonly op: "append"; readonly path: Path; readonly values: readonly unknown[] };

type Keys = Readonly<Record<string, unknown>>;

/** Top-level keys that are not named, or `undefined`, stay. */
export function patchOf(base: Keys, update: Keys): PatchOperation[] {
  return Object.entries(update).flatMap(([key, value]) => {
    if (value === undefined) return [];
    if (value === REMOVE) return Object.hasOwn(base, key) ? [{ op: "remove", path: [key] } as const] : [];
    return difference(Object.hasOwn(base, key) ? base[key] : undefined, value, [key]);
  });
}

/** What came back `===` is not looked into; an array that only grew is appended to; what else differs is sent whole. */
function difference(before: unknown, after: unknown, path: Path): PatchOperation[] {
  if (before === after) return [];
  if (Array.isArray(before) && Array.isArray(after)) return arrayDifference(before, after, path);
  if (isPlainObject(before) && isPlainObject(after)) return objectDifference(before, after, path);
  return [{ op: "set", path, value: after }];
}

function arrayDifference(before: readonly unknown[], after: readonly unknown[], path: Path): PatchOperation[] {
  const grew = after.length > before.length && before.every((element, index) => element === after[index]);
  return grew ? [{ op: "append", path, values: after.slice(before.length) }] : [{ op: "set", path, value: after }];
}

function objectDifference(before: Keys, after: Keys, path: Path): PatchOperation[] {
  const gone = Object.keys(before).filter((key) => after[key] === undefined);
  const kept = Object.entries(after).filter(([, value]) => value !== undefined);
  return [
    ...gone.map((key) => ({ op: "remove", path: [...path, key] }) as const),
    ...kept.flatMap(([key, value]) =>
      difference(Object.hasOwn(before, key) ? before[key] : undefined, value, [...path, key]),
    ),
  ];
}

function isPlainObject(value: unknown): value is Keys {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The agent gets a tree that it cannot change by mistake. */
export function deepFreeze<Tree>(tree: Tree): Tree {
  if (typeof tree !== "object" || tree === null || Object.isFrozen(tree)) return tree;
  for (const child of Object.values(tree)) deepFreeze(child);
  return Object.freeze(tree);
}

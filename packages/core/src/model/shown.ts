/**
 * Any value, as an error message shows it: at most 100 characters. Also of what `String` refuses (an object without a
 * prototype, one whose `toString` throws): the report of a mistake must not become another one.
 */
export function shown(value: unknown): string {
  if (typeof value === "string") return value.slice(0, 100);
  if (typeof value === "function") return "a function";
  if (value instanceof Error) return told(() => `${value.name}: ${value.message}`);
  if (typeof value !== "object" || value === null) return String(value).slice(0, 100);
  return Array.isArray(value) ? "a list" : "an object";
}

function told(tell: () => string): string {
  try {
    return tell().slice(0, 1_000);
  } catch {
    return "an error that cannot be told";
  }
}

import { HeddleError } from "../errors.js";
import { shown } from "../model/shown.js";

/** What an agent gave besides: a key given as a text would be looked for in vain. @throws HeddleError INVALID_ARGUMENT */
export function requireOptions(options: unknown): void {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return;
  throw new HeddleError("INVALID_ARGUMENT", `"options" is ${shown(options)}, but must be an object.`, {
    details: { field: "options" },
  });
}

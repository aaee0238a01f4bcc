/** What a host plugs into an engine. */

import { HeddleError } from "../errors.js";
import { checkBoolean } from "./check-input.js";
import { invalidArgument } from "./settings.js";

interface Ports {
  readonly storage?: unknown;
  readonly executor?: unknown;
  readonly clock?: unknown;
  readonly random?: unknown;
  readonly work?: unknown;
}

/** @throws HeddleError INVALID_ARGUMENT naming the field */
export function checkPorts(options: Ports): void {
  if (!can(options?.storage, "commit")) {
    throw new HeddleError("INVALID_ARGUMENT", 'An engine needs a "storage", e.g. sqliteStorage("agents.db").', {
      details: { field: "storage" },
    });
  }
  const { executor, clock, random, work } = options;
  if (executor !== undefined && !can(executor, "execute")) throw invalidArgument("executor", executor, "an executor");
  if (clock !== undefined && !can(clock, "setTimer")) throw invalidArgument("clock", clock, "a clock");
  if (random !== undefined && !can(random, "id")) throw invalidArgument("random", random, "a source of randomness");
  if (work !== undefined) checkBoolean("work", work);
}

/** By what it can do: it may come of another copy of Heddle. */
function can(port: unknown, method: string): boolean {
  return typeof (port as Readonly<Record<string, unknown>> | null | undefined)?.[method] === "function";
}

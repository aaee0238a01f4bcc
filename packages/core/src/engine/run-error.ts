/** What an agent threw, as plain data that can be stored. */

import { HeddleError } from "../errors.js";
import type { JsonObject } from "../model/json.js";
import { copyJson } from "../model/json.js";
import type { RunError } from "../model/run.js";
import { shown } from "../model/shown.js";

const longestMessage = 10_000;
const longestStack = 20_000;

export function runErrorOf(thrown: unknown): RunError {
  if (HeddleError.is(thrown)) return { code: thrown.code, message: thrown.message, ...detailsOf(thrown) };
  if (thrown instanceof Error) return { code: "AGENT_ERROR", ...describe(thrown) };
  return { code: "AGENT_ERROR", message: cut(text(thrown), longestMessage) };
}

function describe(error: Error): { message: string; name: string; stack?: string } {
  const message = cut(text(error.message), longestMessage);
  const name = text(error.name);
  return typeof error.stack === "string" ? { message, name, stack: cut(error.stack, longestStack) } : { message, name };
}

function detailsOf(error: HeddleError): { readonly details?: Readonly<Record<string, unknown>> } {
  try {
    return { details: copyJson(error.details, "details") as JsonObject };
  } catch {
    return {};
  }
}

function text(value: unknown): string {
  try {
    return String(value);
  } catch {
    return shown(value);
  }
}

function cut(value: string, limit: number): string {
  return value.length <= limit ? value : `${value.slice(0, limit)}…`;
}

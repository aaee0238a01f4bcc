/** What an answer must look like, as JSON Schema: plain data that outlives the process that asked. */

import { z } from "zod";
import { HeddleError } from "../errors.js";
import type { Json } from "../model/json.js";
import { checkJson } from "./check-input.js";

/** JSON text of a JSON Schema that can be checked. @throws HeddleError INVALID_ARGUMENT, TOO_LARGE */
export function checkAnswerSchema(schema: unknown, limit: number): string {
  const text = checkJson("schema", schema, limit);
  compile(text);
  return text;
}

/** @throws HeddleError INVALID_ANSWER */
export function checkAnswer(schema: string | null, answer: Json, details: object): void {
  if (schema === null) return;
  const checked = compile(schema).safeParse(answer);
  if (checked.success) return;
  const problems = z.prettifyError(checked.error);
  throw new HeddleError("INVALID_ANSWER", `The answer does not fit the question's schema: ${problems}`, {
    details: { ...details, issues: checked.error.issues.map(({ path, message }) => ({ path, message })) },
  });
}

function compile(text: string): z.ZodType {
  try {
    return z.fromJSONSchema(JSON.parse(text));
  } catch (error) {
    const message = `"schema" is no JSON Schema that can be checked: ${(error as Error).message}`;
    throw new HeddleError("INVALID_ARGUMENT", message, { details: { field: "schema" }, cause: error });
  }
}

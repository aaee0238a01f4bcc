/** A question whose answer has a zod schema: stored as JSON Schema, and the answer is parsed by the schema itself. */

import { z } from "zod";
import { HeddleError } from "../errors.js";
import type { Json } from "../model/json.js";
import { parseWith } from "../model/values-schema.js";
import type { InterruptOptions } from "../ports/agent-calls.js";
import type { AttemptSession } from "../ports/executor.js";
import { requireOptions } from "./require-options.js";

export async function askWithSchema(
  session: AttemptSession,
  key: string,
  payload: unknown,
  options: InterruptOptions = {},
): Promise<unknown> {
  requireOptions(options);
  const { schema, expiresIn } = options;
  const given = {
    ...(schema === undefined ? {} : { schema: jsonSchemaOf(schema) }),
    ...(expiresIn === undefined ? {} : { expiresIn }),
  };
  const answer = await session.ask(key, payload, given);
  return schema === undefined ? answer : parseWith(schema, answer, "INVALID_ANSWER", `answer to "${key}"`);
}

/** @throws HeddleError INVALID_ARGUMENT where JSON Schema cannot say it */
function jsonSchemaOf(schema: unknown): Json {
  try {
    if (!(schema instanceof z.ZodType)) throw new Error("it is no zod 4 schema");
    return z.toJSONSchema(schema, { io: "input" }) as unknown as Json;
  } catch (error) {
    const message = `"schema" cannot be written as JSON Schema: ${(error as Error).message}`;
    throw new HeddleError("INVALID_ARGUMENT", message, { details: { field: "schema" }, cause: error });
  }
}

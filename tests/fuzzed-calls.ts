/** Calls with hostile arguments: what they come to, and whether that is allowed. */

import { HeddleError } from "@heddle/core";
import fc from "fast-check";
import { aborted } from "./hostile-values.js";

/** Call it and take what comes; `undefined`: it answered. */
export async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    const answer = await call();
    if (isStream(answer)) await readOne(answer);
    return undefined;
  } catch (error) {
    return error;
  }
}

function isStream(answer: unknown): answer is AsyncGenerator {
  return typeof (answer as AsyncGenerator | undefined)?.next === "function";
}

/** A stream may have nothing to say for ever: leaving it must work too. */
async function readOne(stream: AsyncGenerator): Promise<void> {
  const first = stream.next();
  first.catch(() => {});
  const turn = new Promise((resolve) => setTimeout(resolve, 5));
  await Promise.race([first, turn]);
  void stream.return(undefined);
  await Promise.race([first, turn]);
}

export function requireTyped(error: unknown, name: string, given: readonly unknown[]): void {
  if (error === undefined || error === aborted.reason || HeddleError.is(error)) return;
  const thrown = error instanceof Error ? `${error.name}: ${error.message}` : fc.stringify(error);
  throw new Error(`${name}(${given.map((value) => fc.stringify(value)).join(", ")}) threw ${thrown}`, { cause: error });
}

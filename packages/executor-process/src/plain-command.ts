/** A command that knows nothing of Heddle: it reads the input as JSON and prints its output as JSON. */

import type { Attempt, AttemptResult, AttemptSession } from "@heddle/core";
import type { AgentProgram } from "./agent-program.js";
import { announceArtifacts } from "./artifacts.js";
import type { ConversationOptions } from "./conversation.js";
import { logTail } from "./conversation.js";
import { exitError, protocolError } from "./program-errors.js";
import { ProtocolViolation } from "./protocol/frames.js";
import { Redactor } from "./secrets.js";
import { supervise } from "./supervise.js";

/** Rejects with a HeddleError that says what became of the program. */
export async function runPlainCommand(
  program: AgentProgram,
  attempt: Attempt,
  session: AttemptSession,
  { limits, secrets, artifacts }: ConversationOptions,
): Promise<AttemptResult> {
  const redactor = new Redactor(secrets);
  const log = logTail(session, redactor);
  const printed = new PrintedJson(limits.frame);
  program.input.on("error", () => {});
  program.input.end(`${JSON.stringify(attempt.inputJson)}\n`);
  try {
    const exit = await supervise({
      program,
      attempt,
      limits,
      log,
      take: (chunk) => printed.add(chunk),
      cancel: () => program.terminate(),
    });
    if (exit.code !== 0) throw exitError(exit, log.lines);
    const output = redactor.json(printed.parse());
    if (artifacts !== undefined) await announceArtifacts(session, artifacts.files(), limits.artifacts);
    return { output };
  } catch (error) {
    if (attempt.signal.aborted) throw attempt.signal.reason;
    if (error instanceof ProtocolViolation) throw protocolError(redactor.violation(error), log.lines);
    throw error;
  }
}

class PrintedJson {
  readonly #limit: number;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (this.#length > this.#limit) throw new ProtocolViolation(`an output of more than ${this.#limit} bytes`);
    this.#chunks.push(chunk);
  }

  /** `undefined` where nothing was printed. */
  parse(): unknown {
    const text = Buffer.concat(this.#chunks).toString("utf8");
    if (text.trim() === "") return undefined;
    try {
      return JSON.parse(text);
    } catch {
      throw new ProtocolViolation("its standard output is no JSON", text);
    }
  }
}

/** How a program's failures are called. */

import { HeddleError } from "@heddle/core";
import type { ProgramExit } from "./agent-program.js";
import type { ProtocolViolation } from "./protocol/frames.js";

/** What the agent itself threw, in its own words. */
export class AgentError extends Error {
  constructor({ name, message, stack }: { name?: string | undefined; message: string; stack?: string | undefined }) {
    super(message);
    this.name = name ?? "Error";
    if (stack !== undefined) this.stack = stack;
  }
}

export function protocolError({ message, line }: ProtocolViolation, log: readonly string[]): HeddleError {
  const details = line === undefined ? { log } : { line, log };
  return new HeddleError("AGENT_PROTOCOL", `The agent broke the protocol: ${message}.`, { details });
}

export function exitError(exit: ProgramExit, log: readonly string[]): HeddleError {
  const details = { exitCode: exit.code, signal: exit.signal, log };
  if (exit.outOfMemory === true) {
    return new HeddleError("AGENT_OUT_OF_MEMORY", "The agent was killed: it used more memory than it may.", {
      details,
    });
  }
  const how = exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
  const last = log.at(-1);
  const said = last === undefined ? "" : ` Its last words: ${last}`;
  return new HeddleError("AGENT_EXITED", `The agent ended with ${how} before it answered.${said}`, { details });
}

export function outputTooLarge(limit: number, log: readonly string[]): HeddleError {
  return new HeddleError("TOO_LARGE", `The agent wrote more than ${limit} bytes.`, {
    details: { what: "output", limit, log },
  });
}

export function silentTooLong(limit: number, log: readonly string[]): HeddleError {
  return new HeddleError("ATTEMPT_TIMEOUT", `The agent said nothing for ${limit} ms.`, {
    details: { what: "silence", limit, log },
  });
}

/**
 * Secrets reach the agent in the start frame, and nowhere else. What it sends back is searched for them, so that one that
 * it logs or quotes by accident is never stored. This guards against mistakes; an agent that wants to tell a secret can.
 */

import { HeddleError } from "@heddle/core";
import { ProtocolViolation } from "./protocol/frames.js";

export type Secrets = Readonly<Record<string, string>>;
/** A function is asked anew for each attempt. */
export type SecretsSource = Secrets | (() => Secrets | Promise<Secrets>);

/** Shorter ones would be found in what is none. */
const shortest = 6;
const deepest = 1_000;

/** @throws HeddleError INVALID_ARGUMENT, without the value */
export async function readSecrets(source: SecretsSource | undefined): Promise<Secrets> {
  const secrets = (typeof source === "function" ? await source() : source) ?? {};
  for (const [name, value] of Object.entries(secrets)) {
    if (typeof value === "string" && value.length >= shortest) continue;
    throw new HeddleError("INVALID_ARGUMENT", `Secret "${name}" must be a text of ${shortest} characters or more.`, {
      details: { field: `secrets.${name}` },
    });
  }
  return secrets;
}

export class Redactor {
  readonly #secrets: readonly (readonly [value: string, mark: string])[];

  constructor(secrets: Secrets) {
    // The longest first: one may be part of another.
    this.#secrets = Object.entries(secrets)
      .sort(([, a], [, b]) => b.length - a.length)
      .map(([name, value]) => [value, `[secret ${name}]`]);
  }

  text(text: string): string {
    let safe = text;
    for (const [value, mark] of this.#secrets) safe = safe.replaceAll(value, mark);
    return safe;
  }

  violation({ message, line }: ProtocolViolation): ProtocolViolation {
    return new ProtocolViolation(this.text(message), line && this.text(line));
  }

  /** Of parsed JSON: a copy where there are secrets, keys included. */
  json<Value>(value: Value): Value {
    return this.#secrets.length === 0 ? value : (this.#copy(value, 0) as Value);
  }

  #copy(value: unknown, depth: number): unknown {
    if (typeof value === "string") return this.text(value);
    if (typeof value !== "object" || value === null) return value;
    if (depth > deepest) throw new ProtocolViolation(`a frame deeper than ${deepest}`);
    if (Array.isArray(value)) return value.map((element) => this.#copy(element, depth + 1));
    return Object.fromEntries(
      Object.entries(value).map(([key, element]) => [this.text(key), this.#copy(element, depth + 1)]),
    );
  }
}

/** Statements, and their values as the wire wants them. */

import { createHash } from "node:crypto";
import type { Template } from "@heddle/storage-sql";

/** A column of an answer. */
export interface Field {
  readonly name: string;
  readonly isNumber: boolean;
}

export interface Statement {
  readonly text: string;
  /** Of the prepared statement; `undefined`: not prepared. */
  readonly name: string | undefined;
  /** What its rows look like: known once the server described them, so it is asked once only. */
  fields: readonly Field[] | undefined;
}

/** A statement with its values. */
export interface Bound {
  readonly statement: Statement;
  readonly values: readonly (string | null)[];
}

export type Row = Record<string, unknown>;

/** Makes statements: with names that say what their text is, so that no pooler can take one for another. */
export class Statements {
  readonly #prepares: boolean;
  readonly #ofTemplates = new WeakMap<object, Statement>();

  constructor(prepares: boolean) {
    this.#prepares = prepares;
  }

  /** A statement with a fixed text. */
  fixed(text: string): Statement {
    return { text, name: this.#prepares ? nameOf(text) : undefined, fields: undefined };
  }

  of<Params, R>(template: Template<Params, R>, params: Params): Bound {
    const known = this.#ofTemplates.get(template);
    const statement = known ?? this.fixed(template.sql);
    if (known === undefined) this.#ofTemplates.set(template, statement);
    return { statement, values: template.bind(params).map(encode) };
  }

  /** A text that depends on the call. */
  once(text: string, values: readonly unknown[]): Bound {
    return { statement: { text, name: undefined, fields: undefined }, values: values.map(encode) };
  }
}

function nameOf(text: string): string {
  return `heddle_${createHash("sha256").update(text).digest("base64url").slice(0, 24)}`;
}

export function bound(statement: Statement, ...values: readonly unknown[]): Bound {
  return { statement, values: values.map(encode) };
}

/** Numbers, texts, `null`, and arrays of them: nothing else is ever sent. */
function encode(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return arrayText(value);
  return String(value);
}

/** PostgreSQL's text form of an array. */
export function arrayText(values: readonly unknown[]): string {
  return `{${values.map(elementText).join(",")}}`;
}

function elementText(value: unknown): string {
  if (typeof value === "string") return `"${/["\\]/.test(value) ? value.replace(/["\\]/g, "\\$&") : value}"`;
  if (value === null || value === undefined) return "NULL";
  return String(value);
}

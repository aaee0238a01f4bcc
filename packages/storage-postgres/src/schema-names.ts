/** Where the tables are, and how to write that down. */

import { createHash } from "node:crypto";

export class SchemaNames {
  readonly schema: string;
  /** The schema's name, quoted. */
  readonly quoted: string;
  /** The channel that commits are announced on. */
  readonly channel: string;
  readonly threads: string;
  readonly runs: string;
  readonly checkpoints: string;
  readonly events: string;
  readonly keys: string;
  readonly memos: string;
  readonly questions: string;
  readonly origins: string;
  readonly tombstones: string;
  readonly commits: string;
  readonly migrations: string;

  constructor(schema: string) {
    this.schema = schema;
    this.quoted = quoteName(schema);
    this.channel = `heddle_${createHash("sha256").update(schema).digest("hex").slice(0, 16)}`;
    this.threads = this.#table("heddle_threads");
    this.runs = this.#table("heddle_runs");
    this.checkpoints = this.#table("heddle_checkpoints");
    this.events = this.#table("heddle_events");
    this.keys = this.#table("heddle_idempotency_keys");
    this.memos = this.#table("heddle_memos");
    this.questions = this.#table("heddle_questions");
    this.origins = this.#table("heddle_origins");
    this.tombstones = this.#table("heddle_tombstones");
    this.commits = this.#table("heddle_commits");
    this.migrations = this.#table("heddle_migrations");
  }

  get tables(): readonly string[] {
    const { threads, runs, checkpoints, events, keys, memos, questions, origins, tombstones } = this;
    const { commits, migrations } = this;
    return [threads, runs, checkpoints, events, keys, memos, questions, origins, tombstones, commits, migrations];
  }

  #table(name: string): string {
    return `${this.quoted}.${name}`;
  }
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

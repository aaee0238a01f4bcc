/**
 * The records that the last transactions wrote and the next ones will most likely read: threads, and runs that are not
 * settled. Reading a run's 33 columns costs more than writing what a turn changes of them.
 *
 * A record is only used where nobody else can have written since. SQLite tells: `data_version` changes when another
 * connection has committed, `total_changes()` counts the rows that this one has written, whoever asked it to. Both are
 * compared under the writer's lock; where either moved unseen, everything is forgotten.
 */

import type { Changes, RunRecord, ThreadRecord } from "@heddle/core/storage";
import { isSettled } from "@heddle/core/storage";
import type { Statements } from "./statements.js";

const keptRecords = 2_000;
/** Characters of a run's texts: large ones are read again rather than kept. */
const keptText = 8_192;

export class RecordCache {
  readonly #statements: Statements;
  readonly #runs = new Map<string, RunRecord>();
  readonly #threads = new Map<string, ThreadRecord>();
  #version: unknown;
  #changes: unknown;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  run(id: string): RunRecord | undefined {
    return this.#runs.get(id);
  }

  thread(id: string): ThreadRecord | undefined {
    return this.#threads.get(id);
  }

  /** At the begin of a transaction: forget what somebody else may have changed. */
  check(): void {
    const version = this.#value("pragma data_version");
    if (version !== this.#version || this.#value("select total_changes()") !== this.#changes) this.clear();
    this.#version = version;
  }

  /** After the changes were written, in the same transaction; `clear` where that is rolled back. */
  keep({ runs, threads, removals }: Changes): void {
    if (removals.length > 0) this.clear();
    else {
      for (const { after } of runs) put(this.#runs, after, isWorthKeeping(after));
      for (const { after } of threads) put(this.#threads, after, true);
    }
    this.#changes = this.#value("select total_changes()");
  }

  clear(): void {
    this.#runs.clear();
    this.#threads.clear();
  }

  #value(sql: string): unknown {
    return this.#statements.text(sql).pluck().get();
  }
}

function isWorthKeeping({ status, input, config, metadata }: RunRecord): boolean {
  return !isSettled(status) && input.length + (config?.length ?? 0) + metadata.length <= keptText;
}

/** The records that were not written for longest go first. */
function put<Row extends { readonly id: string }>(kept: Map<string, Row>, row: Row, isWorth: boolean): void {
  kept.delete(row.id);
  if (!isWorth) return;
  kept.set(row.id, row);
  if (kept.size > keptRecords) kept.delete(kept.keys().next().value ?? "");
}

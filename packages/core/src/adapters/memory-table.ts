/** Rows by key, with indexes kept in step and an undo for every change. */

import type { Journal } from "./journal.js";

export interface Index<Row> {
  insert(row: Row): void;
  remove(row: Row): void;
}

export class MemoryTable<Row> {
  readonly rows = new Map<string, Row>();
  readonly #journal: Journal;
  readonly #keyOf: (row: Row) => string;
  readonly #index: Index<Row> | undefined;

  constructor(journal: Journal, keyOf: (row: Row) => string, index?: Index<Row>) {
    this.#journal = journal;
    this.#keyOf = keyOf;
    this.#index = index;
  }

  get(key: string): Row | undefined {
    return this.rows.get(key);
  }

  put(row: Row): void {
    this.#set(this.#keyOf(row), row);
  }

  delete(key: string): void {
    this.#set(key, undefined);
  }

  #set(key: string, row: Row | undefined): void {
    const before = this.rows.get(key);
    if (before !== undefined) this.#index?.remove(before);
    if (row === undefined) this.rows.delete(key);
    else this.rows.set(key, row);
    if (row !== undefined) this.#index?.insert(row);
    this.#journal.note(() => this.#set(key, before));
  }
}

/** Several indexes of one table. */
export function indexes<Row>(...all: readonly Index<Row>[]): Index<Row> {
  return {
    insert(row) {
      for (const index of all) index.insert(row);
    },
    remove(row) {
      for (const index of all) index.remove(row);
    },
  };
}

/** Rows grouped by a key, each group by row key: what belongs to a thread, what a worker holds. */
export class GroupIndex<Row> implements Index<Row> {
  readonly #groups = new Map<string, Map<string, Row>>();
  readonly #groupOf: (row: Row) => string | null;
  readonly #keyOf: (row: Row) => string;

  /** @param groupOf `null`: the row is in no group */
  constructor(groupOf: (row: Row) => string | null, keyOf: (row: Row) => string) {
    this.#groupOf = groupOf;
    this.#keyOf = keyOf;
  }

  get names(): string[] {
    return [...this.#groups.keys()];
  }

  of(name: string): Row[] {
    return [...(this.#groups.get(name)?.values() ?? [])];
  }

  insert(row: Row): void {
    const name = this.#groupOf(row);
    if (name === null) return;
    const group = this.#groups.get(name);
    if (group === undefined) this.#groups.set(name, new Map([[this.#keyOf(row), row]]));
    else group.set(this.#keyOf(row), row);
  }

  remove(row: Row): void {
    const name = this.#groupOf(row);
    if (name === null) return;
    const group = this.#groups.get(name);
    group?.delete(this.#keyOf(row));
    if (group?.size === 0) this.#groups.delete(name);
  }
}

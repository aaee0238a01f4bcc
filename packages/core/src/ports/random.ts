/** Ids and randomness: seeded in tests. */
export interface Random {
  /** Uniform in [0, 1). */
  fraction(): number;
  /** A new id, `<prefix>_<26 characters>`: unique, sortable by creation time within one process (as ULID). */
  id(prefix: IdPrefix): string;
}

export type IdPrefix = "run" | "thr" | "chk" | "wrk" | "msg";

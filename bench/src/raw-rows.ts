/** The tables of both raw baselines: as wide as Heddle's, and no secondary index. */

/** @param integer the type of a whole number below 2^53 */
export function rawTables(integer: string): Readonly<Record<string, string>> {
  return {
    threads: `id text primary key, title text, archived ${integer}, active_run_id text, last_outcome text,
      last_agent text, head_checkpoint_id text, last_seq ${integer}, created_at ${integer}, updated_at ${integer}, metadata text`,
    runs: `id text primary key, thread_id text, agent text, status text, active ${integer}, priority double precision,
      queue_position ${integer}, available_at ${integer}, attempt ${integer}, failures ${integer}, crashes ${integer},
      worker text, lease_until ${integer}, cancel_requested_at ${integer}, grace_until ${integer}, deadline_at ${integer},
      first_seq ${integer}, last_seq ${integer}, created_at ${integer}, started_at ${integer}, settled_at ${integer},
      lineage_id text, parent_run_id text, base_checkpoint_id text, head_checkpoint_id text, idempotency_key text,
      policy text, metadata text, cancel_reason text, error text, config text, input text, output text`,
    messages: `thread_id text, seq ${integer}, role text, body text, primary key (thread_id, seq)`,
    checkpoints: `id text primary key, thread_id text, run_id text, parent_id text, kind text, attempt ${integer},
      encoding text, values_bytes ${integer}, created_at ${integer}, body text`,
    events: `stream text, seq ${integer}, run_id text, attempt ${integer}, rollout ${integer}, type text,
      created_at ${integer}, payload text, primary key (stream, seq)`,
  };
}

export const rawPolicy = JSON.stringify({
  retry: { maxFailures: 1, maxCrashes: 3, delay: 1_000, factor: 2, maxDelay: 60_000, jitter: "full" },
  cancelGrace: 5_000,
});

let ids = 0;

/** As long as Heddle's, and as easy to sort. */
export function newId(prefix: string): string {
  return `${prefix}_${String(++ids).padStart(26, "0")}`;
}

/** A thread as the program that writes it knows it. */
export interface RawThread {
  readonly id: string;
  head: string | null;
  seq: number;
  messages: number;
}

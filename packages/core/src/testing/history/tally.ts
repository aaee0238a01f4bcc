/** What simulations have exercised, counted: a green run that tried nothing proves nothing. */

import type { History, HistoryEntry } from "./history.js";

/** Counts by group and name. */
export class Tally {
  readonly #groups = new Map<string, Map<string, number>>();

  add({ entries, final }: History): void {
    const commands = new Map<number, string>();
    for (const entry of entries) this.#addEntry(entry, commands);
    for (const { n, outcome, status } of final.runs)
      if (n > 0)
        this.#count("runs", outcome === null ? status : [outcome.status, outcome.reason].filter(Boolean).join(" "));
    for (const { events } of final.logs) for (const { type } of events) this.#count("events", type);
  }

  /** Take over what another process has counted. */
  merge(groups: Readonly<Record<string, Readonly<Record<string, number>>>>): void {
    for (const [group, counts] of Object.entries(groups)) {
      for (const [name, count] of Object.entries(counts)) this.#count(group, name, count);
    }
  }

  toJSON(): Record<string, Record<string, number>> {
    return Object.fromEntries([...this.#groups].map(([group, counts]) => [group, Object.fromEntries(counts)]));
  }

  /** By group, the most frequent first. */
  get groups(): readonly { readonly name: string; readonly counts: readonly (readonly [string, number])[] }[] {
    return [...this.#groups].map(([name, counts]) => ({
      name,
      counts: [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)),
    }));
  }

  #addEntry(entry: HistoryEntry, commands: Map<number, string>): void {
    if (entry.type === "call") commands.set(entry.call, entry.command.kind);
    const named = nameOf(entry, commands);
    if (named !== undefined) this.#count(...named);
  }

  #count(group: string, name: string, by = 1): void {
    const counts = this.#groups.get(group) ?? new Map<string, number>();
    this.#groups.set(group, counts);
    counts.set(name, (counts.get(name) ?? 0) + by);
  }
}

/** Under which group and name an entry is counted. */
function nameOf(entry: HistoryEntry, commands: ReadonlyMap<number, string>): [group: string, name: string] | undefined {
  switch (entry.type) {
    case "fault":
      return ["faults", entry.kind];
    case "worker_started":
      return ["workers", "started"];
    case "worker_ended":
      return ["workers", entry.how];
    case "answer": {
      const { answer } = entry;
      const how = answer.type === "refused" || answer.type === "unknown" ? answer.code : answer.type;
      return ["calls", `${commands.get(entry.call)}: ${how}`];
    }
    case "frame":
      return ["frames", entry.frame.kind];
    case "attempt_ended":
      return ["attempts", entry.how];
    case "aborted":
      return ["attempts", `told ${entry.code}`];
    case "asked":
    case "answered":
      return ["attempts", entry.type];
    case "step":
      return ["attempts", `step ${entry.phase}`];
    case "slept":
      return ["attempts", `sleep ${entry.phase}`];
    case "took":
      return entry.runIds.length === 0 ? undefined : ["attempts", "took messages"];
    case "sent":
      return ["attempts", `sent ${entry.what}`];
    default:
      return undefined;
  }
}

/** The streams: each a dense array of events, so a cursor is an offset. */

import { type EventRecord, storedPayload } from "../model/event.js";
import type { Journal } from "./journal.js";

export class EventLog {
  readonly #streams = new Map<string, EventRecord[]>();
  readonly #journal: Journal;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  append(event: EventRecord): void {
    const stored = { ...event, payload: storedPayload(event) };
    const stream = this.#streams.get(event.stream);
    if (stream === undefined) this.#streams.set(event.stream, [stored]);
    else stream.push(stored);
    this.#journal.note(() => void this.#streams.get(event.stream)?.pop());
  }

  /** Events behind `after`, in order. */
  *after(stream: string, after: number): Generator<EventRecord, undefined> {
    const events = this.#streams.get(stream) ?? [];
    const first = events[0]?.seq ?? 1;
    for (let at = Math.max(after + 1 - first, 0); at < events.length; at++) yield events[at] as EventRecord;
  }

  /** Keep a run's events as numbers and types: their payload goes. */
  blank(stream: string, runId: string): void {
    const before = this.#streams.get(stream);
    if (before === undefined) return;
    const blanked = before.map((event) => (event.runId === runId ? { ...event, payload: null } : event));
    this.#streams.set(stream, blanked);
    this.#journal.note(() => void this.#streams.set(stream, before));
  }

  drop(stream: string): void {
    const before = this.#streams.get(stream);
    if (before === undefined) return;
    this.#streams.delete(stream);
    this.#journal.note(() => void this.#streams.set(stream, before));
  }
}

/** How something is changed in a history. */

import type { Draft } from "./sound-history.js";
import type { FinalEvent, History, HistoryEntry } from "./types.js";

export type Planting = (history: Draft<History>) => void;
export type Entry = Draft<HistoryEntry>;
export type Final = Draft<History>["final"];
export type Fits = (entry: Entry) => boolean;

export function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index];
  if (item === undefined) throw new Error(`there is no item ${index}`);
  return item;
}

export const thread = ({ threads }: Final, index = 0) => at(threads, index);
export const log = ({ logs }: Final, index = 0): Draft<FinalEvent>[] => at(logs, index).events;
export const last = (final: Final) => at(log(final), log(final).length - 1);
export const run = ({ runs }: Final, id: string) =>
  at(
    runs.filter((one) => one.id === id),
    0,
  );

/** As if they had been written in this order. */
export function renumber(events: Draft<FinalEvent>[]): void {
  events.splice(0, events.length, ...events.map((event, index) => ({ ...event, seq: index + 1 })));
}

export const isType =
  (type: string): Fits =>
  (entry) =>
    entry.type === type;
export const answerTo =
  (call: number): Fits =>
  (entry) =>
    entry.type === "answer" && entry.call === call;
export const frameOf =
  (call: number, seq: number): Fits =>
  (entry) =>
    entry.type === "frame" && entry.call === call && entry.frame.kind === "event" && entry.frame.seq === seq;
export const deltaOf =
  (call: number, number: number): Fits =>
  (entry) =>
    entry.type === "frame" && entry.call === call && entry.frame.kind === "delta" && entry.frame.number === number;

export function place({ entries }: Draft<History>, fits: Fits): number {
  const index = entries.findIndex(fits);
  if (index < 0) throw new Error("no entry is like this");
  return index;
}

export function take(history: Draft<History>, fits: Fits): Entry {
  return at(history.entries.splice(place(history, fits), 1), 0);
}

export function repeat(history: Draft<History>, fits: Fits): void {
  const index = place(history, fits);
  history.entries.splice(index, 0, structuredClone(at(history.entries, index)));
}

/** Behind another entry. */
export function moveTo(history: Draft<History>, fits: Fits, behind: Fits): void {
  const entry = take(history, fits);
  history.entries.splice(place(history, behind) + 1, 0, entry);
}

export function change(history: Draft<History>, fits: Fits, how: (entry: Entry) => unknown): void {
  how(at(history.entries, place(history, fits)));
}

export function refuse(history: Draft<History>, call: number, code: string, activeRunId: string | null = null): void {
  change(history, answerTo(call), (entry) => {
    if (entry.type === "answer") entry.answer = { type: "refused", code, activeRunId };
  });
}

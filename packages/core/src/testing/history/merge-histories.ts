/** What all processes saw, as one history: in the order of time, with one numbering of calls. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { HeddleError } from "../../errors.js";
import { shown } from "../../model/shown.js";
import { requireRecords, requireText } from "../check-arguments.js";
import type { HistoryEntry } from "./history.js";

/**
 * The entries of all files of {@link HistoryFile} in a folder.
 * @throws HeddleError INVALID_ARGUMENT for a folder that cannot be read, or holds something else
 */
export function readEntries(folder: string): HistoryEntry[] {
  requireText("folder", folder);
  try {
    const files = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
    return mergeEntries(files.sort().map((name) => entriesOf(readFileSync(join(folder, name), "utf8"))));
  } catch (cause) {
    throw new HeddleError("INVALID_ARGUMENT", `There is no history in ${folder}: ${shown(cause)}`, {
      details: { field: "folder", folder },
      cause,
    });
  }
}

/** The last line of a process that was killed may have no end: what it would have noted did not happen. */
function entriesOf(text: string): HistoryEntry[] {
  const lines = text.split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as HistoryEntry);
}

/**
 * @param processes the entries of each, in its own order and with its own numbers of calls
 * @throws HeddleError INVALID_ARGUMENT
 */
export function mergeEntries(processes: readonly (readonly HistoryEntry[])[]): HistoryEntry[] {
  requireRecords("processes", processes);
  processes.forEach((entries, index) => void requireRecords(`processes[${index}]`, entries));
  let calls = 0;
  const renumbered = processes.flatMap((entries) => {
    const numbers = new Map<number, number>();
    return entries.map((entry) => {
      if (!("call" in entry)) return entry;
      const call = numbers.get(entry.call) ?? ++calls;
      numbers.set(entry.call, call);
      return { ...entry, call };
    });
  });
  return withLostCalls(renumbered.sort((a, b) => a.time - b.time));
}

/** The death of a process answers its open calls. */
function withLostCalls(entries: readonly HistoryEntry[]): HistoryEntry[] {
  const open = new Map<number, string>();
  return entries.flatMap((entry): HistoryEntry[] => {
    if (entry.type === "call") open.set(entry.call, entry.worker);
    if (entry.type === "answer") open.delete(entry.call);
    if (entry.type !== "worker_ended") return [entry];
    const lost = [...open].filter(([, worker]) => worker === entry.worker).map(([call]) => call);
    for (const call of lost) open.delete(call);
    return [
      entry,
      ...lost.map((call) => ({ time: entry.time, type: "answer", call, answer: { type: "lost" } }) as const),
    ];
  });
}

/** What each attempt did and saw. Places (`at`, `from`, `to`) are indexes in the history. */

import type { AttemptEntry, HistoryEntry, SeenValues } from "../history.js";

export interface AttemptFacts {
  readonly runId: string;
  readonly attempt: number;
  readonly worker: string;
  readonly n: number;
  readonly threadId: string | null;
  /** An answer started its run. */
  readonly resumed: boolean;
  readonly seen: SeenValues;
  readonly from: number;
  readonly to: number | undefined;
  readonly returned: string | null;
  readonly aborted: string | undefined;
  readonly abortedAt: number | undefined;
  readonly writes: readonly WriteFacts[];
  readonly takes: readonly TakeFacts[];
  readonly asks: readonly AskFacts[];
  readonly steps: readonly StepFacts[];
  readonly sleeps: readonly SleepFacts[];
}

export interface WriteFacts {
  readonly what: "event" | "delta" | "checkpoint";
  readonly token: string;
  readonly key: string | null;
  readonly at: number;
  readonly acknowledgedAt: number | undefined;
  readonly refusedWith: string | undefined;
}

/** Messages that the attempt took: all that had come, or the next one. */
export interface TakeFacts {
  readonly at: number;
  readonly runIds: readonly string[];
  readonly all: boolean;
}

export interface AskFacts {
  readonly at: number;
  readonly key: string;
  /** `null`: there was no answer. */
  readonly answer: string | null;
}

export interface StepFacts {
  readonly phase: "began" | "worked" | "stored";
  readonly key: string;
  readonly token: string;
}

export interface SleepFacts {
  /** ms, by the history's clock. */
  readonly time: number;
  readonly phase: "began" | "over";
  readonly key: string;
  readonly ms: number;
}

type Draft<Of> = {
  -readonly [Key in keyof Of]: Of[Key] extends readonly (infer Item)[] ? Draft<Item>[] : Of[Key];
};

export function gatherAttempts(entries: readonly HistoryEntry[]): AttemptFacts[] {
  const all: AttemptFacts[] = [];
  const open = new Map<string, Draft<AttemptFacts>>();
  entries.forEach((entry, at) => {
    if (!("runId" in entry)) return;
    const name = `${entry.runId} ${entry.attempt}`;
    const known = open.get(name);
    if (entry.type === "attempt_started") {
      const started = begin(entry, at);
      open.set(name, started);
      all.push(started as AttemptFacts);
    } else if (known !== undefined) note(known, entry, at);
  });
  return all;
}

function begin(entry: Extract<AttemptEntry, { type: "attempt_started" }>, at: number): Draft<AttemptFacts> {
  const { runId, attempt, worker, n, threadId, resumed, values } = entry;
  const nothing = { to: undefined, returned: null, aborted: undefined, abortedAt: undefined };
  const lists = { writes: [], takes: [], asks: [], steps: [], sleeps: [] };
  return { runId, attempt, worker, n, threadId, resumed, seen: values, from: at, ...nothing, ...lists };
}

function note(known: Draft<AttemptFacts>, entry: AttemptEntry & { readonly time: number }, at: number): void {
  switch (entry.type) {
    case "attempt_started":
      return;
    case "aborted":
      return void Object.assign(known, { aborted: entry.code, abortedAt: at });
    case "attempt_ended":
      return void Object.assign(known, { to: at, returned: entry.token });
    case "took":
      return void known.takes.push({ at, runIds: [...entry.runIds], all: entry.all });
    case "asked":
      return void known.asks.push({ at, key: entry.key, answer: null });
    case "step":
      return void known.steps.push({ phase: entry.phase, key: entry.key, token: entry.token });
    case "slept":
      return void known.sleeps.push({ time: entry.time, phase: entry.phase, key: entry.key, ms: entry.ms });
    case "answered":
      return void known.asks.push({ at, key: entry.key, answer: entry.token });
    case "sent": {
      const { what, token, key } = entry;
      return void known.writes.push({ what, token, key, at, acknowledgedAt: undefined, refusedWith: undefined });
    }
    default: {
      const write = known.writes.find(({ token }) => token === entry.token);
      if (write === undefined) return;
      if (entry.type === "acknowledged") write.acknowledgedAt = at;
      else write.refusedWith = entry.code;
    }
  }
}

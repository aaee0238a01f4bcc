/** What a storage holds, in the form in which the checker wants it. Values are read through an engine, as users read them. */

import { createEngine } from "../../create-engine.js";
import { requireOptions } from "../../engine/check-input.js";
import type { Engine } from "../../engine/engine.js";
import { invalidArgument } from "../../engine/settings.js";
import type { Checkpoint, ThreadHandle } from "../../engine/thread-handle.js";
import type { Run } from "../../model/run-view.js";
import type { Clock } from "../../ports/clock.js";
import type { Storage } from "../../ports/storage.js";
import { systemClock } from "../../runtime/system-clock.js";
import { requireStorage } from "../check-arguments.js";
import type { StorageSnapshot } from "../check-invariants.js";
import { checkInvariants, readStorage } from "../check-invariants.js";
import { seenQuestion } from "./client.js";
import type {
  FinalCheckpoint,
  FinalLineage,
  FinalLog,
  FinalRun,
  FinalState,
  FinalThread,
  SeenOutcome,
} from "./history.js";
import { fieldOf, seenEvent } from "./read-stream.js";
import { codeOf, seenValues } from "./scripted-agent.js";

export interface FinalOptions {
  readonly storage: Storage;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** What was found wrong on the way. */
  readonly faults?: readonly string[];
  readonly earlier?: StorageSnapshot | undefined;
}

/**
 * Opens the storage for itself, and closes it. Nobody may write meanwhile.
 * @throws HeddleError INVALID_ARGUMENT, STORAGE_…
 */
export async function readFinalState(options: FinalOptions): Promise<FinalState> {
  requireOptions("options", options);
  const { storage, clock = systemClock, faults = [], earlier } = options;
  requireStorage("storage", storage);
  if (!Array.isArray(faults)) throw invalidArgument("faults", faults, "a list of texts");
  const found: string[] = [...faults];
  const note = (where: string, error: unknown): void => void found.push(`${where}: ${codeOf(error)}`);
  await storage.open({ clock });
  const snapshot = await readStorage(storage).catch((error: unknown) => note("the storage", error));
  if (snapshot === undefined) {
    await storage.close();
    return { runs: [], threads: [], logs: [], lineages: [], faults: found };
  }
  await checkInvariants(storage, earlier).catch((error: unknown) => note("the records", error));
  const engine = createEngine({ storage, clock });
  await engine.start();
  const threads: FinalThread[] = [];
  for (const id of snapshot.threads.keys()) {
    await readThread(engine, id, snapshot, note).then(
      (thread) => threads.push(thread),
      (error: unknown) => note(`thread ${id}`, error),
    );
  }
  const runs: FinalRun[] = [];
  for (const id of snapshot.runs.keys()) {
    await readRun(engine, id, snapshot).then(
      (run) => runs.push(run),
      (error: unknown) => note(`run ${id}`, error),
    );
  }
  const lineages: FinalLineage[] = [];
  for (const [id, runId] of askedLineages(snapshot)) {
    await engine.runs.get(runId).then(
      async (run) => lineages.push({ id, questions: (await run.questions()).map(seenQuestion) }),
      (error: unknown) => note(`questions of run ${runId}`, error),
    );
  }
  await engine.close();
  await storage.close();
  return { runs, threads, logs: readLogs(snapshot), lineages, faults: found };
}

/** Those that have asked, and one of the runs of each. */
function askedLineages({ runs }: StorageSnapshot): Map<string, string> {
  const asked = [...runs.values()].filter(({ id, status, lineageId }) => status === "interrupted" || id !== lineageId);
  return new Map(asked.map(({ id, lineageId }) => [lineageId, id]));
}

async function readThread(
  engine: Engine,
  id: string,
  snapshot: StorageSnapshot,
  note: (where: string, error: unknown) => void,
): Promise<FinalThread> {
  const record = snapshot.threads.get(id);
  const thread = await engine.threads.get(id);
  const values = seenValues(await thread.values());
  const checkpoints: FinalCheckpoint[] = [];
  for (const { id: checkpoint, runId, kind, attempt } of await wholeHistory(thread)) {
    const at = await thread
      .valuesAt(checkpoint)
      .catch((error: unknown) => note(`checkpoint ${checkpoint} of thread ${id}`, error));
    checkpoints.unshift({ id: checkpoint, runId: runId ?? null, kind, attempt, values: seenValues(at ?? {}) });
  }
  return { id, activeRunId: record?.activeRunId ?? null, lastSeq: record?.lastSeq ?? 0, values, checkpoints };
}

async function wholeHistory(thread: ThreadHandle): Promise<Checkpoint[]> {
  const newestFirst: Checkpoint[] = [];
  for (;;) {
    const last = newestFirst.at(-1);
    const page = await thread.history({ limit: 100, ...(last && { before: last.id }) });
    newestFirst.push(...page);
    if (page.length < 100) return newestFirst;
  }
}

async function readRun(engine: Engine, id: string, snapshot: StorageSnapshot): Promise<FinalRun> {
  const run = await (await engine.runs.get(id)).info();
  const n = fieldOf(run.input, "n");
  const { attempt, failures, crashes, status, lineageId, takenBy = null } = run;
  return {
    id,
    n: typeof n === "number" ? n : 0,
    threadId: run.threadId ?? null,
    lineageId,
    status,
    takenBy,
    attempt,
    failures,
    crashes,
    availableAt: snapshot.runs.get(id)?.availableAt ?? 0,
    createdAt: Number(run.createdAt),
    outcome: outcomeOf(run),
  };
}

function outcomeOf(run: Run): SeenOutcome | null {
  switch (run.status) {
    case "succeeded": {
      const token = fieldOf(run.output, "token");
      return { status: run.status, token: typeof token === "string" ? token : null, reason: null, by: null };
    }
    case "failed":
      return { status: run.status, token: null, reason: run.error.code, by: null };
    case "canceled":
      return { status: run.status, token: null, reason: run.reason.kind, by: run.reason.by ?? null };
    case "interrupted":
      return { status: run.status, token: null, reason: null, by: null };
    default:
      return null;
  }
}

function readLogs({ events }: StorageSnapshot): FinalLog[] {
  return [...events].map(([stream, log]) => {
    const id = stream.slice(2);
    const owner = stream.startsWith("t:") ? { threadId: id, runId: null } : { threadId: null, runId: id };
    return {
      ...owner,
      events: log.map((event) => seenEvent({ ...event, payload: parsed(event.payload) }, event.createdAt)),
    };
  });
}

function parsed(payload: string | null): unknown {
  return payload === null ? null : JSON.parse(payload);
}

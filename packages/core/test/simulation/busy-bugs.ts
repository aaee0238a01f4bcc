/** Bugs in what happens on a busy thread: to those that are superseded, rolled back, or handed over as messages. */

import type { Changes, Intent, RunRecord } from "../../dist/storage.js";
import type { PlantedBug } from "./planted-bug.js";
import type { Plants } from "./planted-database.js";
import { plantedDatabase } from "./planted-database.js";

const bug = (name: string, plants: Plants): PlantedBug => ({ name, database: plantedDatabase(plants) });

const reasonOf = ({ cancelReason }: RunRecord): string =>
  cancelReason === null ? "" : (JSON.parse(cancelReason) as { kind: string }).kind;

const isRolledBack = ({ before, after }: Changes["runs"][number]): boolean =>
  after.rolledBack && before?.rolledBack !== true;

const supersedes = (intent: Intent): boolean =>
  intent.kind === "accept_run" && (intent.whenBusy === "interrupt" || intent.whenBusy === "rollback");

export const busyBugs: readonly PlantedBug[] = [
  bug("those that wait are not superseded", {
    reads: (_, intent) => (supersedes(intent) ? { queue: () => [], steeredRuns: () => [] } : {}),
  }),
  bug("a run that is superseded may go on", {
    reads: (reader, intent) => ({
      run(id) {
        const run = reader.run(id);
        if (run === undefined || intent.kind !== "settle_run" || reasonOf(run) !== "superseded") return run;
        return { ...run, cancelRequestedAt: null, cancelReason: null, graceUntil: null };
      },
    }),
  }),
  bug("a run that supersedes begins beside the old one", {
    reads: (reader, intent) => ({
      thread(id) {
        const thread = reader.thread(id);
        return thread && supersedes(intent) ? { ...thread, activeRunId: null } : thread;
      },
    }),
  }),
  bug("who is superseded is told that a user did it", {
    writes: (changes) => ({
      ...changes,
      runs: changes.runs.map(({ before, after }) => ({
        before,
        after: reasonOf(after) === "superseded" ? { ...after, cancelReason: '{"kind":"user"}' } : after,
      })),
    }),
  }),
  bug("a rollback leaves the head where it is", { writes: leaveHead }),
  bug("the end of a rolled-back run does not say from where on", {
    writes: (changes) => ({
      ...changes,
      events: changes.events.map((event) => ({
        ...event,
        payload: event.payload?.replace(/,"rolledBack":.*}}$/, "}") ?? null,
      })),
    }),
  }),
  bug("a rollback that comes after a cancel is not heeded", {
    async commits(intent, commit, storage) {
      if (intent.kind !== "cancel_run" || intent.reason.kind !== "rolled_back") return commit(intent);
      const run = await storage.runs.get(intent.runId);
      return commit(run?.cancelRequestedAt == null ? intent : { ...intent, reason: { kind: "user" } });
    },
  }),
  bug("what was taken is not consumed", {
    commits: (intent, commit) => commit(intent.kind === "settle_run" ? { ...intent, taken: [] } : intent),
  }),
  bug("a message that nobody took is lost", {
    reads: (_, intent) => (intent.kind === "settle_run" ? { steeredRuns: () => [] } : {}),
  }),
  bug("messages settle whether they were taken or not", {
    async commits(intent, commit, storage) {
      if (intent.kind !== "settle_run") return commit(intent);
      const steers = intent.attempt.lineageId;
      const handed = await storage.runs.list({ steers, limit: 100, sortBy: "createdAt", order: "asc" });
      return commit({ ...intent, taken: handed.map(({ id }) => id) });
    },
  }),
  bug("a later attempt does not get what an earlier one took", {
    ports: ({ runs }) => ({
      runs: {
        ...runs,
        async list(query) {
          const live = query.steers === undefined ? undefined : await runs.get(query.steers);
          return live !== undefined && live.attempt > 1 ? [] : runs.list(query);
        },
      },
    }),
  }),
];

/** The thread's, and the run's with it. */
function leaveHead(changes: Changes): Changes {
  const run = changes.runs.find(isRolledBack)?.before;
  if (run === undefined) return changes;
  return {
    ...changes,
    threads: changes.threads.map(({ before, after }) => ({
      before,
      after:
        before?.activeRunId === run.id && after.headCheckpointId === run.baseCheckpointId
          ? { ...after, headCheckpointId: before.headCheckpointId }
          : after,
    })),
  };
}

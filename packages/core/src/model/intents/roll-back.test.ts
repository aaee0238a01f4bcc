import { describe, expect, test } from "vitest";
import { cancelRun, settleRun } from "../../testing/intents.js";
import { applyTo, noon, runningRecord, runRecord, type Shelf, threadRecord } from "../../testing/shelf.js";
import type { QuestionRecord } from "../question.js";
import type { RunRecord } from "../run.js";

const rollback = { reason: { kind: "rolled_back" } } as const;
const thread = threadRecord({ activeRunId: "run", headCheckpointId: "mid", lastSeq: 9, lastOutcome: "failed" });
/** Ran before, wrote a checkpoint, waits for its retry. */
const run = runRecord({
  threadId: "thr",
  active: true,
  attempt: 1,
  baseCheckpointId: "base",
  headCheckpointId: "mid",
  firstSeq: 4,
  lastSeq: 9,
});

function rollBack(given: RunRecord, shelf: Shelf = {}) {
  const { value, changes, effects } = applyTo<"cancel_run">({ runs: [given], ...shelf }, cancelRun(given, rollback));
  const payload = JSON.parse(changes.events.at(-1)?.payload ?? "null") as object;
  return { run: value.run, changes, payload, taken: effects.filter(({ type }) => type === "rolled_back") };
}

describe("a rollback", () => {
  test("puts the head back, forgets what the run remembered, and says from where on its events count for nothing", () => {
    const { run: after, changes, payload, taken } = rollBack(run, { threads: [thread] });
    expect(after).toMatchObject({ status: "canceled", rolledBack: true, headCheckpointId: "base" });
    expect(changes.threads[0]?.after).toMatchObject({ headCheckpointId: "base", lastOutcome: "failed" });
    expect([changes.removals, changes.checkpoints]).toEqual([[{ type: "memos", runId: "run", lineageId: "run" }], []]);
    expect(payload).toEqual({ reason: { kind: "rolled_back" }, rolledBack: { fromSeq: 4 } });
    expect(taken).toMatchObject([{ checkpointId: "mid", run: { id: "run", headCheckpointId: "base" } }]);
  });

  test("of a run that never ran leaves nothing to take back", () => {
    const queued = runRecord({ threadId: "thr", queuePosition: 1, headCheckpointId: "elsewhere" });
    const threads = [threadRecord({ activeRunId: "other", queueLength: 1, lastSeq: 9 })];
    const { changes, payload, taken } = rollBack(queued, { threads });
    expect([changes.removals, taken]).toEqual([[], []]);
    expect(payload).toMatchObject({ rolledBack: { fromSeq: 10 } });
    expect(rollBack(runRecord()).payload).toMatchObject({ rolledBack: { fromSeq: 1 } });
  });

  test.each([
    ["is where it began", { headCheckpointId: "base" }],
    ["has no values", { baseCheckpointId: null, headCheckpointId: null }],
    ["lost its head", { headCheckpointId: null }],
    ["has no thread", { threadId: null }],
  ] as const)("of a run that %s leaves no checkpoints to take away", (_what, given) => {
    expect(rollBack({ ...run, ...given }, { threads: [thread] }).taken).toEqual([]);
  });

  test("opens the questions again whose answers started the run, and no others", () => {
    const question = (key: string, answeredRunId: string | null): QuestionRecord => ({
      lineageId: "first",
      key,
      runId: "first",
      threadId: null,
      status: answeredRunId === null ? "open" : "answered",
      payload: "1",
      schema: null,
      answer: answeredRunId === null ? null : "2",
      answeredRunId,
      askedAt: 1,
      expiresAt: null,
      closedAt: answeredRunId === null ? null : 2,
    });
    const questions = [question("a", "second"), question("b", "other"), question("c", null)];
    const second = runRecord({ id: "second", lineageId: "first", attempt: 1 });
    expect(rollBack(second, { questions }).changes.questions).toEqual([question("a", null)]);
    // The first run of a lineage was started by no answer.
    expect(rollBack({ ...second, id: "first" }, { questions }).changes.questions).toEqual([]);
  });
});

describe("what was handed to the live run", () => {
  const live = runningRecord({ id: "live", threadId: "thr", steered: 2 });
  const waiting = (id: string, queuePosition: number, steers: string | null = "live") =>
    runRecord({ id, threadId: "thr", steers, queuePosition });
  const shelf: Shelf = {
    runs: [live, waiting("taken", 1), waiting("untaken", 2), waiting("queued", 3, null)],
    threads: [threadRecord({ activeRunId: "live", queueLength: 3, queueTail: 4 })],
  };

  function settle(outcome: Parameters<typeof settleRun>[1]) {
    const { changes } = applyTo<"settle_run">(shelf, settleRun(live, { taken: ["taken"], ...outcome }));
    const after = (id: string) => changes.runs.find((change) => change.after.id === id)?.after;
    return {
      taken: after("taken"),
      untaken: after("untaken"),
      queued: after("queued"),
      thread: changes.threads[0]?.after,
    };
  }

  test("settles as the run that took it; the rest is next in the queue", () => {
    const { taken, untaken, queued, thread } = settle({});
    expect(taken).toMatchObject({ status: "succeeded", output: '"done"', takenBy: "live", settledAt: noon });
    expect(untaken).toMatchObject({ status: "pending", active: true, steers: null, takenBy: null });
    expect([queued, thread]).toMatchObject([undefined, { activeRunId: "untaken", queueLength: 1 }]);
  });

  test("a failure counts once", () => {
    const error = { code: "AGENT_ERROR", message: "boom" };
    const { taken, untaken } = settle({ outcome: { status: "failed", error, counts: "failure" } });
    expect(taken).toMatchObject({ status: "failed", failures: 0, error: JSON.stringify(error) });
    expect(untaken).toMatchObject({ status: "pending", failures: 0 });
  });

  test("a question is asked once", () => {
    const asked = { key: "k", payload: "1", schema: null, expiresIn: null };
    const outcome = { status: "interrupted", questions: [asked], nextRunId: "next" } as const;
    const { changes } = applyTo<"settle_run">(shelf, settleRun(live, { taken: ["taken"], outcome }));
    expect(changes.questions.map(({ runId, key }) => [runId, key])).toEqual([["live", "k"]]);
    expect(changes.runs.find(({ after }) => after.id === "taken")?.after.status).toBe("interrupted");
  });

  test.each([
    [
      { kind: "superseded", by: "newer" },
      { kind: "superseded", by: "newer" },
    ],
    [{ kind: "superseded" }, { kind: "superseded" }],
    [{ kind: "rolled_back" }, { kind: "superseded" }],
    [{ kind: "user" }, undefined],
  ] as const)("where the live run was canceled (%o), what it did not take is canceled: %o", (reason, expected) => {
    const { taken, untaken } = settle({ outcome: { status: "canceled", reason } });
    expect(taken?.cancelReason).toBe(JSON.stringify(reason));
    if (expected === undefined) expect(untaken).toMatchObject({ status: "pending", active: true });
    else expect(untaken).toMatchObject({ status: "canceled", cancelReason: JSON.stringify(expected), takenBy: null });
  });
});

import { expect, test } from "vitest";
import { acceptRun, attemptOf, cancelRun, releaseRun, settleRun, tendRun } from "../../testing/intents.js";
import { runningRecord } from "../../testing/shelf.js";
import type { Intent } from "./intent.js";
import { type Needs, needsOf } from "./needs.js";

const run = runningRecord({ id: "run", threadId: "thr", lineageId: "line" });
const first = runningRecord({ id: "run", threadId: "thr" });
const stateless = runningRecord({ id: "run" });

/** That the needs are complete is proved by the conformance suite on a storage that reads nothing else. */
test.each<[string, Intent, Partial<Needs>]>([
  ["a stateless acceptance", acceptRun(), {}],
  ["an acceptance", acceptRun({ threadId: "thr" }), { threads: ["thr"], activeRunsOf: ["thr"] }],
  [
    "one with a key",
    acceptRun({ threadId: "thr", idempotency: { key: "k", fingerprint: "f", keep: 1 } }),
    { threads: ["thr"], activeRunsOf: ["thr"], keys: [{ scope: "t:thr", agent: "worker", key: "k" }] },
  ],
  [
    "one with a claim",
    acceptRun({ claim: { worker: "w", lease: 1, agents: ["a", "b"] } }),
    { claimable: { agents: ["a", "b"], limit: 1 } },
  ],
  [
    "a claim",
    { kind: "claim_runs", worker: "w", lease: 1, agents: ["a"], limit: 7 },
    { claimable: { agents: ["a"], limit: 7 } },
  ],
  [
    "an acceptance that may supersede others",
    acceptRun({ threadId: "thr", whenBusy: "rollback" }),
    { threads: ["thr"], activeRunsOf: ["thr"], waitingOf: ["thr"], questionsOfThreads: ["thr"] },
  ],
  [
    "one that leaves the strategy to its thread",
    acceptRun({ threadId: "thr", threadDecides: true }),
    { threads: ["thr"], activeRunsOf: ["thr"], waitingIfSupersedingOf: ["thr"], questionsOfThreads: ["thr"] },
  ],
  [
    "one that may supersede others unless its thread says otherwise",
    acceptRun({ threadId: "thr", threadDecides: true, whenBusy: "interrupt" }),
    { threads: ["thr"], activeRunsOf: ["thr"], waitingOf: ["thr"], questionsOfThreads: ["thr"] },
  ],
  ["a new title", { kind: "update_thread", id: "thr", title: "x", maxMetadata: 100 }, { threads: ["thr"] }],
  [
    "a strategy that ends other runs, which a start behind it may go by",
    { kind: "update_thread", id: "thr", whenBusy: "rollback", maxMetadata: 100 },
    { threads: ["thr"], waitingOf: ["thr"] },
  ],
  [
    "a child's acceptance",
    acceptRun({ threadId: "own", child: { attempt: attemptOf(run), key: "c", family: [] } }),
    {
      threads: ["own", "thr"],
      runs: ["run"],
      activeRunsOf: ["own"],
      memos: [{ lineageId: "line", kind: "child", key: "c" }],
    },
  ],
  [
    "that of a child without a thread, of a run without one",
    acceptRun({ child: { attempt: attemptOf(stateless), key: "c", family: [] } }),
    { runs: ["run"], memos: [{ lineageId: "run", kind: "child", key: "c" }] },
  ],
  [
    "an answer",
    { kind: "answer_questions", lineageId: "line", threadId: "thr", answers: [], nextRunId: "next" },
    { threads: ["thr"], questionsOf: ["line"] },
  ],
  [
    "an answer to a stateless run, with a claim",
    {
      kind: "answer_questions",
      lineageId: "line",
      threadId: null,
      answers: [],
      nextRunId: "next",
      claim: { worker: "w", lease: 1, agents: ["a"] },
    },
    { questionsOf: ["line"], claimable: { agents: ["a"], limit: 1 } },
  ],
  ["a settle", settleRun(first), { runs: ["run"], threads: ["thr"], queuesOf: ["thr"], steeredOf: ["thr"] }],
  [
    "a settle of a run that resumed another",
    settleRun(run),
    { runs: ["run"], threads: ["thr"], queuesOf: ["thr"], steeredOf: ["thr"], questionsOf: ["line"] },
  ],
  [
    "a settle as interrupted",
    settleRun(first, { outcome: { status: "interrupted", questions: [], nextRunId: "next" } }),
    { runs: ["run"], threads: ["thr"], queuesOf: ["thr"], steeredOf: ["thr"], questionsOf: ["run"] },
  ],
  ["a stateless settle", settleRun(stateless), { runs: ["run"] }],
  [
    "a release with a keyed event",
    releaseRun(run, {
      events: [
        { type: "log", payload: "1", key: "k" },
        { type: "log", payload: "1" },
      ],
    }),
    {
      runs: ["run"],
      threads: ["thr"],
      queuesOf: ["thr"],
      steeredOf: ["thr"],
      questionsOf: ["line"],
      memos: [{ lineageId: "line", kind: "event", key: "k" }],
    },
  ],
  [
    "a cancel",
    cancelRun(run),
    { runs: ["run"], threads: ["thr"], queuesOf: ["thr"], steeredOf: ["thr"], questionsOfRuns: ["run"] },
  ],
  [
    "a tending",
    tendRun(run),
    {
      runs: ["run"],
      threads: ["thr"],
      activeRunsOf: ["thr"],
      queuesOf: ["thr"],
      waitingOf: ["thr"],
      questionsOfRuns: ["run"],
      questionsOfThreads: ["thr"],
    },
  ],
  ["a changed title", { kind: "update_thread", id: "a", title: "t", maxMetadata: 1 }, { threads: ["a"] }],
  ["a copy", { kind: "copy_thread", from: "a", id: "b" }, { threads: ["a", "b"], checkpointsOf: ["a", "b"] }],
  [
    "a fork",
    { kind: "copy_thread", from: "a", id: "b", at: { id: "c", isShared: false } },
    { threads: ["a", "b"], checkpoints: ["c"], checkpointsOf: ["a", "b"] },
  ],
  [
    "a moved head",
    { kind: "move_head", threadId: "a", to: { id: "c", isShared: false } },
    { threads: ["a"], activeRunsOf: ["a"], checkpoints: ["c"] },
  ],
  [
    "a pruning",
    { kind: "prune_checkpoints", threadId: "a", ids: ["c"], snapshots: [] },
    { threads: ["a"], unsettledOf: ["a"], checkpointsOf: ["a"], linksOf: ["a"] },
  ],
  [
    "a deletion",
    { kind: "delete_thread", id: "thr", keepTombstone: 1 },
    { threads: ["thr"], unsettledOf: ["thr"], checkpointsOf: ["thr"], linksIfCopiedOf: ["thr"] },
  ],
  [
    "a collection of what a deleted thread left",
    { kind: "collect_checkpoints", threadId: "thr" },
    { threads: ["thr"], checkpointsOf: ["thr"], linksIfCopiedOf: ["thr"] },
  ],
  [
    "one of what a rollback left",
    { kind: "collect_checkpoints", threadId: "thr", rolledBack: ["c"] },
    { threads: ["thr"], unsettledOf: ["thr"], checkpointsOf: ["thr"], linksOf: ["thr"] },
  ],
])("%s reads no more than it says", (_what, intent, expected) => {
  const named = Object.entries(needsOf(intent)).filter(([, what]) => !Array.isArray(what) || what.length > 0);
  expect(Object.fromEntries(named)).toEqual(expected);
});

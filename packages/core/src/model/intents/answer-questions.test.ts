import { describe, expect, test } from "vitest";
import {
  applyTo,
  noon,
  questionRecord,
  refusalOf,
  runningRecord,
  runRecord,
  type Shelf,
  threadRecord,
} from "../../testing/shelf.js";
import type { QuestionRecord } from "../question.js";
import type { AnswerQuestions } from "./intent.js";

const asker = runRecord({ status: "interrupted", active: false, settledAt: noon });
const question = (key: string, given: Partial<QuestionRecord> = {}) => questionRecord({ key, ...given });
const shelf: Shelf = { runs: [asker], questions: [question("a"), question("b")] };

const answer = (keys: readonly string[], given: Partial<AnswerQuestions> = {}): AnswerQuestions => ({
  kind: "answer_questions",
  lineageId: "run",
  threadId: null,
  answers: keys.map((key) => ({ key, schema: null, answer: `"${key}!"` })),
  nextRunId: "next",
  ...given,
});

describe("an answer", () => {
  test("starts the lineage's next run, and is closed with it", () => {
    const { value, changes } = applyTo<"answer_questions">(shelf, answer(["a"]));
    expect(value).toMatchObject({ outcome: "started", run: { id: "next", lineageId: "run", status: "pending" } });
    expect(value.claimed).toBeUndefined();
    const closed = { status: "answered", answer: '"a!"', answeredRunId: "next", closedAt: noon } as const;
    expect(changes.questions).toEqual([question("a", closed)]);
  });

  test("gives that run the values of the one before, and as long as the first had", () => {
    const before = { ...asker, createdAt: noon - 50, deadlineAt: noon + 100, headCheckpointId: "mid", attempt: 3 };
    const { value, effects } = applyTo<"answer_questions">({ ...shelf, runs: [before] }, answer(["a"]));
    const values = { baseCheckpointId: "mid", headCheckpointId: "mid" };
    expect(value.run).toMatchObject({ ...values, deadlineAt: noon + 150, createdAt: noon, attempt: 0, active: true });
    expect(effects).toContainEqual({ type: "run", run: value.run });
  });

  test("in a busy thread puts that run before all that wait, to begin where the thread is then", () => {
    const inThread = { ...asker, threadId: "thr", headCheckpointId: "mid" };
    const active = runningRecord({ id: "active", threadId: "thr" });
    const threads = [threadRecord({ activeRunId: "active", queueLength: 1, queueTail: 2, headCheckpointId: "head" })];
    const questions = [question("a", { threadId: "thr" })];
    const given = { runs: [inThread, active], threads, questions };
    const { value, changes } = applyTo<"answer_questions">(given, answer(["a"], { threadId: "thr" }));
    const values = { baseCheckpointId: null, headCheckpointId: null };
    expect(value.run).toMatchObject({ ...values, active: false, queuePosition: 0, status: "pending" });
    expect(changes.threads[0]?.after).toMatchObject({ queueLength: 2, queueFront: -1 });
  });

  test("claims that run where it is the first in line", () => {
    const claim = { worker: "wrk", lease: 9, agents: ["worker"] };
    const { value } = applyTo<"answer_questions">(shelf, answer(["a"], { claim }));
    expect(value).toMatchObject({ outcome: "started", run: { status: "running", worker: "wrk" } });
    expect(value.claimed).toBe(value.run);
  });

  test("is stored for the run that another answer started, while that has not settled", () => {
    const underWay = runningRecord({ id: "second", lineageId: "run" });
    const answered = question("a", { status: "answered", answer: "1", answeredRunId: "second" });
    const given = { runs: [asker, underWay], questions: [answered, question("b")] };
    const { value, changes } = applyTo<"answer_questions">(given, answer(["b"]));
    expect(value).toEqual({ outcome: "stored", run: underWay });
    expect(changes.runs).toEqual([]);
    expect(changes.questions).toMatchObject([{ key: "b", status: "answered", answeredRunId: "second" }]);
    const over = { ...given, runs: [asker, { ...underWay, status: "failed", active: false } as const] };
    expect(applyTo<"answer_questions">(over, answer(["b"])).value).toMatchObject({ outcome: "started" });
  });

  test("is stale when one of its questions was asked anew with another schema, or nobody asks any more", () => {
    const asked = { ...shelf, questions: [question("a"), question("b", { schema: "{}" })] };
    for (const [given, keys] of [
      [asked, ["a", "b"]],
      [{ questions: shelf.questions ?? [] }, ["a"]],
      [shelf, []],
    ] as const) {
      const { value, changes } = applyTo<"answer_questions">(given, answer(keys));
      expect([value, changes.questions, changes.runs]).toEqual([{ outcome: "stale" }, [], []]);
    }
  });
});

test.each([
  ["of an unknown question", answer(["c"]), "QUESTION_NOT_FOUND", {}],
  ["of another thread's question", answer(["a"], { threadId: "thr" }), "QUESTION_NOT_FOUND", {}],
  ["of one that is closed", answer(["b"]), "QUESTION_CLOSED", { status: "withdrawn" }],
  ["of one whose time is over", answer(["late"]), "QUESTION_CLOSED", { status: "expired" }],
] as const)("an answer %s is refused, and names it", (_what, intent, code, details) => {
  const questions = [question("a"), question("b", { status: "withdrawn" }), question("late", { expiresAt: noon })];
  const { error, changes } = refusalOf({ ...shelf, questions }, intent);
  const key = intent.answers[0]?.key ?? "";
  expect(error).toMatchObject({ code, details: { questionId: `run/${key}`, ...details } });
  expect(changes.questions).toEqual([]);
});

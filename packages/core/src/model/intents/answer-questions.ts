import { HeddleError } from "../../errors.js";
import type { QuestionRecord } from "../question.js";
import { questionId, questionStatus } from "../question.js";
import type { RunRecord } from "../run.js";
import { isSettled } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import { claimIfFirst } from "./claim-runs.js";
import type { Answered, AnswerQuestions, NewAnswer } from "./intent.js";
import { startNextRun } from "./next-run.js";

export function answerQuestions(uow: UnitOfWork, intent: AnswerQuestions): Answered {
  const questions = new Map(uow.questions(intent.lineageId).map((question) => [question.key, question]));
  const answered = intent.answers.map((answer) => ({ answer, question: openQuestion(uow, intent, questions, answer) }));
  const asker = answered[0] && uow.run(answered[0].question.runId);
  const isStale = answered.some(({ answer, question }) => answer.schema !== question.schema);
  if (asker === undefined || isStale) return { outcome: "stale" };
  const underWay = runUnderWay(uow, [...questions.values()]);
  const run = underWay ?? startNextRun(uow, asker, intent.nextRunId);
  for (const { answer, question } of answered) {
    uow.putQuestion({
      ...question,
      status: "answered",
      answer: answer.answer,
      answeredRunId: run.id,
      closedAt: uow.now,
    });
  }
  if (underWay !== undefined) return { outcome: "stored", run };
  const claimed = run.active ? claimIfFirst(uow, run, intent.claim) : undefined;
  return claimed === undefined ? { outcome: "started", run } : { outcome: "started", run: claimed, claimed };
}

/** A run of the lineage that has not settled: it was started by an answer. */
function runUnderWay(uow: UnitOfWork, questions: readonly QuestionRecord[]): RunRecord | undefined {
  for (const { answeredRunId } of questions) {
    const run = answeredRunId === null ? undefined : uow.run(answeredRunId);
    if (run !== undefined && !isSettled(run.status)) return run;
  }
  return undefined;
}

function openQuestion(
  uow: UnitOfWork,
  { lineageId, threadId }: AnswerQuestions,
  questions: ReadonlyMap<string, QuestionRecord>,
  { key }: NewAnswer,
): QuestionRecord {
  const question = questions.get(key);
  if (question === undefined || question.threadId !== threadId) throw questionNotFound(questionId({ lineageId, key }));
  const status = questionStatus(question, uow.now);
  if (status === "open") return question;
  throw new HeddleError("QUESTION_CLOSED", `Question "${key}" takes no answer any more: it is ${status}.`, {
    details: { questionId: questionId(question), status },
  });
}

export function questionNotFound(id: string): HeddleError {
  return new HeddleError("QUESTION_NOT_FOUND", `There is no question "${id}".`, { details: { questionId: id } });
}

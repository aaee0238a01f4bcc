/** What becomes of a lineage's questions: asked by a settle, answered by a resume, withdrawn when the lineage goes on without them. */

import type { QuestionRecord } from "../question.js";
import { questionId, questionStatus } from "../question.js";
import type { RunRecord } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import type { NewQuestion, Outcome } from "./intent.js";
import { startNextRun } from "./next-run.js";

/**
 * At a settle: what was asked is stored, whatever else was open is withdrawn. Where an answer came while the run still
 * worked, the lineage goes on at once.
 */
export function closeQuestions(uow: UnitOfWork, run: RunRecord, outcome: Outcome): void {
  if (run.rolledBack) return;
  const asked = outcome.status === "interrupted" ? outcome.questions : [];
  // Before its first interrupt a lineage has no questions: most settles need not look for any.
  if (asked.length === 0 && run.id === run.lineageId) return;
  const known = new Map(uow.questions(run.lineageId).map((question) => [question.key, question]));
  const answered: QuestionRecord[] = [];
  for (const question of asked) {
    const before = known.get(question.key);
    if (before?.status === "answered") answered.push(before);
    else ask(uow, run, question, before);
    known.delete(question.key);
  }
  for (const question of known.values()) {
    if (question.status === "open") uow.putQuestion({ ...question, status: "withdrawn", closedAt: uow.now });
  }
  if (outcome.status === "interrupted" && answered.length > 0) goOn(uow, run, outcome.nextRunId, answered);
}

function goOn(uow: UnitOfWork, run: RunRecord, nextRunId: string, answered: readonly QuestionRecord[]): void {
  const next = startNextRun(uow, run, nextRunId);
  for (const question of answered) uow.putQuestion({ ...question, runId: run.id, answeredRunId: next.id });
  if (next.active) uow.tell({ type: "claimable" });
}

/** A question that is asked again while it is open waits on; one that nobody can answer any more is asked anew. */
function ask(uow: UnitOfWork, run: RunRecord, question: NewQuestion, known: QuestionRecord | undefined): void {
  const { key, payload, schema, expiresIn } = question;
  const isOpen = known !== undefined && questionStatus(known, uow.now) === "open";
  uow.putQuestion({
    lineageId: run.lineageId,
    key,
    runId: run.id,
    threadId: run.threadId,
    status: "open",
    payload,
    schema,
    answer: null,
    answeredRunId: null,
    askedAt: isOpen ? known.askedAt : uow.now,
    expiresAt: isOpen ? known.expiresAt : endOf(uow.now, expiresIn),
    closedAt: null,
  });
}

function endOf(now: number, expiresIn: number | null): number | null {
  return expiresIn === null ? null : now + expiresIn;
}

/** JSON of the questions, as readers of the stream get them. */
export function interruptedPayload(lineageId: string, questions: readonly NewQuestion[]): string {
  const listed = questions.map(
    ({ key, payload, schema }) =>
      `{"id":${JSON.stringify(questionId({ lineageId, key }))},"key":${JSON.stringify(key)},"payload":${payload},"schema":${schema ?? "null"}}`,
  );
  return `{"questions":[${listed.join(",")}]}`;
}

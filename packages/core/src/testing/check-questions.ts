/** What DESIGN section 10 promises of questions and lineages, read from the records. */

import assert from "node:assert/strict";
import { type QuestionRecord, questionId } from "../model/question.js";
import { endsLineage, isSettled, type RunRecord } from "../model/run.js";
import type { Storage } from "../ports/storage.js";

/** @throws AssertionError naming the lineage or question that breaks an invariant */
export async function checkQuestions(storage: Storage, runs: ReadonlyMap<string, RunRecord>): Promise<void> {
  for (const [lineageId, lineage] of byLineage(runs)) {
    const unsettled = lineage.filter((run) => !isSettled(run.status));
    assert.ok(unsettled.length <= 1, `lineage ${lineageId} has ${unsettled.length} unsettled runs`);
    if (!lineage.some(({ status }) => status === "interrupted")) continue;
    const isOver = lineage.some(endsLineage);
    for (const question of await storage.lineages.questions(lineageId)) checkQuestion(question, runs, isOver);
  }
}

function byLineage(runs: ReadonlyMap<string, RunRecord>): Map<string, RunRecord[]> {
  const lineages = new Map<string, RunRecord[]>();
  for (const run of runs.values()) {
    const lineage = lineages.get(run.lineageId);
    if (lineage === undefined) lineages.set(run.lineageId, [run]);
    else lineage.push(run);
  }
  return lineages;
}

function checkQuestion(question: QuestionRecord, runs: ReadonlyMap<string, RunRecord>, isOver: boolean): void {
  const { status } = question;
  const is = (holds: boolean, what: string): void =>
    assert.ok(holds, `question ${questionId(question)} is ${status}, but ${what}`);
  const isAnswered = status === "answered";
  is((question.answer !== null) === isAnswered, `its answer is ${question.answer}`);
  is((question.answeredRunId !== null) === isAnswered, `it was answered to ${question.answeredRunId}`);
  is((question.closedAt !== null) === (status !== "open"), `closedAt is ${question.closedAt}`);
  is(status !== "open" || !isOver, "its lineage is over");
  const asker = runs.get(question.runId);
  is(asker?.status === "interrupted", `the run that asked is ${asker?.status}`);
  is(asker?.threadId === question.threadId, "the run that asked is of another thread");
}

/** From a caller's answer to the next run of a lineage. */

import { HeddleError } from "../errors.js";
import { questionNotFound } from "../model/intents/answer-questions.js";
import type { AnswerQuestions, NewAnswer } from "../model/intents/intent.js";
import { parseJson } from "../model/json.js";
import type { QuestionRecord } from "../model/question.js";
import { questionId, questionRefOf, questionStatus } from "../model/question.js";
import type { RunRecord } from "../model/run.js";
import { checkAnswer } from "./answer-schema.js";
import { checkJson, isId, requireOptions } from "./check-input.js";
import type { Core } from "./core.js";

/** Whose questions are meant: a thread's, or a lineage's. */
export type Asked = { readonly threadId: string } | { readonly lineageId: string; readonly threadId: string | null };

/** Questions of one thread that are looked at: more are answered by id. */
const mostOpen = 1_000;
/** How often a question may change while it is being answered. */
const mostTries = 10;

/** Answer the one open question. @throws HeddleError QUESTION_NOT_FOUND, QUESTION_CLOSED, INVALID_ANSWER, INVALID_ARGUMENT */
export async function resumeWith(core: Core, asked: Asked, answer: unknown): Promise<RunRecord> {
  core.requireOpen();
  const text = answerText(core, answer);
  return repeat(async () => answerAll(core, [[await onlyOpenQuestion(core, asked), text]]));
}

/** Answer questions by id or key. @throws as `resumeWith` */
export async function answerWith(core: Core, asked: Asked, answers: unknown): Promise<RunRecord> {
  core.requireOpen();
  requireOptions("answers", answers);
  const texts = Object.entries(answers as object).map(([name, answer]) => [name, answerText(core, answer)] as const);
  if (texts.length === 0) throw invalid("Give at least one answer.", {});
  return repeat(async () => {
    const found = texts.map(async ([name, text]) => [await questionOf(core, asked, name), text] as const);
    return answerAll(core, await Promise.all(found));
  });
}

function answerText(core: Core, answer: unknown): string {
  return checkJson("answer", answer, core.settings.limits.input);
}

/** A question may be asked again, with another schema, between the look at it and its answer. */
async function repeat(attempt: () => Promise<RunRecord | undefined>): Promise<RunRecord> {
  for (let tries = 0; tries < mostTries; tries++) {
    const run = await attempt();
    if (run !== undefined) return run;
  }
  throw new HeddleError("STORAGE_BUSY", "The question changes faster than it can be answered. Try again.");
}

/** @returns undefined where a question changed meanwhile */
async function answerAll(
  core: Core,
  answers: readonly (readonly [QuestionRecord, string])[],
): Promise<RunRecord | undefined> {
  const [first] = answers.map(([question]) => question);
  if (first === undefined || answers.some(([question]) => question.lineageId !== first.lineageId)) {
    throw invalid("These questions are of several runs: answer each run's in a call of its own.", {});
  }
  const asker = await core.storage.runs.get(first.runId);
  if (asker === undefined) throw questionNotFound(questionId(first));
  const intent: AnswerQuestions = {
    kind: "answer_questions",
    lineageId: first.lineageId,
    threadId: first.threadId,
    answers: answers.map(([question, text]) => newAnswer(question, text)),
    nextRunId: core.random.id("run"),
  };
  const answered = await core.answerAndLaunch(asker.agent, intent);
  return answered.outcome === "stale" ? undefined : answered.run;
}

function newAnswer(question: QuestionRecord, answer: string): NewAnswer {
  const { key, schema, status } = question;
  // What is closed is refused for that, not for its answer.
  if (status === "open") checkAnswer(schema, parseJson(answer, "answer"), { questionId: questionId(question) });
  return { key, schema, answer };
}

async function onlyOpenQuestion(core: Core, asked: Asked): Promise<QuestionRecord> {
  const open = await openQuestions(core, asked);
  const answerable = open.filter((question) => questionStatus(question, core.storageNow()) === "open");
  const [only, another] = answerable.length > 0 ? answerable : open;
  if (only === undefined) throw noOpenQuestion(asked);
  if (another === undefined || answerable.length === 0) return only;
  const ids = answerable.map(questionId);
  throw invalid(`${ids.length} questions are open: answer by id, with answer({ … }).`, { questionIds: ids });
}

function noOpenQuestion(asked: Asked): HeddleError {
  const whose = "lineageId" in asked ? `run "${asked.lineageId}"` : `thread "${asked.threadId}"`;
  return new HeddleError("QUESTION_NOT_FOUND", `No question of ${whose} is open.`, { details: { ...asked } });
}

/** Those that are not answered or withdrawn. */
export async function openQuestions(core: Core, asked: Asked): Promise<readonly QuestionRecord[]> {
  const { lineages } = core.storage;
  if (!("lineageId" in asked)) return isId(asked.threadId) ? lineages.openQuestions(asked.threadId, mostOpen) : [];
  return (await lineages.questions(asked.lineageId)).filter(({ status }) => status === "open");
}

/** By id, or by a key that one open question has. */
async function questionOf(core: Core, asked: Asked, name: string): Promise<QuestionRecord> {
  const byId = await questionById(core, asked, name);
  if (byId !== undefined) return byId;
  const named = (await candidates(core, asked)).filter(({ key }) => key === name);
  const [only, another] = named;
  if (only === undefined) throw questionNotFound(name);
  if (another === undefined) return only;
  throw invalid(`Several open questions have the key "${name}": answer by id.`, { questionIds: named.map(questionId) });
}

/** Of one lineage closed ones too: whoever comes late is told so. */
function candidates(core: Core, asked: Asked): Promise<readonly QuestionRecord[]> {
  return "lineageId" in asked ? core.storage.lineages.questions(asked.lineageId) : openQuestions(core, asked);
}

async function questionById(core: Core, asked: Asked, id: string): Promise<QuestionRecord | undefined> {
  const ref = questionRefOf(id);
  if (ref === undefined || !isId(ref.lineageId)) return undefined;
  if ("lineageId" in asked && asked.lineageId !== ref.lineageId) return undefined;
  const questions = await core.storage.lineages.questions(ref.lineageId);
  return questions.find(({ key, threadId }) => key === ref.key && threadId === asked.threadId);
}

function invalid(message: string, details: object): HeddleError {
  return new HeddleError("INVALID_ARGUMENT", message, { details: { field: "answers", ...details } });
}

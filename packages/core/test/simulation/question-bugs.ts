/** Bugs in what becomes of questions and their answers. */

import { AttemptPause } from "../../dist/engine/attempt-pause.js";
import type { Intent, QuestionRecord } from "../../dist/storage.js";
import { HeddleError, isSettled } from "../../dist/storage.js";
import type { PlantedBug } from "./planted-bug.js";
import { patch } from "./planted-bug.js";
import type { Plants } from "./planted-database.js";
import { plantedDatabase } from "./planted-database.js";

const bug = (name: string, plants: Plants): PlantedBug => ({ name, database: plantedDatabase(plants) });

const reopened = (question: QuestionRecord): QuestionRecord =>
  question.status === "answered"
    ? { ...question, status: "open", answer: null, answeredRunId: null, closedAt: null }
    : question;

const isStored = (value: unknown): boolean => (value as { readonly outcome?: string }).outcome === "stored";

/** What an intent of this kind reads of questions. */
const whereRead = (kind: Intent["kind"], change: (question: QuestionRecord) => QuestionRecord): Plants => ({
  reads: (reader, intent) => ({
    questions: (lineageId) =>
      intent.kind === kind ? reader.questions(lineageId).map(change) : reader.questions(lineageId),
  }),
});

export const questionBugs: readonly PlantedBug[] = [
  bug("a second answer takes the place of the first", whereRead("answer_questions", reopened)),
  bug("each answer starts a run, though one is under way", {
    reads: (reader, intent) => ({
      run(id) {
        const run = reader.run(id);
        const isMeant = intent.kind === "answer_questions" && run !== undefined && run.id !== run.lineageId;
        return isMeant && !isSettled(run.status) ? undefined : run;
      },
    }),
  }),
  bug("an answer that came meanwhile is forgotten at the settle", whereRead("settle_run", reopened)),
  bug("a later attempt does not get the answers", {
    ports: ({ lineages, runs }) => ({
      lineages: {
        ...lineages,
        async questions(lineageId) {
          const questions = await lineages.questions(lineageId);
          const retried = await Promise.all(questions.map(({ answeredRunId }) => runs.get(answeredRunId ?? "")));
          return questions.map((question, index) =>
            (retried[index]?.attempt ?? 0) > 1 ? reopened(question) : question,
          );
        },
      },
    }),
  }),
  bug("an answer is told to be another", {
    ports: ({ lineages }) => ({
      lineages: {
        ...lineages,
        questions: async (lineageId) =>
          (await lineages.questions(lineageId)).map((question) =>
            question.key === "p" && question.answer !== null ? { ...question, answer: '"never"' } : question,
          ),
      },
    }),
  }),
  bug("who answers while a run is under way is told that it came too late", {
    async commits(intent, commit) {
      const result = await commit(intent);
      if (intent.kind !== "answer_questions" || !result.ok || !isStored(result.value)) return result;
      return { ok: false, error: new HeddleError("QUESTION_CLOSED", "As planted.") };
    },
  }),
  bug("a rollback leaves its questions answered", {
    reads: (reader, intent) => ({
      questions: (lineageId) =>
        intent.kind === "settle_run" || intent.kind === "tend_run" || intent.kind === "accept_run"
          ? reader.questions(lineageId).map((question) => ({ ...question, answeredRunId: null }))
          : reader.questions(lineageId),
    }),
  }),
  {
    name: "an attempt that asked may go on writing",
    install: () => patch(AttemptPause.prototype, "call", () => (work) => work()),
  },
];

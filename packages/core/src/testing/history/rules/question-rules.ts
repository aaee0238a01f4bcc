/**
 * What is promised of questions: each takes one answer, which starts the next run of its lineage or is kept for the one
 * under way, and every run that asks gets it. An answer that was refused changes nothing.
 */

import type { SeenQuestion } from "../history.js";
import type { AskFacts, AttemptFacts } from "./attempt-facts.js";
import { shown } from "./call-rules.js";
import type { CallFacts, Facts, Rule, RunFacts } from "./facts.js";
import { answered, begunAt, isAnswer, isRolledBack, mayBeRolledBack } from "./facts.js";

export const questionRules = {
  *"a question takes one answer"(facts: Facts) {
    for (const lineage of gatherLineages(facts)) {
      // The answers that a rolled-back run was started by are taken back with it.
      if (lineage.runs.slice(1).some(mayBeRolledBack)) continue;
      for (const key of new Set(lineage.seen.map((seen) => seen.key))) {
        const tokens = new Set(lineage.seen.filter((seen) => seen.key === key).map(({ token }) => token));
        if (tokens.size > 1) yield `question ${lineage.id}/${key} has answers ${[...tokens].join(" and ")}`;
      }
    }
  },

  *"an answer was given by somebody"(facts: Facts) {
    for (const lineage of gatherLineages(facts)) {
      for (const { key, token, by } of lineage.seen) {
        const given = lineage.answers.find((call) => tokenFor(call, key) === token);
        if (given === undefined) yield `${by} has answer ${token} to ${lineage.id}/${key}, which nobody gave`;
        else if (given.answer?.type === "refused") yield `${by} has answer ${token}, but ${shown(given)} was refused`;
      }
    }
  },

  /** Whatever crashes: each run that asks gets the answer that there is. */
  *"an answered question is not asked again"(facts: Facts) {
    for (const lineage of gatherLineages(facts)) {
      if (lineage.runs.slice(1).some(mayBeRolledBack)) continue;
      for (const run of lineage.runs) {
        for (const attempt of run.attempts) {
          const from = loadsAfter(attempt, run, lineage);
          for (const { key, answer } of attempt.asks) {
            const known = lineage.answers.find((call) => isTaken(call, key) && (call.to ?? 0) < from);
            if (known !== undefined && answer === null)
              yield `attempt ${attempt.attempt} of ${run.id} asks ${key} again, though call ${known.number} had answered it`;
          }
        }
      }
    }
  },

  *"an answer starts one run at most"(facts: Facts) {
    for (const { id, runs, answers } of gatherLineages(facts)) {
      const given = answers.filter(({ answer }) => answer?.type !== "refused");
      if (runs.length - 1 > given.length)
        yield `lineage ${id} has ${runs.length} runs, and ${given.length} answers were given`;
      const over = runs.filter((run) => run.final !== undefined && !maybeGoesOn(run));
      if (over.length > 1) yield `lineage ${id} ended ${over.length} times: ${over.map((run) => run.id).join(", ")}`;
    }
  },

  *"one run of a lineage at a time"({ lineages }: Facts) {
    for (const runs of lineages.values()) {
      for (const first of runs) {
        const next = runs.filter((run) => run !== first && begunAt(run) > begunAt(first));
        const fencedAt = Math.min(...next.map(begunAt));
        const late = writesOf(first).find(({ at, acknowledgedAt }) => at > fencedAt && acknowledgedAt !== undefined);
        if (late !== undefined) yield `${late.token} was written when the next run of its lineage had begun`;
      }
    }
  },

  *"a run that asked is interrupted, and no other"({ runs }: Facts) {
    for (const { id, final, attempts } of runs.values()) {
      const last = attempts.find(({ attempt }) => attempt === final?.attempt);
      if (final === undefined || last === undefined || final.takenBy !== null) continue;
      const hasAsked = last.asks.some(isOpen);
      if (final.status === "interrupted" && !hasAsked)
        yield `run ${id} is interrupted, and its last attempt asked nothing`;
      if (final.status === "succeeded" && hasAsked) yield `run ${id} asked and is succeeded`;
    }
  },

  *"from a question on nothing is written"({ attempts }: Facts) {
    for (const { asks, writes, attempt, runId } of attempts) {
      const asked = asks.find(isOpen);
      const late = writes.find(({ at, acknowledgedAt }) => at > (asked?.at ?? at) && acknowledgedAt !== undefined);
      if (late !== undefined) yield `attempt ${attempt} of ${runId} asked ${asked?.key} and then wrote ${late.token}`;
    }
  },

  /** By an answer, or because the lineage went on without it; and for that, too, somebody had to answer. */
  *"a question is closed by an answer"(facts: Facts) {
    for (const { answers } of gatherLineages(facts)) {
      for (const call of answers) {
        if (call.answer?.type !== "refused" || call.answer.code !== "QUESTION_CLOSED") continue;
        const other = answers.find((one) => one.answer?.type !== "refused" && one.from < (call.to ?? 0));
        if (other === undefined) yield `${shown(call)}: QUESTION_CLOSED, and nobody else had answered`;
      }
    }
  },

  *"a rollback reopens what it was the answer to"(facts: Facts) {
    for (const lineage of gatherLineages(facts)) {
      for (const call of lineage.answers) {
        const run = facts.runs.get(answered(call.answer, "resumed")?.runId ?? "");
        if (run?.final === undefined || run.id === lineage.id || !isRolledBack(run)) continue;
        const kept = lineage.final.find(({ key, answer }) => answer !== null && tokenFor(call, key) === answer);
        if (kept !== undefined)
          yield `run ${run.id} was rolled back, and ${kept.key} still has the answer ${kept.answer} that it was given`;
      }
    }
  },
} satisfies Record<string, Rule>;

interface Lineage {
  readonly id: string;
  readonly runs: readonly RunFacts[];
  /** Also those that were refused, or whose fate nobody knows. */
  readonly answers: readonly CallFacts[];
  /** Answers that anybody saw. */
  readonly seen: readonly { readonly key: string; readonly token: string; readonly by: string }[];
  readonly final: readonly SeenQuestion[];
}

function gatherLineages({ lineages, runs, calls, history }: Facts): Lineage[] {
  const answers = new Map<string, CallFacts[]>();
  const looks = new Map<string, CallFacts[]>();
  for (const call of calls) {
    if (!isAnswer(call.command) && call.command.kind !== "questions") continue;
    const id = runs.get(call.command.runId)?.lineageId ?? call.command.runId;
    const list = isAnswer(call.command) ? answers : looks;
    list.set(id, [...(list.get(id) ?? []), call]);
  }
  const final = new Map(history.final.lineages.map(({ id, questions }) => [id, questions]));
  const ids = new Set([...answers.keys(), ...final.keys()]);
  return [...ids].map((id) => {
    const own = lineages.get(id) ?? [];
    const questions = final.get(id) ?? [];
    const seen = [
      ...own.flatMap(({ attempts }) => attempts.flatMap(answersSeenBy)),
      ...(looks.get(id) ?? []).flatMap((call) =>
        answersIn(answered(call.answer, "questions")?.questions ?? [], `call ${call.number}`),
      ),
      ...answersIn(questions, "the storage"),
    ];
    return { id, runs: own, answers: answers.get(id) ?? [], seen, final: questions };
  });
}

function answersSeenBy({ asks, attempt, runId }: AttemptFacts): Lineage["seen"] {
  const by = `attempt ${attempt} of ${runId}`;
  return asks.flatMap(({ key, answer }) => (answer === null ? [] : [{ key, token: answer, by }]));
}

function answersIn(questions: readonly SeenQuestion[], by: string): Lineage["seen"] {
  return questions.flatMap(({ key, answer }) => (answer === null ? [] : [{ key, token: answer, by }]));
}

/** What the call would answer the question with. */
function tokenFor({ command }: CallFacts, key: string): string | undefined {
  if (command.kind === "resume") return command.token;
  return command.kind === "answer" ? command.answers[key] : undefined;
}

/** The call is known to have answered this question. */
function isTaken(call: CallFacts, key: string): boolean {
  return call.command.kind === "answer" && key in call.command.answers && call.answer?.type === "ok";
}

/** The attempt looked for answers behind this place: not before the attempt or the run before it had begun or asked. */
function loadsAfter({ attempt }: AttemptFacts, run: RunFacts, { runs }: Lineage): number {
  const earlier = runs.filter((other) => begunAt(other) < begunAt(run)).flatMap(({ attempts }) => attempts);
  const own = run.attempts.filter((other) => other.attempt < attempt);
  const places = [...earlier, ...own].flatMap(({ from, asks }) => [from, ...asks.map(({ at }) => at)]);
  return Math.max(-1, ...places);
}

function maybeGoesOn(run: RunFacts): boolean {
  return run.final?.status === "interrupted" || mayBeRolledBack(run);
}

function writesOf({ attempts }: RunFacts) {
  return attempts.flatMap(({ writes }) => writes);
}

function isOpen({ answer }: AskFacts): boolean {
  return answer === null;
}

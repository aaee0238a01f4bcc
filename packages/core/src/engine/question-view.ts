/** A question as users see it. Times are `Date`. */

import type { Json } from "../model/json.js";
import { parseJson } from "../model/json.js";
import type { QuestionRecord, QuestionStatus } from "../model/question.js";
import { questionId, questionStatus } from "../model/question.js";

export interface Question {
  /** The same over all re-executions of the lineage. */
  readonly id: string;
  /** The agent's own name for it. */
  readonly key: string;
  /** The run that asked it last. */
  readonly runId: string;
  /** `undefined`: a stateless run asked. */
  readonly threadId: string | undefined;
  /** `expired`: its time is over. `withdrawn`: its lineage ended, or went on without asking it again. */
  readonly status: QuestionStatus;
  readonly payload: Json;
  /** JSON Schema of the answer; `undefined`: any JSON. */
  readonly schema: Json | undefined;
  /** `undefined` until it is answered. */
  readonly answer: Json | undefined;
  readonly askedAt: Date;
  readonly expiresAt: Date | undefined;
  readonly closedAt: Date | undefined;
}

/** @param now epoch ms, the storage's */
export function viewQuestion(record: QuestionRecord, now: number): Question {
  const id = questionId(record);
  const parsed = (text: string | null): Json | undefined =>
    text === null ? undefined : parseJson(text, `question ${id}`);
  return {
    id,
    key: record.key,
    runId: record.runId,
    threadId: record.threadId ?? undefined,
    status: questionStatus(record, now),
    payload: parseJson(record.payload, `question ${id}`),
    schema: parsed(record.schema),
    answer: parsed(record.answer),
    askedAt: new Date(record.askedAt),
    expiresAt: date(record.expiresAt),
    closedAt: date(record.closedAt),
  };
}

function date(time: number | null): Date | undefined {
  return time === null ? undefined : new Date(time);
}

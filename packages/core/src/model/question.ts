/**
 * A question that a run asked of a human. The run is settled and holds nothing while the question waits; its answer
 * starts the next run of the lineage, in which the same call returns it.
 *
 *   open ──answer──▶ answered        and back to open, should the run that got the answer be rolled back
 *     └────────────▶ withdrawn       its lineage ended, or went on without asking it again
 *
 * An open question whose time is over is *expired*: nothing is stored for that and no timer waits for it.
 */
export interface QuestionRecord {
  readonly lineageId: string;
  /** The agent's own name for it, unique per lineage. */
  readonly key: string;
  /** The run that asked it last. */
  readonly runId: string;
  readonly threadId: string | null;
  readonly status: "open" | "answered" | "withdrawn";
  /** JSON text. */
  readonly payload: string;
  /** JSON Schema of the answer, as JSON text; `null`: any JSON. */
  readonly schema: string | null;
  /** JSON text; `null` while it is open. */
  readonly answer: string | null;
  /** The run that the answer was given to. */
  readonly answeredRunId: string | null;
  readonly askedAt: number;
  /** From here on no answer is taken; `null`: it waits for ever. */
  readonly expiresAt: number | null;
  readonly closedAt: number | null;
}

export type QuestionRef = Pick<QuestionRecord, "lineageId" | "key">;

/** How users name it: the same over all re-executions of the lineage. */
export function questionId({ lineageId, key }: QuestionRef): string {
  return `${lineageId}/${key}`;
}

/** The question that an id names; `undefined`: it can name none. Ids of runs hold no slash, keys may. */
export function questionRefOf(id: string): QuestionRef | undefined {
  const slash = id.indexOf("/");
  return slash <= 0 ? undefined : { lineageId: id.slice(0, slash), key: id.slice(slash + 1) };
}

export type QuestionStatus = QuestionRecord["status"] | "expired";

export function questionStatus(question: Pick<QuestionRecord, "status" | "expiresAt">, now: number): QuestionStatus {
  const isOver = question.expiresAt !== null && question.expiresAt <= now;
  return question.status === "open" && isOver ? "expired" : question.status;
}

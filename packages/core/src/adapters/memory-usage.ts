/** What a thread takes. */

import { threadStream } from "../model/event.js";
import { byteLength } from "../model/json.js";
import type { ThreadUsage, Usage } from "../ports/storage.js";
import type { MemoryTables } from "./memory-tables.js";

export function usageOf(tables: MemoryTables, threadId: string): ThreadUsage {
  const runs = tables.runIndexes.ofThread.of(threadId);
  const lineages = [...new Set(runs.map((run) => run.lineageId))];
  return {
    runs: sum(runs, (run) => [
      run.input,
      run.config,
      run.metadata,
      run.policy,
      run.output,
      run.error,
      run.cancelReason,
      run.awaits,
    ]),
    events: sum([...tables.events.after(threadStream(threadId), 0)], (event) => [event.payload]),
    checkpoints: sum(tables.checkpointsOf(threadId), (checkpoint) => [checkpoint.body]),
    memos: sum(
      lineages.flatMap((lineage) => tables.memosOf(lineage)),
      (memo) => [memo.key, memo.body],
    ),
    questions: sum(
      lineages.flatMap((lineage) => tables.questions(lineage)),
      (question) => [question.key, question.payload, question.schema, question.answer],
    ),
  };
}

function sum<Row>(rows: readonly Row[], textsOf: (row: Row) => readonly (string | null)[]): Usage {
  const bytes = rows.flatMap(textsOf).reduce((total, text) => total + (text === null ? 0 : byteLength(text)), 0);
  return { rows: rows.length, bytes };
}

/** What is promised of idempotency keys. */

import type { StartCommand } from "../history.js";
import { shown } from "./call-rules.js";
import type { CallFacts, Facts, Rule } from "./facts.js";
import { answered, isFirst, mayBeDeleted, startsOf } from "./facts.js";

export const keyRules = {
  /** A key names one run, whatever the thread does meanwhile. */
  *"one run per idempotency key"(facts: Facts) {
    for (const [name, uses] of keyUses(facts)) {
      const runIds = new Set(uses.map(({ runId }) => runId));
      if (runIds.size > 1) yield `key ${name} started ${[...runIds].join(" and ")}`;
      if (new Set(uses.map(({ n }) => n)).size > 1) yield `key ${name} was accepted with two inputs`;
    }
    const runOf = new Map<string, string>();
    for (const run of facts.runs.values()) {
      const start = facts.starts.get(run.n);
      if (start === undefined || !isFirst(run) || !isKept(facts, start)) continue;
      const other = runOf.get(keyName(start));
      if (other !== undefined) yield `key ${keyName(start)} has two runs: ${other} and ${run.id}`;
      runOf.set(keyName(start), run.id);
    }
  },

  *"a repeated key is answered before the thread is looked at"(facts: Facts) {
    for (const call of facts.calls) {
      const [start, another] = startsOf(call);
      if (start === undefined || another !== undefined || !isKept(facts, start) || call.answer?.type !== "refused")
        continue;
      if (!["THREAD_BUSY", "QUEUE_FULL"].includes(call.answer.code)) continue;
      const earlier = facts.calls.find(
        (other) => other.answer?.type === "ok" && (other.to ?? 0) < call.from && uses(other, keyName(start)),
      );
      if (earlier !== undefined)
        yield `${shown(call)}: ${call.answer.code}, but call ${earlier.number} had started its run`;
    }
  },
} satisfies Record<string, Rule>;

interface KeyUse {
  readonly n: number;
  readonly runId: string;
}

function keyUses(facts: Facts): Map<string, KeyUse[]> {
  const byKey = new Map<string, KeyUse[]>();
  for (const call of facts.calls) {
    const runIds = answered(call.answer, "started")?.runIds ?? [];
    startsOf(call).forEach((start, index) => {
      const runId = runIds[index];
      if (runId === undefined || !isKept(facts, start)) return;
      byKey.set(keyName(start), [...(byKey.get(keyName(start)) ?? []), { n: start.n, runId }]);
    });
  }
  return byKey;
}

/** It has a key, and its thread was not deleted: a thread that is created again knows none of the keys of before. */
function isKept(facts: Facts, { key, threadId }: StartCommand): boolean {
  return key !== null && (threadId === null || !mayBeDeleted(facts, threadId));
}

function uses(call: CallFacts, name: string): boolean {
  return startsOf(call).some((start) => start.key !== null && keyName(start) === name);
}

function keyName({ threadId, agent, key }: StartCommand): string {
  return `${key} of ${agent} in ${threadId === null ? "no thread" : `thread ${threadId}`}`;
}

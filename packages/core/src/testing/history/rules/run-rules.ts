/** What is promised of runs: they end, once, as they were told to, after as many tries as they were given. */

import type { SeenOutcome, StartCommand } from "../history.js";
import type { CallFacts, Facts, Rule, RunFacts } from "./facts.js";
import { answered, delayOf, isFirst, mayBeDeleted, startsOf, strategyOf } from "./facts.js";

const settled = ["succeeded", "failed", "canceled", "interrupted"];

export const runRules = {
  *"the storage's records are sound"({ history }: Facts) {
    yield* history.final.faults;
  },

  *"an accepted run settles"({ runs }: Facts) {
    for (const run of runs.values()) {
      if (run.final !== undefined && !settled.includes(run.final.status))
        yield `run ${run.id} is ${run.final.status} for ever`;
      const mayBeGone = run.mayBeGoneFrom < Number.POSITIVE_INFINITY;
      if (run.final === undefined && run.acceptedAt !== undefined && !mayBeGone)
        yield `run ${run.id} was accepted and is lost`;
    }
  },

  *"an attempt is given out once"({ attempts }: Facts) {
    const seen = new Set<string>();
    for (const { runId, attempt, worker } of attempts) {
      const name = `attempt ${attempt} of ${runId}`;
      if (seen.has(name)) yield `${name} began twice, the second time on ${worker}`;
      seen.add(name);
    }
  },

  *"everyone hears the same outcome"({ runs, calls }: Facts) {
    const heard = new Map<string, SeenOutcome>();
    for (const call of calls) {
      const outcome = answered(call.answer, "outcome")?.outcome;
      if (outcome === undefined || call.command.kind !== "wait") continue;
      const { runId } = call.command;
      const known = runs.get(runId)?.final?.outcome ?? heard.get(runId);
      heard.set(runId, outcome);
      if (known != null && !isSame(known, outcome))
        yield `run ${runId}: ${shownOutcome(known)}, but call ${call.number} heard ${shownOutcome(outcome)}`;
    }
  },

  *"a success is what the last attempt returned"({ runs }: Facts) {
    for (const run of runs.values()) {
      const { id, final, attempts, n } = run;
      if (final?.outcome?.status !== "succeeded" || final.takenBy !== null) continue;
      const last = attempts.find(({ attempt }) => attempt === final.attempt);
      const token = `${n}:f@${final.attempt}${isFirst(run) ? "" : `~${id}`}`;
      if (last?.to === undefined) yield `run ${id} succeeded, but its attempt ${final.attempt} never ended`;
      else if (final.outcome.token !== token) yield `run ${id} succeeded with ${final.outcome.token}, not ${token}`;
    }
  },

  *"a canceled run does not succeed"({ calls, runs }: Facts) {
    for (const call of calls) {
      if (call.command.kind !== "cancel") continue;
      const answer = answered(call.answer, "canceled");
      const run = runs.get(call.command.runId);
      if (answer === undefined || run?.final === undefined) continue;
      const { status } = run.final;
      if (answer.outcome !== "late" && status !== "canceled")
        yield `run ${run.id} was canceled by call ${call.number} and is ${status}`;
      if (answer.outcome === "late" && !settled.includes(status))
        yield `call ${call.number} came too late to cancel ${run.id}, which is ${status}`;
    }
  },

  /** Its signal tells an attempt that it has lost its run, wherever it runs. */
  *"an attempt that lost its run is told"({ attempts, workers }: Facts) {
    for (const { runId, attempt, worker, to, aborted } of attempts) {
      const lives = workers.get(worker)?.to === undefined;
      if (lives && to === undefined)
        yield `attempt ${attempt} of ${runId} still runs on ${worker}; its signal ${aborted === undefined ? "never fired" : `fired (${aborted})`}`;
    }
  },

  /** In the process where the first cancel was answered the attempt's signal has fired by then. */
  *"a cancel reaches the attempt at once"({ calls, runs }: Facts) {
    for (const call of calls) {
      if (call.command.kind !== "cancel" || answered(call.answer, "canceled")?.outcome !== "requested") continue;
      const { runId } = call.command;
      const until = call.to ?? 0;
      if (isSupersededBefore(runs.get(runId), calls, until)) continue;
      if (
        calls.some(
          (other) =>
            other !== call && other.command.kind === "cancel" && other.command.runId === runId && other.from < until,
        )
      )
        continue;
      const last = runs.get(runId)?.attempts.at(-1);
      if (last === undefined || last.worker !== call.worker || last.from > call.from || (last.to ?? until) < until)
        continue;
      if ((last.abortedAt ?? until) >= until)
        yield `attempt ${last.attempt} of ${last.runId} was not told of call ${call.number}, which canceled it`;
    }
  },

  *"a run is tried as often as allowed"(facts: Facts) {
    for (const run of facts.runs.values()) yield* triesOf(run, facts);
  },

  *"nothing crashes where nothing goes wrong"({ isFaultless, finalRuns }: Facts) {
    if (!isFaultless) return;
    for (const { id, crashes } of finalRuns.values())
      if (crashes > 0) yield `run ${id} lost its lease ${crashes} times`;
  },

  /** In a thread whoever was accepted first goes first; but messages that nobody took and who is resumed go before the queue. */
  *"first come, first served"(facts: Facts) {
    const byThread = new Map<string, RunFacts[]>();
    for (const run of facts.runs.values()) {
      if (run.threadId === null || run.acceptedAt === undefined || mayBeDeleted(facts, run.threadId)) continue;
      if (delayOf(facts, run) > 0) continue;
      byThread.set(run.threadId, [...(byThread.get(run.threadId) ?? []), run]);
    }
    for (const runs of byThread.values())
      for (const first of runs) for (const second of runs) yield* overtaken(facts, first, second);
  },

  *"no run starts before its time"(facts: Facts) {
    if (facts.clockJumped) return;
    for (const run of facts.runs.values()) {
      const first = run.events.find(({ type }) => type === "run_started");
      const delay = delayOf(facts, run);
      if (run.final !== undefined && first !== undefined && first.createdAt < run.final.createdAt + delay)
        yield `run ${run.id} began before its delay of ${delay} ms was over`;
      yield* earlyRetries(run);
    }
  },

  *"a cancel that waits ends with the run"({ calls, runs }: Facts) {
    for (const call of calls) {
      if (call.command.kind !== "cancel" || !call.command.wait || call.answer?.type !== "ok") continue;
      const run = runs.get(call.command.runId);
      const late = run?.attempts
        .flatMap(({ writes }) => writes)
        .find(({ at, acknowledgedAt }) => at > (call.to ?? 0) && acknowledgedAt !== undefined);
      if (late !== undefined)
        yield `${late.token} was written after call ${call.number} had said that the run is settled`;
    }
  },
} satisfies Record<string, Rule>;

/** Somebody else may have told it to stop already. */
function isSupersededBefore(run: RunFacts | undefined, calls: readonly CallFacts[], until: number): boolean {
  const isInItsPlace = ({ threadId, whenBusy }: StartCommand): boolean =>
    threadId === run?.threadId && (whenBusy === "interrupt" || whenBusy === "rollback");
  return calls.some((call) => call.from < until && startsOf(call).some(isInItsPlace));
}

/** Ends that no number of tries explains. */
const otherEnds = ["DEADLINE_EXCEEDED", "CRASH_LIMIT"];

function* triesOf(run: RunFacts, { starts }: Facts): Generator<string> {
  const start = starts.get(run.n);
  const { final, events, id } = run;
  if (start === undefined || final === undefined || final.takenBy !== null) return;
  const started = events.filter(({ type }) => type === "run_started").map(({ attempt }) => attempt);
  const expected = Array.from({ length: final.attempt }, (_, index) => index + 1);
  if (started.join() !== expected.join())
    yield `run ${id} is at attempt ${final.attempt}, its log has attempts ${started.join()}`;
  const retries = events.filter(({ why }) => why === "retry").length;
  const crashes = events.filter(({ why }) => why === "crash").length;
  if (retries >= start.maxFailures)
    yield `run ${id} was tried again ${retries} times and may fail ${start.maxFailures} times`;
  if (crashes >= start.maxCrashes) yield `run ${id} went on after ${crashes} crashes of ${start.maxCrashes}`;
  if (
    final.attempt > 0 &&
    started.length > retries + crashes + events.filter(({ why }) => why === "shutdown" || why === "sleep").length + 1
  )
    yield `run ${id} began ${started.length} attempts and gave back fewer`;
  const reason = final.outcome?.reason ?? "";
  if (final.status !== "failed") return;
  if (reason === "CRASH_LIMIT" && crashes + 1 !== start.maxCrashes)
    yield `run ${id} failed after ${crashes + 1} crashes of ${start.maxCrashes}`;
  if (otherEnds.includes(reason)) return;
  if (retries + 1 !== start.maxFailures)
    yield `run ${id} failed with ${reason} after ${retries + 1} failures of ${start.maxFailures}`;
  if (!["AGENT_ERROR", "ATTEMPT_TIMEOUT"].includes(reason)) yield `run ${id} failed with ${reason}`;
}

function* overtaken(facts: Facts, first: RunFacts, second: RunFacts): Generator<string> {
  if ((first.acceptedAt ?? 0) >= second.askedAt || first === second) return;
  if (strategyOf(facts, second) === "steer" || !isFirst(second)) return;
  const began = second.events.find(({ type }) => type === "run_started");
  const before = first.events[0];
  if (began === undefined || (before !== undefined && before.seq < began.seq)) return;
  yield `run ${second.id} began before ${first.id}, which had been accepted before it was asked for`;
}

function* earlyRetries({ id, events }: RunFacts): Generator<string> {
  let notBefore = 0;
  for (const { type, availableAt, createdAt, attempt } of events) {
    if (type === "run_retrying" || type === "run_suspended") notBefore = availableAt ?? 0;
    if (type === "run_started" && createdAt < notBefore)
      yield `attempt ${attempt} of ${id} began before its backoff or sleep was over`;
  }
}

function isSame(a: SeenOutcome, b: SeenOutcome): boolean {
  return a.status === b.status && a.token === b.token && a.reason === b.reason && a.by === b.by;
}

function shownOutcome({ status, token, reason }: SeenOutcome): string {
  return [status, token, reason].filter((part) => part !== null).join(" ");
}

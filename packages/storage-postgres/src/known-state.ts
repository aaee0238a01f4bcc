/**
 * What one open storage knows without asking: how it last wrote the stateless runs that are under way, what time the
 * server has, and that nothing waited for a claim. Mostly that is all that an intent of a stateless run reads, so it
 * can be applied before the server is asked at all.
 *
 * Nothing is taken on trust: what was decided here is checked by the server, in the transaction that writes it. Each
 * run must still be as it was known, to the last column; the time must be right, and still nothing may wait. Otherwise
 * the transaction fails, and the intents are applied once more, to what is locked and read. (Optimistic concurrency
 * control: Kung and Robinson, "On Optimistic Methods for Concurrency Control", 1981.)
 */

import type { Changes, RunRecord } from "@heddle/core/storage";
import type { LoadStatements } from "./load-statements.js";
import { LoadedRecords } from "./loaded-records.js";
import { type Bound, bound } from "./statement.js";
import type { Wants } from "./wants.js";

/** What intents may be applied to, and the statements that fail where it is not so. */
export interface Foreseen {
  readonly records: LoadedRecords;
  readonly now: number;
  readonly checks: readonly Bound[];
}

/** More runs than that under way at once: the oldest are read again. */
const mostRuns = 1_000;
/** How long ago the time may be that a transaction goes by, ms, beside two round trips. */
const leastLag = 20;
/** ms until the server is asked for the time again: an answer that was slow says less of it than others. */
const askAgainAfter = 10_000;

export class KnownState {
  readonly #texts: LoadStatements;
  readonly #runs = new Map<string, RunRecord>();
  /** Agents, as text, of whose runs none waited for a claim when somebody last looked. */
  readonly #idle = new Set<string>();
  readonly #clock = new ServerClock();

  constructor(texts: LoadStatements) {
    this.#texts = texts;
  }

  /** @param given epoch ms by the engine's clock; `null`: the server's counts */
  foresee(wants: Wants, given: number | null): Foreseen | undefined {
    if (!readsOnlyRunsAndPeeks(wants)) return undefined;
    const time = given === null ? this.#clock.estimate() : { now: given, lag: 0 };
    if (time === undefined) return undefined;
    const records = new LoadedRecords();
    for (const id of wants.runsWithThreads) records.named.add(id);
    for (const id of wants.runs) {
      const run = this.#runs.get(id);
      if (run === undefined) return undefined;
      records.runs.set(id, run);
    }
    const { isTime, isIdle } = this.#texts;
    const checks = given === null ? [bound(isTime, time.now, time.lag)] : [];
    for (const { agents } of wants.claims) {
      const id = JSON.stringify(agents);
      if (!this.#idle.has(id)) return undefined;
      records.peeks.set(id, []);
      checks.push(bound(isIdle, agents, 1, wants.runsWithThreads, given));
    }
    return { records, now: time.now, checks };
  }

  /** Something of it was not so any more: the next time it is read. */
  forget(wants: Wants): void {
    for (const id of wants.runs) this.#runs.delete(id);
    for (const { agents } of wants.claims) this.#idle.delete(JSON.stringify(agents));
    this.#clock.forget();
  }

  /** @param answeredAt `performance.now()` when it was there; `askedAt` when it was asked for */
  learnLoaded({ peeks }: LoadedRecords, now: number, askedAt: number, answeredAt: number): void {
    this.#clock.learn(now, askedAt, answeredAt);
    for (const [agents, waiting] of peeks) {
      if (waiting.length === 0) this.#idle.add(agents);
      else this.#idle.delete(agents);
    }
  }

  /** What was committed. */
  learnCommitted({ runs, removals }: Changes): void {
    for (const { after } of runs) {
      this.#runs.delete(after.id);
      if (after.threadId === null && after.status === "running") this.#runs.set(after.id, after);
    }
    for (const removal of removals) if (removal.type === "run") this.#runs.delete(removal.id);
    for (const id of this.#runs.keys()) {
      if (this.#runs.size <= mostRuns) break;
      this.#runs.delete(id);
    }
  }
}

function readsOnlyRunsAndPeeks({ runs, runsWithThreads, claims, queueDepth, ...rest }: Wants): boolean {
  return claims.every(({ limit }) => limit === 0) && Object.values(rest).every((wanted) => wanted.length === 0);
}

interface TimeSample {
  /** What the server's time was at the least when ours, `performance.now()`, was 0. */
  readonly ahead: number;
  readonly roundTrip: number;
  readonly answeredAt: number;
}

/** The server's time, told from its last answers and from what passed here since. Never ahead of it, unless it was set back. */
class ServerClock {
  #sample: TimeSample | undefined;
  #last = 0;

  estimate(): { readonly now: number; readonly lag: number } | undefined {
    const at = performance.now();
    const sample = this.#sampleAt(at);
    if (sample === undefined) return undefined;
    // Time does not go back where it need not: what was committed before came first.
    this.#last = Math.max(this.#last, Math.floor(sample.ahead + at));
    return { now: this.#last, lag: leastLag + Math.ceil(2 * sample.roundTrip) };
  }

  learn(now: number, askedAt: number, answeredAt: number): void {
    this.#last = Math.max(this.#last, now);
    const ahead = now - answeredAt;
    const known = this.#sampleAt(answeredAt);
    if (known === undefined || ahead > known.ahead)
      this.#sample = { ahead, roundTrip: answeredAt - askedAt, answeredAt };
  }

  forget(): void {
    this.#sample = undefined;
    this.#last = 0;
  }

  #sampleAt(at: number): TimeSample | undefined {
    const sample = this.#sample;
    return sample !== undefined && at - sample.answeredAt <= askAgainAfter ? sample : undefined;
  }
}

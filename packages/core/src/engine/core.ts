/** What the parts of one engine share. Built once by `createEngine`; nothing here is global. */

import type { Accepted, AcceptRun, Answered, AnswerQuestions, Canceled, Effect } from "../model/intents/intent.js";
import type { CancelReason, RunPolicy, RunRecord } from "../model/run.js";
import type { ValuesSchema } from "../model/values-schema.js";
import type { Clock } from "../ports/clock.js";
import type { Executor } from "../ports/executor.js";
import type { Random } from "../ports/random.js";
import type { Storage } from "../ports/storage.js";
import type { Committer } from "../runtime/committer.js";
import type { DeltaExchange } from "../runtime/delta-exchange.js";
import type { FrameHub } from "../runtime/frame-hub.js";
import type { Lifecycle } from "../runtime/lifecycle.js";
import type { LineageTracker } from "../runtime/lineage-tracker.js";
import type { RunTracker } from "../runtime/run-tracker.js";
import type { ValuesCache } from "../runtime/values-cache.js";
import type { Agent } from "./agent.js";
import type { EngineSettings } from "./settings.js";

/** An agent with what is worked out once at registration. */
export interface RegisteredAgent {
  readonly definition: Agent;
  readonly values: ValuesSchema;
  readonly executor: Executor;
  /** JSON of the policy of a run without overrides; and the same read back. */
  readonly policy: string;
  readonly parsedPolicy: RunPolicy;
}

export interface Core {
  readonly settings: EngineSettings;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly agents: ReadonlyMap<string, RegisteredAgent>;
  readonly agentNames: readonly string[];
  /** Names this engine's leases. */
  readonly worker: string;
  readonly committer: Committer;
  readonly hub: FrameHub;
  readonly deltas: DeltaExchange;
  readonly tracker: RunTracker;
  readonly lineages: LineageTracker;
  readonly lifecycle: Lifecycle;
  readonly values: ValuesCache;
  /**
   * Every public call passes here first.
   * @param inTransaction the call is made in a host's transaction, with `{ tx }`
   * @throws HeddleError ENGINE_CLOSED; TRANSACTION_MISUSE for a call inside a transaction that is not made in it
   */
  requireOpen(inTransaction?: boolean): void;
  /** Tell everyone concerned what a commit changed. */
  tell(effects: readonly Effect[]): void;
  acceptAndLaunch(intent: AcceptRun): Promise<Accepted>;
  /** @param agent whose runs the questions are */
  answerAndLaunch(agent: string, intent: AnswerQuestions): Promise<Answered>;
  cancel(run: Pick<RunRecord, "id" | "threadId">, reason: CancelReason, grace?: number): Promise<Canceled>;
  /** The commits of others, or one of ours whose answer was lost: see what became of our runs, waiters and readers. */
  catchUp(): void;
  /** The storage's clock, epoch ms: deadlines and ages are its times, and another machine's clock may differ from ours. */
  storageNow(): number;
  /** Is it too late to write anything? */
  givesUp(): boolean;
  /** Report a failure in the background. */
  report(error: unknown, during: string): void;
}

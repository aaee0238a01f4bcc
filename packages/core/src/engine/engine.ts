/**
 * The engine: agents, a storage, and everything between them. This file only puts the parts together and opens and
 * closes them in order; what each does is written in its own file.
 */

import { HeddleError } from "../errors.js";
import type {
  Accepted,
  AcceptRun,
  Answered,
  AnswerQuestions,
  Canceled,
  CancelRun,
  Effect,
} from "../model/intents/intent.js";
import type { CancelReason, RunRecord } from "../model/run.js";
import { storedPolicy } from "../model/run.js";
import { valuesSchema } from "../model/values-schema.js";
import type { Clock } from "../ports/clock.js";
import type { Executor } from "../ports/executor.js";
import type { Random } from "../ports/random.js";
import type { Storage } from "../ports/storage.js";
import { Committer } from "../runtime/committer.js";
import { DeltaExchange } from "../runtime/delta-exchange.js";
import { FrameHub } from "../runtime/frame-hub.js";
import type { LifecycleListener, LifecycleType } from "../runtime/lifecycle.js";
import { Lifecycle, lifecycleTypes } from "../runtime/lifecycle.js";
import { LineageTracker } from "../runtime/lineage-tracker.js";
import { RunTracker } from "../runtime/run-tracker.js";
import { systemClock } from "../runtime/system-clock.js";
import { systemRandom } from "../runtime/system-random.js";
import { ValuesCache } from "../runtime/values-cache.js";
import type { Agent } from "./agent.js";
import { checkDefinition } from "./agent.js";
import { requireOptions } from "./check-input.js";
import { checkPorts } from "./check-ports.js";
import type { Core, RegisteredAgent } from "./core.js";
import { Dispatcher } from "./dispatcher.js";
import { Executors } from "./executors.js";
import { type Explanation, explain } from "./explain.js";
import { Families } from "./families.js";
import type { Transaction } from "./host-transaction.js";
import { Runs } from "./runs.js";
import type { EngineSettings, SettingsInput } from "./settings.js";
import { invalidArgument, requireDuration, requireOneOf, resolveSettings } from "./settings.js";
import { policyOf } from "./start-run.js";
import { Teller } from "./tell.js";
import { Threads } from "./threads.js";
import { refuseInTransaction, runTransaction } from "./transaction.js";
import { Watchman } from "./watchman.js";

export interface EngineOptions<Host = unknown> extends SettingsInput {
  readonly storage: Storage<Host>;
  /** Agents whose runs this engine drives. Runs of others may be waited for, read and canceled, not started. */
  readonly agents?: readonly Agent[];
  /** Where attempts run unless the agent says otherwise. Default: inline. */
  readonly executor?: Executor;
  /** `false`: start, read and wait only; never claim runs. Default `true`. */
  readonly work?: boolean;
  /** For tests: time and randomness. Defaults: the machine's. */
  readonly clock?: Clock;
  readonly random?: Random;
}

type State = "new" | "starting" | "open" | "closing" | "closed";

export class Engine<Host = unknown> implements AsyncDisposable {
  readonly runs: Runs;
  readonly threads: Threads;
  readonly settings: EngineSettings;
  readonly #core: Core;
  readonly #dispatcher: Dispatcher;
  readonly #watchman: Watchman;
  readonly #executors: Executors;
  readonly #families: Families;
  readonly #teller: Teller;
  #state: State = "new";
  #storageIsOpen = false;
  #givesUp = false;
  #starting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(options: EngineOptions<Host> & { readonly executor: Executor }) {
    checkPorts(options);
    this.settings = resolveSettings(settingsOf(options));
    this.#core = this.#createCore(options);
    this.#dispatcher = new Dispatcher(this.#core);
    this.#families = new Families(this.#core);
    this.#watchman = new Watchman(this.#core, this.#dispatcher, this.#families);
    this.#executors = new Executors(this.#core);
    this.runs = new Runs(this.#core);
    this.threads = new Threads(this.#core);
    this.#teller = new Teller(this.#core, this.#dispatcher, this.#watchman, this.#families);
  }

  /**
   * Open the storage, take over what dead workers left, begin to work. Safe to call twice; a failed start may be tried
   * again.
   * @throws HeddleError STORAGE_…, ENGINE_CLOSED
   */
  start(): Promise<void> {
    if (this.#state === "closing" || this.#state === "closed") return Promise.reject(engineClosed());
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      if (this.#state === "starting") this.#state = "new";
      throw error;
    });
    return this.#starting;
  }

  /**
   * Stop claiming, let attempts finish for `grace` ms, hand the rest back, close the storage. Safe to call twice.
   * @param options.grace default: the engine's `closeGrace`
   * @throws HeddleError INVALID_ARGUMENT; then it stays open
   */
  async close(options: { readonly grace?: number } = {}): Promise<void> {
    requireOptions("options", options);
    const grace = requireDuration("grace", options.grace ?? this.settings.closeGrace);
    this.#closing ??= this.#close(grace);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Hear of this engine's commits and troubles. Returns its undo. A listener that throws harms nobody. */
  on<Type extends LifecycleType>(type: Type, listener: LifecycleListener<Type>): () => void {
    requireOneOf("type", type, lifecycleTypes);
    if (typeof listener !== "function") throw invalidArgument("listener", listener, "a function");
    return this.#core.lifecycle.on(type, listener);
  }

  /**
   * Write the host's own rows and start runs in one transaction: pass `{ tx }` to `start`. Await storage calls only, and
   * everything inside; an error thrown by `body` rolls everything back.
   * @throws HeddleError TRANSACTION_MISUSE, STORAGE_…; whatever `body` throws
   */
  async transaction<Result>(body: (tx: Transaction<Host>) => Promise<Result>): Promise<Result> {
    this.#core.requireOpen();
    if (typeof body !== "function") throw invalidArgument("body", body, "a function");
    return runTransaction<Host, Result>(this.#core, body);
  }

  /**
   * Why a run or a thread is not moving, and what would move it: as data and in words. A run's id counts before a
   * thread's.
   * @throws HeddleError RUN_NOT_FOUND: there is neither
   */
  async explain(id: string): Promise<Explanation> {
    this.#core.requireOpen();
    return explain(this.#core, id, { hasFreeSlot: this.#dispatcher.hasFreeSlot });
  }

  /** Is nothing under way: no commit, no claim, no look at the storage? Attempts may still run. @internal */
  get quiet(): boolean {
    return !this.#core.committer.busy && this.#watchman.idle && this.#families.idle;
  }

  /** Wake for nothing but what the storage says is due. @internal */
  refresh(): Promise<void> {
    return this.#watchman.refresh();
  }

  /** Attempts whose code has not returned. @internal */
  get attempts(): number {
    return this.#dispatcher.drivers.length;
  }

  async #start(): Promise<void> {
    this.#state = "starting";
    const { storage, clock } = this.#core;
    await storage.open({ clock });
    this.#storageIsOpen = true;
    try {
      await this.#executors.open();
      await this.#watchman.open();
    } catch (error) {
      await this.#letGo();
      throw error;
    }
    // Closed while it started: nothing is taken up.
    if (this.#state !== "starting") throw engineClosed();
    this.#state = "open";
    if (this.#core.agentNames.length > 0) this.#dispatcher.open();
  }

  async #close(grace: number): Promise<void> {
    this.#state = "closing";
    await this.#starting?.catch(() => {});
    if (this.#storageIsOpen) {
      this.#dispatcher.stop();
      await this.#finishAttempts(grace);
      await this.#watchman.close();
      await this.#families.drain();
      await this.#core.committer.drain();
    }
    this.#core.tracker.close(engineClosed());
    this.#core.lineages.close(engineClosed());
    this.#core.hub.breakOff(engineClosed());
    await this.#letGo();
    this.#state = "closed";
  }

  async #letGo(): Promise<void> {
    await this.#watchman.close();
    await this.#executors.close();
    if (!this.#storageIsOpen) return;
    this.#storageIsOpen = false;
    await this.#core.storage.close();
  }

  async #finishAttempts(grace: number): Promise<void> {
    const { clock } = this.#core;
    let cancel = (): void => {};
    const over = new Promise<void>((resolve) => {
      cancel = clock.setTimer(grace, resolve, "work");
    });
    await Promise.race([this.#dispatcher.codeReturned(), over]);
    cancel();
    await this.#dispatcher.claimsOver();
    for (const driver of this.#dispatcher.drivers) driver.shutDown();
    // What cannot be handed back until then is taken over by others anyway.
    cancel = clock.setTimer(this.settings.lease, () => (this.#givesUp = true), "work");
    await this.#dispatcher.drain();
    cancel();
    this.#givesUp = true;
  }

  #createCore(options: EngineOptions<Host> & { readonly executor: Executor }): Core {
    const { storage, clock = systemClock, random = systemRandom } = options;
    const lifecycle = new Lifecycle();
    const agents = registerAgents(options, this.settings);
    const tell = (effects: readonly Effect[]): void => this.#teller.tell(effects);
    const hub = new FrameHub();
    const worker = random.id("wrk");
    return {
      settings: this.settings,
      storage: storage as Storage,
      clock,
      random,
      agents,
      agentNames: options.work === false ? [] : [...agents.keys()],
      worker,
      committer: new Committer(storage as Storage, clock, tell, () => this.#watchman.suspect()),
      hub,
      deltas: new DeltaExchange(hub, storage.relay, worker),
      tracker: new RunTracker(storage.runs),
      lineages: new LineageTracker(storage.runs),
      lifecycle,
      values: new ValuesCache(storage.checkpoints, this.settings.limits.valuesCache),
      tell,
      requireOpen: (inTransaction) => this.#requireOpen(inTransaction),
      acceptAndLaunch: (intent) => this.#acceptAndLaunch(intent),
      answerAndLaunch: (agent, intent) => this.#answerAndLaunch(agent, intent),
      cancel: (run, reason, grace) => this.#cancel(run, reason, grace),
      catchUp: () => this.#watchman.hint(),
      storageNow: () => this.#watchman.storageNow(),
      givesUp: () => this.#givesUp,
      report: (error, during) => lifecycle.report(error, during),
    };
  }

  #requireOpen(inTransaction = false): void {
    if (!inTransaction) refuseInTransaction(this.#core);
    if (this.#state === "open" || this.#state === "starting") return;
    if (this.#state === "new") {
      throw new HeddleError("ENGINE_CLOSED", "The engine has not been started: await engine.start() first.");
    }
    throw engineClosed();
  }

  #acceptAndLaunch(intent: AcceptRun): Promise<Accepted> {
    const { committer } = this.#core;
    return this.#claimingAtOnce(intent.run.agent, (claim) => committer.commit<"accept_run">({ ...intent, ...claim }));
  }

  #answerAndLaunch(agent: string, intent: AnswerQuestions): Promise<Answered> {
    const { committer } = this.#core;
    return this.#claimingAtOnce(agent, (claim) => committer.commit<"answer_questions">({ ...intent, ...claim }));
  }

  /** With a free slot, what makes a run claimable claims it in the same transaction. */
  #claimingAtOnce<Result extends { readonly claimed?: RunRecord | undefined }>(
    agent: string,
    commit: (claim: Pick<AcceptRun, "claim">) => Promise<Result>,
  ): Promise<Result> {
    const { worker, settings, agentNames } = this.#core;
    if (!agentNames.includes(agent) || !this.#dispatcher.reserve()) return commit({});
    return commit({ claim: { worker, lease: settings.lease, agents: agentNames } }).then(
      (result) => {
        if (result.claimed === undefined) this.#dispatcher.giveBack();
        else this.#dispatcher.launch(result.claimed);
        return result;
      },
      (error: unknown) => {
        this.#dispatcher.giveBack();
        throw error;
      },
    );
  }

  async #cancel(run: Pick<RunRecord, "id" | "threadId">, reason: CancelReason, grace?: number): Promise<Canceled> {
    this.#requireOpen();
    const { committer, random } = this.#core;
    const intent: CancelRun = {
      kind: "cancel_run",
      runId: run.id,
      threadId: run.threadId,
      reason,
      finalCheckpointId: random.id("chk"),
      ...(grace === undefined ? {} : { grace }),
    };
    return committer.commit<"cancel_run">(intent);
  }
}

function engineClosed(): HeddleError {
  return new HeddleError(
    "ENGINE_CLOSED",
    "The engine is closed. Its unfinished runs go on when an engine starts again.",
  );
}

function settingsOf<Host>(options: EngineOptions<Host>): SettingsInput {
  const {
    storage: _storage,
    agents: _agents,
    executor: _executor,
    work: _work,
    clock: _clock,
    random: _random,
    ...settings
  } = options;
  return settings;
}

function registerAgents<Host>(
  options: EngineOptions<Host> & { readonly executor: Executor },
  settings: EngineSettings,
): Map<string, RegisteredAgent> {
  const agents = new Map<string, RegisteredAgent>();
  if (!Array.isArray(options.agents ?? [])) throw invalidArgument("agents", options.agents, "a list of agents");
  for (const definition of options.agents ?? []) {
    checkDefinition(definition);
    if (agents.has(definition.name)) {
      throw new HeddleError("INVALID_ARGUMENT", `Two agents are named "${definition.name}".`, {
        details: { field: "agents", agent: definition.name },
      });
    }
    const policy = JSON.stringify(policyOf(settings, definition));
    agents.set(definition.name, {
      definition,
      values: valuesSchema(definition.values),
      executor: definition.executor ?? options.executor,
      policy,
      parsedPolicy: storedPolicy({ policy }),
    });
  }
  return agents;
}

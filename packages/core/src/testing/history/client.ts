/** A client: takes steps on an engine and notes what it is answered. Readers and waiters go on beside them. */

import type { Engine } from "../../engine/engine.js";
import type { Question } from "../../engine/question-view.js";
import type { RunHandle, RunOutcome } from "../../engine/run-handle.js";
import type { AnyStartOptions } from "../../engine/start-run.js";
import type { Caller } from "./call.js";
import { call } from "./call.js";
import type { Answer, AnswerValue, Command, SeenFrame, SeenOutcome, SeenQuestion, StartCommand } from "./history.js";
import type { Place } from "./place.js";
import { fieldOf, readStream } from "./read-stream.js";
import type { ReadingPlan, StartPlan, Step } from "./script.js";
import { seenValues } from "./scripted-agent.js";

/** An engine that takes calls, and where it is. */
export interface Connection {
  readonly engine: Engine;
  readonly process: Place;
  /** `false`: it is being closed. */
  readonly isOpen: boolean;
}

/** What the clients of one place know together. */
export interface Surroundings {
  /** An engine that lives, as soon as there is one. @param turn rises when the client wants another one */
  connect(turn: number): Promise<Connection>;
  sleep(ms: number): Promise<void>;
  /** Runs that were accepted, oldest first. */
  readonly runIds: string[];
  /** Those of them that are known to have asked, oldest first. */
  readonly askers: string[];
  /** The newest event that anybody saw, by thread. */
  readonly newest: Map<string, number>;
  /** Ends the readers of streams that do not end by themselves. */
  readonly stop: AbortSignal;
}

const done: AnswerValue = { kind: "done" };

export class Client {
  readonly #caller: Caller;
  readonly #around: Surroundings;
  #turn = 0;

  constructor(caller: Caller, around: Surroundings) {
    this.#caller = caller;
    this.#around = around;
  }

  /** Ends when the step is taken. Readers, and waiters for runs that it started, go on. Never rejects. */
  async take(step: Step): Promise<void> {
    if (step.do === "think") await this.#around.sleep(step.ms);
    else await this.#take(step, await this.#around.connect(this.#turn));
  }

  async #take(step: Exclude<Step, { do: "think" }>, connection: Connection): Promise<void> {
    const { engine } = connection;
    switch (step.do) {
      case "create":
        return this.#create(step, connection);
      case "copy":
        return this.#thread(connection, { kind: "copy_thread", from: step.from, to: step.to }, async () => {
          await (await engine.threads.get(step.from)).copy({ id: step.to });
        });
      case "delete_thread":
        return this.#thread(connection, { kind: "delete_thread", threadId: step.thread }, async () => {
          await (await engine.threads.get(step.thread)).delete();
        });
      case "start":
        return this.#start([step.start], connection, step.reading);
      case "start_many":
        return this.#start(step.starts, connection, null);
      case "values":
        return this.#values(step.thread, connection);
      case "read_thread":
        return this.#readThread(step.thread, step.reading, connection);
      default:
        return this.#takeWithRun(step, connection);
    }
  }

  async #thread(connection: Connection, command: Command, carryOut: () => Promise<void>): Promise<void> {
    await this.#call(connection, command, async () => {
      await carryOut();
      return done;
    });
  }

  #create({ thread, orGet, token }: Extract<Step, { do: "create" }>, connection: Connection): Promise<void> {
    const values = token === null ? {} : { values: { log: [token], count: 1 } };
    return this.#thread(connection, { kind: "create_thread", threadId: thread, orGet, token }, async () => {
      const { threads } = connection.engine;
      await (orGet ? threads.getOrCreate(thread, values) : threads.create({ id: thread, ...values }));
    });
  }

  async #values(threadId: string, connection: Connection): Promise<void> {
    await this.#call(connection, { kind: "values", threadId }, async () => {
      const thread = await connection.engine.threads.get(threadId);
      return { kind: "values", values: seenValues(await thread.values()) };
    });
  }

  async #start(starts: readonly StartPlan[], connection: Connection, reading: ReadingPlan | null): Promise<void> {
    const command: Command = { kind: "start", starts: starts.map(startCommand) };
    const answer = await this.#call(connection, command, async () => {
      const runs = await startRuns(connection.engine, starts);
      const runIds = runs.map(({ id }) => id);
      for (const run of runs) void this.#wait(run, connection);
      if (reading !== null) for (const run of runs) this.#readRun(run.id, reading, connection, run);
      return { kind: "started", runIds };
    });
    if (answer.type !== "ok" || answer.value.kind !== "started") return;
    for (const id of answer.value.runIds) this.#know(id);
  }

  async #takeWithRun(step: Extract<Step, { run: number }>, connection: Connection): Promise<void> {
    const { runIds, askers } = this.#around;
    const runId = chosen(step.do === "answer" && askers.length > 0 ? askers : runIds, step.run);
    if (runId === undefined) return;
    const { engine } = connection;
    switch (step.do) {
      case "cancel":
        return this.#cancel(runId, step, connection);
      case "answer":
        return this.#answer(runId, step, connection);
      case "delete_run":
        return this.#thread(connection, { kind: "delete_run", runId }, () => engine.runs.delete(runId));
      case "wait": {
        const waited = this.#call(connection, { kind: "wait", runId }, async () => {
          return this.#outcomeOf(await engine.runs.get(runId));
        });
        if (!step.background) await Promise.race([waited, this.#around.sleep(60_000)]);
        return;
      }
      case "read_run":
        return this.#readRun(runId, step.reading, connection);
      case "inspect":
        await this.#call(connection, { kind: "inspect", threadId: step.thread, runId }, () =>
          inspect(engine, step.thread, runId),
        );
        return;
    }
  }

  async #cancel(
    runId: string,
    { wait, grace, rollback }: Extract<Step, { do: "cancel" }>,
    connection: Connection,
  ): Promise<void> {
    await this.#call(connection, { kind: "cancel", runId, wait, rollback }, async () => {
      const options = { wait, rollback, ...(grace !== null && { grace }) };
      const { outcome } = await connection.engine.runs.cancel(runId, options);
      return { kind: "canceled", outcome };
    });
  }

  async #answer(
    runId: string,
    { which, token }: Extract<Step, { do: "answer" }>,
    connection: Connection,
  ): Promise<void> {
    if (which === "only") {
      await this.#resume({ kind: "resume", runId, token }, connection, (run) => run.resume(token));
      return;
    }
    const open = which === "blind" ? ["q"] : await this.#openQuestions(runId, connection);
    const keys = which === "all" ? open : open.slice(0, 1);
    if (keys.length === 0) return;
    const answers = Object.fromEntries(keys.map((key) => [key, token]));
    await this.#resume({ kind: "answer", runId, answers }, connection, (run) => run.answer(answers));
  }

  async #openQuestions(runId: string, connection: Connection): Promise<string[]> {
    const answer = await this.#call(connection, { kind: "questions", runId }, async () => {
      const questions = await (await connection.engine.runs.get(runId)).questions();
      return { kind: "questions", questions: questions.map(seenQuestion) };
    });
    if (answer.type !== "ok" || answer.value.kind !== "questions") return [];
    return answer.value.questions.filter(({ status }) => status === "open").map(({ key }) => key);
  }

  async #resume(
    command: Extract<Command, { kind: "answer" | "resume" }>,
    connection: Connection,
    give: (run: RunHandle) => Promise<RunHandle>,
  ): Promise<void> {
    await this.#call(connection, command, async () => {
      const next = await give(await connection.engine.runs.get(command.runId));
      this.#know(next.id);
      void this.#wait(next, connection);
      return { kind: "resumed", runId: next.id };
    });
  }

  #know(runId: string): void {
    if (!this.#around.runIds.includes(runId)) this.#around.runIds.push(runId);
  }

  /** From the start on: whatever settles the run, whoever started it hears of it. */
  #wait(run: RunHandle, connection: Connection): Promise<Answer> {
    return this.#call(connection, { kind: "wait", runId: run.id }, () => this.#outcomeOf(run));
  }

  async #outcomeOf(run: RunHandle): Promise<AnswerValue> {
    const outcome = seenOutcome(await run.settled());
    const { askers } = this.#around;
    if (outcome.status === "interrupted" && !askers.includes(run.id)) askers.push(run.id);
    return { kind: "outcome", outcome };
  }

  #readRun(runId: string, reading: ReadingPlan, connection: Connection, known?: RunHandle): void {
    // A run's own numbers are not known beforehand: from the stream's first event, or from where the run begins.
    const after = reading.after === null ? null : 0;
    const command: Command = { kind: "read_run", runId, after, frames: reading.frames };
    void this.#call(connection, command, async (number) => {
      const run = known ?? (await connection.engine.runs.get(runId));
      const onDisconnect = reading.cancels ? "cancel" : "continue";
      const frames = run.events({ signal: this.#around.stop, onDisconnect, ...(after === null ? {} : { after }) });
      return readStream(frames, reading, this.#reader(connection), (frame) => this.#frame(number, frame));
    });
  }

  #readThread(threadId: string, reading: ReadingPlan, connection: Connection): void {
    const { newest } = this.#around;
    const known = newest.get(threadId) ?? 0;
    const after = reading.after === null ? null : Math.floor(reading.after * known);
    const command: Command = { kind: "read_thread", threadId, after, frames: reading.frames };
    void this.#call(connection, command, async (number) => {
      const thread = await connection.engine.threads.get(threadId);
      const frames = thread.events({ signal: this.#around.stop, ...(after === null ? {} : { after }) });
      return readStream(frames, reading, this.#reader(connection), (frame) => {
        if (frame.kind === "event") newest.set(threadId, Math.max(newest.get(threadId) ?? 0, frame.seq));
        this.#frame(number, frame);
      });
    });
  }

  #reader(connection: Connection) {
    return { process: connection.process, stop: this.#around.stop, isOpen: () => connection.isOpen };
  }

  #frame(number: number, frame: SeenFrame): void {
    this.#caller.recorder.note({ type: "frame", call: number, frame });
  }

  async #call(
    connection: Connection,
    command: Command,
    carryOut: (call: number) => Promise<AnswerValue>,
  ): Promise<Answer> {
    const answer = await call(this.#caller, connection.process, command, carryOut);
    // A worker that does not answer well is left for another.
    if (answer.type === "unknown" || answer.type === "lost") this.#turn++;
    return answer;
  }
}

/** @param fraction 1: the newest */
function chosen(runIds: readonly string[], fraction: number): string | undefined {
  return runIds[Math.max(Math.ceil(fraction * runIds.length) - 1, 0)];
}

export function seenQuestion({ key, status, answer }: Question): SeenQuestion {
  return { key, status, answer: typeof answer === "string" ? answer : null };
}

async function startRuns(engine: Engine, starts: readonly StartPlan[]): Promise<readonly RunHandle[]> {
  const [first] = starts;
  if (first === undefined) return [];
  if (starts.length > 1) {
    return engine.runs.startMany(
      starts.map((start) => ({
        agent: { name: start.agent },
        input: inputOf(start),
        options: optionsOf(start),
        ...(start.thread === null ? {} : { threadId: start.thread }),
      })),
    );
  }
  const { agent, thread } = first;
  if (thread === null) return [await engine.runs.start({ name: agent }, inputOf(first), optionsOf(first))];
  if (first.createThread) {
    // No look at the thread first, as it need not be there.
    return engine.runs.startMany([
      { agent: { name: agent }, input: inputOf(first), options: optionsOf(first), threadId: thread },
    ]);
  }
  return [await (await engine.threads.get(thread)).start({ name: agent }, inputOf(first), optionsOf(first))];
}

async function inspect(engine: Engine, threadId: string, runId: string): Promise<AnswerValue> {
  const run = await engine.runs.get(runId);
  await run.info();
  await run.values();
  await engine.runs.list({ threadId });
  const thread = await engine.threads.get(threadId);
  await thread.info();
  await thread.queue();
  const [newest, before] = await thread.history({ limit: 3 });
  if (newest !== undefined) await thread.valuesAt((before ?? newest).id);
  return done;
}

function inputOf({ n, script }: StartPlan): object {
  return { n, script };
}

function optionsOf(start: StartPlan): AnyStartOptions {
  const { delay, key, priority, deadline, attemptTimeout, maxFailures, maxCrashes, thread } = start;
  return {
    priority,
    retry: { maxFailures, maxCrashes, delay: 100, factor: 2, jitter: "full" },
    ...(delay > 0 && { delay }),
    ...(key !== null && { idempotencyKey: key }),
    ...(deadline !== null && { deadline }),
    ...(attemptTimeout !== null && { attemptTimeout }),
    ...(start.ephemeral && { onCompletion: "delete" as const }),
    ...(thread !== null && {
      whenBusy: start.whenBusy,
      ifNotExists: start.createThread ? ("create" as const) : ("reject" as const),
    }),
  };
}

function startCommand(start: StartPlan): StartCommand {
  const { n, agent, thread, whenBusy, createThread, delay, key, maxFailures, maxCrashes, ephemeral } = start;
  return { n, agent, threadId: thread, whenBusy, createThread, delay, key, maxFailures, maxCrashes, ephemeral };
}

export function seenOutcome(outcome: RunOutcome): SeenOutcome {
  switch (outcome.status) {
    case "succeeded": {
      const token = fieldOf(outcome.output, "token");
      return { status: outcome.status, token: typeof token === "string" ? token : null, reason: null, by: null };
    }
    case "failed":
      return { status: outcome.status, token: null, reason: outcome.error.code, by: null };
    case "canceled":
      return { status: outcome.status, token: null, reason: outcome.reason.kind, by: outcome.reason.by ?? null };
    case "interrupted":
      return { status: outcome.status, token: null, reason: null, by: null };
  }
}

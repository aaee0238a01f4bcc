/**
 * Agents that do what their input says, and write down all that they do and see. Each write carries a token of its own
 * (see `history.ts`), in its payload and in the values.
 */

import type { Agent, AgentContext } from "../../engine/agent.js";
import { defineAgent } from "../../engine/agent.js";
import { HeddleError } from "../../errors.js";
import type { Json, JsonObject } from "../../model/json.js";
import { AttemptEnded } from "../../ports/executor.js";
import type { AttemptEntry, SeenValues } from "./history.js";
import type { Place } from "./place.js";
import type { AttemptScript, Op } from "./script.js";

/** The input of a run. */
export interface ScriptedInput {
  readonly n: number;
  readonly script: readonly AttemptScript[];
}

export interface Observer {
  note(entry: AttemptEntry): void;
  /** The attempt hangs until its signal aborts. Returns what ends the notice. */
  hangs(runId: string): () => void;
  /** Take the process along. */
  crash(): void;
  /** Agent code runs. Returns what says that it has returned. */
  runs(): () => void;
}

type Context = AgentContext<Json, JsonObject, Json>;

export function scriptedAgent(name: string, process: Place, observer: Observer): Agent {
  const run = (context: Context): Promise<{ output: Json; values?: JsonObject }> =>
    new ScriptedAttempt(context, process, observer).run();
  return defineAgent({ name, run }) as unknown as Agent;
}

class ScriptedAttempt {
  readonly #context: Context;
  readonly #process: Place;
  readonly #observer: Observer;
  readonly #name: { readonly runId: string; readonly attempt: number };
  readonly #input: ScriptedInput;
  readonly #script: AttemptScript | undefined;
  #values: SeenValues;
  /** Keys of this attempt. */
  readonly #used = new Set<string>();
  readonly #steps: Promise<void>[] = [];
  #written = 0;
  #emitted = 0;
  #checkpoints: Promise<unknown> = Promise.resolve();

  constructor(context: Context, process: Place, observer: Observer) {
    this.#context = context;
    this.#process = process;
    this.#observer = observer;
    this.#name = { runId: context.runId, attempt: context.attempt };
    this.#input = context.input as unknown as ScriptedInput;
    this.#values = seenValues(context.values);
    const { script } = this.#input;
    this.#script = script[Math.min(context.attempt, script.length) - 1];
  }

  async run(): Promise<{ output: Json; values?: JsonObject }> {
    const returned = this.#observer.runs();
    this.#started();
    try {
      const result = await this.#play();
      this.#note({ type: "attempt_ended", how: "returned", token: result.values === undefined ? null : result.token });
      return { output: { token: result.token }, ...(result.values && { values: result.values }) };
    } catch (error) {
      this.#note({ type: "attempt_ended", how: "threw", token: null });
      throw error;
    } finally {
      returned();
    }
  }

  #started(): void {
    const { threadId = null, signal, resumed } = this.#context;
    const { n } = this.#input;
    const worker = this.#process.name;
    this.#note({ type: "attempt_started", worker, n, threadId, resumed, values: this.#values });
    const aborted = (): void => this.#note({ type: "aborted", code: codeOf(signal.reason) });
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true });
  }

  async #play(): Promise<{ token: string; values?: JsonObject }> {
    const mine = this.#script;
    for (const op of mine?.ops ?? []) await this.#do(op);
    // What a checkpoint that was not awaited has written is known now: the next values go on from it.
    await this.#checkpoints;
    await Promise.all(this.#steps);
    if (mine?.end === "throw") throw new Error("as the script says");
    const token = this.#token("f");
    if (mine?.end === "return_nothing") return { token };
    return { token, values: withToken(this.#values, token) };
  }

  async #do(op: Op): Promise<void> {
    const { signal } = this.#context;
    switch (op.do) {
      case "sleep":
        return orAbort(this.#process.sleep(op.ms), signal);
      case "ignore":
        return this.#process.sleep(op.ms);
      case "hang":
        return this.#hang();
      case "crash":
        this.#observer.crash();
        return new Promise(() => {});
      case "emit":
        return this.#emit(op);
      case "delta":
        for (let count = 0; count < op.count; count++) this.#delta();
        return;
      case "checkpoint":
        return this.#checkpoint(op.awaited);
      case "take":
        return this.#take();
      case "listen":
        return this.#listen();
      case "ask":
        return this.#heeded(this.#askAll(op.keys));
      case "step":
        return this.#step(op);
      case "lasting_sleep":
        return this.#heeded(this.#lastingSleep(op));
    }
  }

  async #take(): Promise<void> {
    const messages = await this.#context.takeSteered();
    this.#note({ type: "took", runIds: messages.map(({ runId }) => runId), all: true });
  }

  /** Where none comes, until its signal aborts. */
  async #listen(): Promise<void> {
    const ends = this.#observer.hangs(this.#name.runId);
    const { done, value } = await this.#context.steered().next().finally(ends);
    if (done !== true) this.#note({ type: "took", runIds: [value.runId], all: false });
  }

  async #hang(): Promise<void> {
    const ends = this.#observer.hangs(this.#name.runId);
    await orAbort(new Promise<void>(() => {}), this.#context.signal).finally(ends);
  }

  async #emit({ awaited, key }: Extract<Op, { do: "emit" }>): Promise<void> {
    const token = this.#token(`e${++this.#emitted}`);
    this.#note({ type: "sent", what: "event", token, key });
    const emitted = this.#watch(token, this.#context.emit("note", { token }, key === null ? {} : { key }));
    if (awaited) await this.#heeded(emitted);
  }

  async #askAll(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map((key) => this.#ask(key)));
  }

  /** Once in an attempt: a key that is used twice is refused. */
  async #ask(key: string): Promise<void> {
    if (this.#isUsed(`question ${key}`)) return;
    try {
      const token = (await this.#context.interrupt(key, { n: this.#input.n })) as string;
      this.#note({ type: "answered", key, token });
    } catch (error) {
      if (error instanceof AttemptEnded) this.#note({ type: "asked", key });
      throw error;
    }
  }

  async #step(op: Extract<Op, { do: "step" }>): Promise<void> {
    if (this.#isUsed(`step ${op.key}`)) return;
    const done = this.#heeded(this.#doStep(op));
    done.catch(() => {});
    if (op.awaited) await done;
    else this.#steps.push(done);
  }

  async #doStep({ key, ms, fails }: Extract<Op, { do: "step" }>): Promise<void> {
    const token = this.#token(`s-${key}`);
    const stored = await this.#context.step(key, async () => {
      this.#note({ type: "step", phase: "began", key, token });
      await this.#process.sleep(ms);
      if (fails && this.#context.attempt === 1) throw new Error("as the script says");
      this.#note({ type: "step", phase: "worked", key, token });
      return token;
    });
    this.#note({ type: "step", phase: "stored", key, token: stored });
  }

  async #lastingSleep({ key, ms }: Extract<Op, { do: "lasting_sleep" }>): Promise<void> {
    if (this.#isUsed(`sleep ${key}`)) return;
    this.#note({ type: "slept", phase: "began", key, ms });
    await this.#context.sleep(ms, { key });
    this.#note({ type: "slept", phase: "over", key, ms });
  }

  #isUsed(key: string): boolean {
    if (this.#used.has(key)) return true;
    this.#used.add(key);
    return false;
  }

  #delta(): void {
    const token = this.#token(`d${++this.#emitted}`);
    this.#note({ type: "sent", what: "delta", token, key: null });
    this.#context.delta("tick", { token });
  }

  /** One after the other, each on top of the one before. */
  async #checkpoint(awaited: boolean): Promise<void> {
    await this.#checkpoints;
    const token = this.#token(`m${++this.#written}`);
    this.#note({ type: "sent", what: "checkpoint", token, key: null });
    const written = this.#context.checkpoint(withToken(this.#values, token)).then((values) => {
      this.#values = seenValues(values);
    });
    const watched = this.#watch(token, written);
    this.#checkpoints = this.#heeded(watched);
    if (awaited) await this.#checkpoints;
  }

  /** A careless agent does not look at what came of its writes. */
  #heeded(watched: Promise<void>): Promise<void> {
    if (!this.#script?.careless) return watched;
    return watched.catch(() => {});
  }

  #watch(token: string, written: Promise<unknown>): Promise<void> {
    const watched = written.then(
      () => this.#note({ type: "acknowledged", token }),
      (error: unknown) => {
        this.#note({ type: "not_written", token, code: codeOf(error) });
        throw error;
      },
    );
    watched.catch(() => {});
    return watched;
  }

  #token(what: string): string {
    const { attempt, resumed, runId } = this.#context;
    return `${this.#input.n}:${what}@${attempt}${resumed ? `~${runId}` : ""}`;
  }

  #note(entry: DistributiveOmit<AttemptEntry, "runId" | "attempt">): void {
    this.#observer.note({ ...this.#name, ...entry });
  }
}

type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never;

function withToken(values: SeenValues, token: string): { log: string[]; count: number } {
  return { log: [...values.log, token], count: values.count + 1 };
}

export function seenValues(values: unknown): SeenValues {
  const { log, count } = values as Partial<SeenValues>;
  return { log: log ?? [], count: count ?? 0 };
}

export function codeOf(error: unknown): string {
  if (HeddleError.is(error)) return error.code;
  if (error instanceof AttemptEnded) return error.name;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** Resolves with `work`, or rejects with the signal's reason. */
function orAbort(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** One attempt, seen from the agent's side. */

import type { Channel, EngineFrame } from "./channel.js";
import type { AgentContext, AgentFunction, Child, SteeredMessage, StepContext, StepOptions } from "./context.js";
import { EngineError } from "./context.js";
import { tryOften } from "./run-step.js";
import { deepFreeze, patchOf } from "./values.js";

type Keys = Readonly<Record<string, unknown>>;
type Remembered = { readonly done: boolean; readonly value?: unknown };
type Answer = { resolve(value: unknown): void; reject(error: EngineError): void };

export class RunningAttempt {
  readonly #channel: Channel;
  readonly #start: EngineFrame;
  readonly #abort = new AbortController();
  readonly #waiting = new Map<number, Answer>();
  #questions = 0;
  #values: Keys;

  constructor(channel: Channel, start: EngineFrame) {
    this.#channel = channel;
    this.#start = start;
    this.#values = deepFreeze(start["values"]) as Keys;
  }

  /** Says one last word. Never rejects. */
  async run(agent: AgentFunction): Promise<void> {
    try {
      const result = (await agent(this.#context())) ?? {};
      const patch = result.values === undefined ? {} : { patch: patchOf(this.#values, result.values) };
      this.#channel.send({ type: "result", output: result.output, ...patch });
    } catch (error) {
      this.#channel.send({ type: "error", ...errorFields(error) });
    }
  }

  take(frame: EngineFrame): void {
    if (frame.type === "cancel") this.#abort.abort(new EngineError(frame["reason"] as EngineError));
    if (frame.type === "reply") this.#answer(frame);
  }

  #context(): AgentContext {
    const start = this.#start as unknown as AgentContext & {
      readonly threadId: string | null;
      artifacts: string | null;
    };
    return {
      input: start.input,
      values: this.#values,
      config: start.config ?? undefined,
      metadata: start.metadata,
      runId: start.runId,
      threadId: start.threadId ?? undefined,
      lineageId: start.lineageId,
      attempt: start.attempt,
      resumed: start.resumed,
      secrets: start.secrets,
      artifacts: start.artifacts ?? undefined,
      signal: this.#abort.signal,
      emit: async (type, payload, options) => {
        await this.#ask({ type: "event", event: type, payload, ...options });
      },
      delta: (type, payload, options) => this.#channel.send({ type: "delta", delta: type, payload, ...options }),
      log: (level, message, data) => this.#channel.send({ type: "log", level, message, data }),
      checkpoint: async (values) => {
        const patch = patchOf(this.#values, values);
        this.#values = deepFreeze(await this.#ask({ type: "checkpoint", patch })) as Keys;
        return this.#values;
      },
      step: async <Result>(key: string, work: (step: StepContext) => Promise<Result> | Result, options?: StepOptions) =>
        (await this.#step(key, work, options)) as Result,
      interrupt: (key, payload, options) => this.#ask({ type: "ask", key, payload, ...options }),
      sleep: async (after, options) => void (await this.#ask({ type: "sleep", after, ...options })),
      sleepUntil: async (date, options) => void (await this.#ask({ type: "sleep", at: Number(date), ...options })),
      steered: () => this.#steered(),
      takeSteered: async () => (await this.#ask({ type: "take_steered" })) as SteeredMessage[],
      start: async (key, { name: agent }, input, options) => {
        const { runId } = (await this.#ask({ type: "start_child", key, agent, input, options })) as Child;
        return { runId, result: () => this.#ask({ type: "child_result", key }) };
      },
    };
  }

  async #step(key: string, work: (step: StepContext) => unknown, options: StepOptions = {}): Promise<unknown> {
    const known = (await this.#ask({ type: "begin_step", key })) as Remembered;
    if (known.done) return known.value;
    let result: unknown;
    try {
      result = await tryOften(key, work, options, this.#abort.signal);
    } catch (error) {
      this.#channel.send({ type: "fail_step", key });
      throw error;
    }
    return ((await this.#ask({ type: "end_step", key, value: result })) as Remembered).value;
  }

  async *#steered(): AsyncGenerator<SteeredMessage, void, undefined> {
    for (;;) {
      const message = (await this.#ask({ type: "next_steered" })) as SteeredMessage | null;
      if (message === null) return;
      yield message;
    }
  }

  #ask(frame: object): Promise<unknown> {
    const id = ++this.#questions;
    const answered = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    // An agent need not wait for its answers.
    answered.catch(() => {});
    this.#channel.send({ ...frame, id });
    return answered;
  }

  #answer({ id, value, error }: EngineFrame): void {
    const answer = this.#waiting.get(id as number);
    this.#waiting.delete(id as number);
    if (error === undefined) answer?.resolve(value);
    else answer?.reject(new EngineError(error as EngineError));
  }
}

function errorFields(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack, code } = error as Error & { readonly code?: unknown };
  return { name, message, stack, ...(typeof code === "string" ? { code } : {}) };
}

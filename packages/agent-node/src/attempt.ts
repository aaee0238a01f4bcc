/** One attempt, seen from the agent's side. */

import type { Channel, EngineFrame } from "./channel.js";
import type { AgentContext, AgentFunction } from "./context.js";
import { EngineError } from "./context.js";
import { deepFreeze, patchOf } from "./values.js";

type Keys = Readonly<Record<string, unknown>>;
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
    };
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

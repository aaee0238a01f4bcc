/**
 * The agents that the executor suite runs. An executor of another process loads this module there, by name; so they use
 * nothing but their context.
 */

import type { JsonObject } from "../../model/json.js";
import type { StepContext, StepOptions } from "../../ports/agent-calls.js";
import type { AttemptSession, SteeredMessage } from "../../ports/executor.js";

/** What every executor gives an agent's function. */
export interface AgentContext extends Pick<AttemptSession, "emit" | "delta" | "checkpoint"> {
  readonly input: unknown;
  readonly config: unknown;
  readonly values: JsonObject;
  readonly metadata: JsonObject;
  readonly runId: string;
  readonly threadId: string | undefined;
  readonly attempt: number;
  readonly resumed: boolean;
  readonly signal: AbortSignal;
  step(key: string, work: (step: StepContext) => unknown, options?: StepOptions): Promise<unknown>;
  interrupt(key: string, payload: unknown): Promise<unknown>;
  sleep(duration: number): Promise<void>;
  start(key: string, agent: { readonly name: string }, input: unknown, options?: object): Promise<Child>;
  steered(): AsyncIterableIterator<SteeredMessage>;
  takeSteered(): Promise<readonly SteeredMessage[]>;
}

interface Child {
  readonly runId: string;
  result(): Promise<unknown>;
}

export type ConformanceAgent = (context: AgentContext) => unknown;

class AgentMistake extends Error {
  override readonly name = "AgentMistake";
}

export const executorAgents = {
  echo: ({ input, config, values, metadata, runId, threadId, attempt }) => ({
    output: { input, config: config ?? null, values, metadata, runId, threadId: threadId ?? null, attempt },
  }),

  nothing: () => undefined,

  change: ({ values }) => ({ output: null, values: { changed: { by: "agent" }, kept: values.kept } }),

  talk: async ({ emit, delta }) => {
    await emit("first", { n: 1 });
    delta("token", "a", { messageId: "m1" });
    delta("token", { text: "b\u0000\ud800😀" });
    await emit("second", null, { key: "once" });
    return { output: "said" };
  },

  hurry: async ({ emit }) => {
    await Promise.all([1, 2, 3, 4, 5].map((n) => emit("step", n)));
    return { output: "done" };
  },

  checkpoint: async ({ checkpoint }) => {
    const first = await checkpoint({ step: 1 });
    const second = await checkpoint({ step: 2, more: [true] });
    return { output: { first, second } };
  },

  fail: () => {
    throw new AgentMistake("boom ä😀");
  },

  failWithText: async () => {
    throw "only text";
  },

  refused: async ({ emit, checkpoint }) => {
    const codeOf = (error: unknown) => (error as { readonly code?: unknown }).code ?? String(error);
    return { output: [await emit("late", 1).catch(codeOf), await checkpoint({ late: true }).catch(codeOf)] };
  },

  wait: ({ signal, emit }) =>
    new Promise((_resolve, reject) => {
      const stop = (): void => reject(signal.reason);
      if (signal.aborted) return stop();
      signal.addEventListener("abort", stop, { once: true });
      void emit("waiting", null);
    }),

  steps: async ({ step, resumed }) => {
    const known = await step("known", () => "done again");
    const made = await step("made", () => ({ n: 1, list: ["ä😀"] }));
    const nothing = await step("nothing", () => undefined);
    const tried = await step("tried", ({ tries }) => (tries < 3 ? Promise.reject(new AgentMistake("again")) : tries), {
      retry: { maxFailures: 3, delay: 0 },
    });
    const failed = await step("failed", () => Promise.reject(new AgentMistake("for good"))).catch(String);
    return { output: { known, made, nothing: nothing ?? "nothing", tried, failed, resumed } };
  },

  slowStep: async ({ step }) => {
    const codeOf = (error: unknown) => (error as { readonly code?: unknown }).code ?? String(error);
    const never = ({ signal }: StepContext) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    return { output: await step("slow", never, { timeout: 20 }).catch(codeOf) };
  },

  ask: async ({ interrupt, emit }) => {
    const size = await interrupt("size", { text: "Which size?" });
    try {
      await Promise.all([interrupt("colour", "Which?"), interrupt("shape", null)]);
    } catch {
      await emit("went_on", null);
    }
    return { output: size };
  },

  listen: async ({ steered, takeSteered }) => {
    const plain = ({ runId, input, metadata }: SteeredMessage) => ({ runId, input, metadata });
    let first: object | undefined;
    for await (const message of steered()) {
      first = plain(message);
      break;
    }
    const others = (await takeSteered()).map(plain);
    for await (const message of steered()) others.push(plain(message));
    return { output: { first, others, last: "the end" } };
  },

  parent: async ({ start }) => {
    const child = await start("first", { name: "other" }, { n: 1 }, { priority: 2 });
    return { output: { runId: child.runId, result: await child.result() } };
  },

  nap: async ({ sleep, emit }) => {
    await sleep(20);
    await emit("awake", null);
    return { output: "slept" };
  },

  mutate: ({ values }) => {
    try {
      (values as { deep: { list: number[] } }).deep.list.push(9);
    } catch {
      return { output: "refused" };
    }
    return { output: "allowed" };
  },
} as const satisfies Readonly<Record<string, ConformanceAgent>>;

export type ExecutorAgentName = keyof typeof executorAgents;

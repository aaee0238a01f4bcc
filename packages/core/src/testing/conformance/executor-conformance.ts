/** What every executor must pass. As the storage suite: data, and no test framework. */

import assert from "node:assert/strict";
import { HeddleError } from "../../errors.js";
import { deepFreeze, type Json, type JsonObject } from "../../model/json.js";
import type { ChildOptions, ChildRef } from "../../ports/agent-calls.js";
import type {
  AskOptions,
  Attempt,
  AttemptResult,
  AttemptSession,
  Executor,
  Remembered,
  SteeredMessage,
  Wake,
} from "../../ports/executor.js";
import { AttemptEnded } from "../../ports/executor.js";
import { systemClock } from "../../runtime/system-clock.js";
import { systemRandom } from "../../runtime/system-random.js";
import type { ExecutorAgentName } from "./executor-agents.js";

export interface ExecutorFixture {
  readonly executor: Executor;
  /** The agent of that name in `executorAgents`, as this executor wants it registered. */
  agentOf(name: ExecutorAgentName): Attempt["agent"];
}

export interface ExecutorCase {
  readonly group: "executor" | "executor steps" | "executor children" | "executor steering";
  readonly name: string;
  run(fixture: ExecutorFixture): Promise<void>;
}

const bodies: Readonly<Record<string, (fixture: ExecutorFixture) => Promise<void>>> = {
  async "the agent gets what the attempt says"(fixture) {
    const given = { input: { q: ["ä", null, 1.5] }, config: { model: "m" }, metadata: { user: "u1" }, attempt: 3 };
    const { output } = await execute(fixture, "echo", given);
    assert.deepEqual(output, { ...given, values, runId: "run", threadId: "thr" });
    const stateless = await execute(fixture, "echo", { threadId: null });
    assert.equal((stateless.output as { threadId: unknown }).threadId, null);
  },

  async "an agent that returns nothing answers with neither output nor values"(fixture) {
    const { output, values } = await execute(fixture, "nothing");
    assert.deepEqual([output ?? null, values], [null, undefined]);
  },

  async "returned values come back; with shared memory what is unchanged keeps its identity"(fixture) {
    const result = await execute(fixture, "change");
    // What did not change need not come back.
    assert.deepEqual({ kept: values.kept, ...result.values }, { changed: { by: "agent" }, kept: values.kept });
    if (fixture.executor.sharesMemory) assert.equal(result.values?.kept, values.kept);
  },

  async "events and deltas reach the session in the order they were sent"(fixture) {
    const session = new RecordingSession();
    assert.equal((await execute(fixture, "talk", {}, session)).output, "said");
    assert.deepEqual(session.calls, [
      ["emit", "first", { n: 1 }, undefined],
      ["delta", "token", "a", { messageId: "m1" }],
      ["delta", "token", { text: "b\u0000\ud800😀" }, undefined],
      ["emit", "second", null, { key: "once" }],
    ]);
  },

  async "what is sent at once arrives in order, each once"(fixture) {
    const session = new RecordingSession();
    await execute(fixture, "hurry", {}, session);
    assert.deepEqual(
      session.calls.map(([, , payload]) => payload),
      [1, 2, 3, 4, 5],
    );
  },

  async "an emit is over when the session says so, not before"(fixture) {
    const session = new RecordingSession();
    let release = (): void => {};
    session.gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const execution = execute(fixture, "talk", {}, session);
    await until(() => session.calls.length > 0);
    await turns(5);
    assert.equal(session.calls.length, 1);
    release();
    await execution;
    assert.equal(session.calls.length, 4);
  },

  async "a checkpoint answers with the values that the session says are now true"(fixture) {
    const { output } = await execute(fixture, "checkpoint");
    assert.deepEqual(output, { first: { ...values, step: 1 }, second: { ...values, step: 2, more: [true] } });
  },

  async "what the agent throws is what execute rejects with"(fixture) {
    const error = await rejection(execute(fixture, "fail"));
    assert.ok(error instanceof Error);
    assert.deepEqual([error.name, error.message], ["AgentMistake", "boom ä😀"]);
    assert.match(String(await rejection(execute(fixture, "failWithText"))), /only text/);
  },

  async "a refused call tells the agent its code"(fixture) {
    const session = new RecordingSession();
    session.gate = Promise.reject(new HeddleError("LEASE_LOST", "too late"));
    session.gate.catch(() => {});
    const { output } = await execute(fixture, "refused", {}, session);
    assert.deepEqual(output, ["LEASE_LOST", "LEASE_LOST"]);
  },

  async "an aborted signal reaches the agent with its reason, and the attempt ends"(fixture) {
    const abort = new AbortController();
    const session = new RecordingSession();
    const execution = rejection(execute(fixture, "wait", { signal: abort.signal }, session));
    await until(() => session.calls.length > 0);
    abort.abort(new HeddleError("RUN_CANCELED", "enough"));
    assert.equal(((await execution) as { readonly code?: unknown }).code, "RUN_CANCELED");
  },

  async "a signal that aborted before the start ends the attempt too"(fixture) {
    const signal = AbortSignal.abort(new HeddleError("RUN_CANCELED", "enough"));
    assert.notEqual(await rejection(execute(fixture, "wait", { signal })), undefined);
  },

  async "attempts that run at once do not mix"(fixture) {
    const inputs = Array.from({ length: 10 }, (_, index) => index);
    const results = await Promise.all(inputs.map((input) => execute(fixture, "echo", { input, runId: `run${input}` })));
    const seen = results.map(({ output }) => output as { input: number; runId: string });
    assert.deepEqual(
      seen.map(({ input, runId }) => [input, runId]),
      inputs.map((input) => [input, `run${input}`]),
    );
  },

  async "values that were handed out cannot be changed through the agent's hands"(fixture) {
    const before = structuredClone(values);
    const { output } = await execute(fixture, "mutate");
    assert.deepEqual(values, before);
    if (fixture.executor.sharesMemory) assert.equal(output, "refused");
  },
};

const stepBodies: typeof bodies = {
  async "a step is done once: what is remembered comes back, what is new is told, a failure is not kept"(fixture) {
    const session = new RecordingSession({ known: "from before" });
    const { output } = await execute(fixture, "steps", { resumed: true }, session);
    assert.deepEqual(output, {
      known: "from before",
      made: { n: 1, list: ["ä😀"] },
      nothing: "nothing",
      tried: 3,
      failed: "AgentMistake: for good",
      resumed: true,
    });
    assert.deepEqual(session.calls, [
      ["beginStep", "known", undefined, undefined],
      ["beginStep", "made", undefined, undefined],
      ["endStep", "made", { n: 1, list: ["ä😀"] }, undefined],
      ["beginStep", "nothing", undefined, undefined],
      ["endStep", "nothing", undefined, undefined],
      ["beginStep", "tried", undefined, undefined],
      ["endStep", "tried", 3, undefined],
      ["beginStep", "failed", undefined, undefined],
      ["failStep", "failed", undefined, undefined],
    ]);
  },

  async "a step that takes too long fails with its code"(fixture) {
    assert.equal((await execute(fixture, "slowStep")).output, "STEP_TIMEOUT");
  },

  async "an answer comes back; questions that are asked at once all arrive; the attempt does not go on behind them"(
    fixture,
  ) {
    const session = new RecordingSession({}, { size: { pick: "L" } });
    // Whatever the code makes of it does not count: some end, some throw.
    await execute(fixture, "ask", {}, session).catch(() => {});
    assert.deepEqual(session.calls.slice(0, 3), [
      ["ask", "size", { text: "Which size?" }, undefined],
      ["ask", "colour", "Which?", undefined],
      ["ask", "shape", null, undefined],
    ]);
    assert.ok(!session.hasEmitted, "an event after the question");
  },

  async "a sleep is over when the session says so"(fixture) {
    const session = new RecordingSession();
    assert.equal((await execute(fixture, "nap", {}, session)).output, "slept");
    assert.deepEqual(
      session.calls.map(([method, what]) => [method, what]),
      [
        ["sleep", { after: 20 }],
        ["emit", "awake"],
      ],
    );
  },
};

const childBodies: typeof bodies = {
  async "a child is started, and what came of it comes back"(fixture) {
    const session = new RecordingSession();
    const { output } = await execute(fixture, "parent", {}, session);
    assert.deepEqual(output, { runId: "run of first", result: { by: "first" } });
    assert.deepEqual(session.calls, [
      ["startChild", "first", ["other", { n: 1 }], { priority: 2 }],
      ["childResult", "first", undefined, undefined],
    ]);
  },
};

const steerBodies: typeof bodies = {
  async "messages are taken one by one or all at once, in order, until there are no more"(fixture) {
    const messages = ["a", { n: 2 }, null, "d😀"].map((input, n) => {
      return { runId: `run ${n}`, input, inputJson: input, metadata: { n } };
    });
    const session = new RecordingSession({}, {}, [...messages]);
    const { output } = await execute(fixture, "listen", {}, session);
    const seen = messages.map(({ runId, input, metadata }) => ({ runId, input, metadata }));
    assert.deepEqual(output, { first: seen[0], others: seen.slice(1), last: "the end" });
  },
};

const casesOf = (group: ExecutorCase["group"], cases: typeof bodies): readonly ExecutorCase[] =>
  Object.entries(cases).map(([name, run]) => ({ group, name, run }));

export const executorConformance = [
  ...casesOf("executor", bodies),
  ...casesOf("executor steps", stepBodies),
  ...casesOf("executor children", childBodies),
  ...casesOf("executor steering", steerBodies),
];

const values: JsonObject & { readonly kept: JsonObject } = deepFreeze({ kept: { a: [1, 2] }, deep: { list: [1] } });

function execute(
  { executor, agentOf }: ExecutorFixture,
  name: ExecutorAgentName,
  given: Partial<Attempt> = {},
  session: AttemptSession = new RecordingSession(),
): Promise<AttemptResult> {
  const { input = null } = given;
  const attempt: Attempt = {
    runId: "run",
    threadId: "thr",
    lineageId: "run",
    agent: agentOf(name),
    attempt: 1,
    resumed: false,
    input,
    inputJson: input as Attempt["inputJson"],
    config: undefined,
    metadata: {},
    values,
    signal: new AbortController().signal,
    fence: new AbortController().signal,
    clock: systemClock,
    random: systemRandom,
    ...given,
  };
  return executor.execute(attempt, session);
}

/** Writes down what is called, and answers once its gate is open. */
class RecordingSession implements AttemptSession {
  readonly calls: (readonly [method: string, what: unknown, payload: unknown, options: unknown])[] = [];
  gate: Promise<void> = Promise.resolve();
  #values: JsonObject = values;
  #ended: AttemptEnded | undefined;

  constructor(
    readonly steps: JsonObject = {},
    readonly answers: JsonObject = {},
    readonly steered: SteeredMessage[] = [],
  ) {}

  get hasEmitted(): boolean {
    return this.calls.some(([method]) => method === "emit");
  }

  async emit(type: string, payload: unknown, options?: { readonly key?: string }): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    this.calls.push(["emit", type, payload, options]);
    await this.gate;
  }

  delta(type: string, payload: unknown, options?: { readonly messageId?: string }): void {
    this.calls.push(["delta", type, payload, options]);
  }

  async checkpoint(update: Readonly<Record<string, unknown>>): Promise<JsonObject> {
    await this.gate;
    this.#values = { ...this.#values, ...(update as JsonObject) };
    return this.#values;
  }

  async beginStep(key: string): Promise<Remembered | undefined> {
    this.calls.push(["beginStep", key, undefined, undefined]);
    return Object.hasOwn(this.steps, key) ? { value: this.steps[key] as Json } : undefined;
  }

  async endStep(key: string, result: unknown): Promise<Remembered> {
    this.calls.push(["endStep", key, result, undefined]);
    return result === undefined ? {} : { value: result as Json };
  }

  failStep(key: string): void {
    this.calls.push(["failStep", key, undefined, undefined]);
  }

  async ask(key: string, payload: unknown, { schema, expiresIn }: AskOptions = {}): Promise<Json> {
    this.calls.push(["ask", key, payload, schema ?? expiresIn]);
    if (Object.hasOwn(this.answers, key)) return this.answers[key] as Json;
    this.#ended ??= new AttemptEnded();
    throw this.#ended;
  }

  async startChild(key: string, agent: string, input: unknown, options?: ChildOptions): Promise<ChildRef> {
    this.calls.push(["startChild", key, [agent, input], options]);
    return { runId: `run of ${key}` };
  }

  async childResult(key: string): Promise<Json> {
    this.calls.push(["childResult", key, undefined, undefined]);
    return { by: key };
  }

  async sleep(until: Wake): Promise<void> {
    this.calls.push(["sleep", until, undefined, undefined]);
    await this.gate;
  }

  async takeSteered(): Promise<readonly SteeredMessage[]> {
    return this.steered.splice(0);
  }

  async nextSteered(): Promise<SteeredMessage | undefined> {
    return this.steered.shift();
  }
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: "expected a rejection" });
}

/** Real time: an agent may live in another process. */
async function until(holds: () => boolean): Promise<void> {
  for (let round = 0; round < 2_000 && !holds(); round++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(holds(), "waited in vain");
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

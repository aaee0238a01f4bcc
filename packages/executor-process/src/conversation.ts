/**
 * One attempt, as a conversation in frames with the program that runs it.
 *
 * The agent speaks until it has said `result` or `error`, its last word. Then its input is closed, which tells it to go,
 * and it must say no more. Frames are taken in the order in which they come; an answer to one never holds up the next,
 * unless too many wait.
 */

import type {
  AskOptions,
  Attempt,
  AttemptResult,
  AttemptSession,
  ChildOptions,
  ChildRef,
  Json,
  JsonObject,
  Remembered,
  SteeredMessage,
  Wake,
} from "@heddle/core";
import { AttemptEnded, HeddleError } from "@heddle/core";
import type { AgentProgram } from "./agent-program.js";
import type { ArtifactSource } from "./artifacts.js";
import { announceArtifacts, checkName } from "./artifacts.js";
import type { ProgramLimits } from "./limits.js";
import { exitDelay } from "./limits.js";
import { LogTail } from "./log-tail.js";
import { AgentError, exitError, protocolError } from "./program-errors.js";
import { applyChange } from "./protocol/apply-change.js";
import type { AgentFrame, EngineFrame, ErrorFields } from "./protocol/frames.js";
import { ProtocolViolation, parseAgentFrame, protocolVersion } from "./protocol/frames.js";
import { LineReader } from "./protocol/line-reader.js";
import { Redactor, type Secrets } from "./secrets.js";
import { supervise } from "./supervise.js";

export interface ConversationOptions {
  readonly limits: ProgramLimits;
  readonly secrets: Secrets;
  /** The folder as the program sees it, and how its files are read at the end. */
  readonly artifacts?: { readonly path: string; readonly files: ArtifactSource } | undefined;
}

/** Questions that wait for the engine's answer before the next frame is read. */
const mostWaiting = 100;

/** Rejects with what the agent threw, or a HeddleError that says what became of the program. */
export async function converse(
  program: AgentProgram,
  attempt: Attempt,
  session: AttemptSession,
  options: ConversationOptions,
): Promise<AttemptResult> {
  return new Conversation(program, attempt, session, options).run();
}

type FrameOf<Type extends AgentFrame["type"]> = Extract<AgentFrame, { type: Type }>;
type LastWord = { readonly result: AttemptResult } | { readonly error: unknown };

class Conversation {
  readonly #program: AgentProgram;
  readonly #attempt: Attempt;
  readonly #session: AttemptSession;
  readonly #options: ConversationOptions;
  readonly #redactor: Redactor;
  readonly #log: LogTail;
  readonly #lines: LineReader;
  readonly #waiting = new Set<Promise<void>>();
  /** What the agent was told, by code: it may end with the very error. */
  readonly #told = new Map<string, unknown>();
  /** As the agent knows them. */
  #values: JsonObject;
  #lastWord: LastWord | undefined;
  #failure: { readonly error: unknown } | undefined;
  #exitTimer: NodeJS.Timeout | undefined;

  constructor(program: AgentProgram, attempt: Attempt, session: AttemptSession, options: ConversationOptions) {
    this.#program = program;
    this.#attempt = attempt;
    this.#session = session;
    this.#options = options;
    this.#redactor = new Redactor(options.secrets);
    this.#log = logTail(session, this.#redactor);
    this.#lines = new LineReader(options.limits.frame);
    this.#values = attempt.values;
    // A program that does not read, or is gone: its end says so.
    program.input.on("error", () => {});
  }

  async run(): Promise<AttemptResult> {
    this.#send(startFrame(this.#attempt, this.#options));
    try {
      return await this.#untilTheEnd();
    } catch (error) {
      if (this.#attempt.signal.aborted) throw this.#attempt.signal.reason;
      if (error instanceof ProtocolViolation) throw protocolError(this.#redactor.violation(error), this.#log.lines);
      throw error;
    } finally {
      clearTimeout(this.#exitTimer);
    }
  }

  async #untilTheEnd(): Promise<AttemptResult> {
    const exit = await supervise({
      program: this.#program,
      attempt: this.#attempt,
      limits: this.#options.limits,
      log: this.#log,
      take: (chunk) => this.#take(chunk),
      cancel: () => this.#send({ type: "cancel", reason: errorFields(this.#attempt.signal.reason) }),
    });
    this.#takeUnfinishedLine();
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#lastWord === undefined) throw exitError(exit, this.#log.lines);
    if ("error" in this.#lastWord) throw this.#lastWord.error;
    return this.#lastWord.result;
  }

  async #take(chunk: Uint8Array): Promise<void> {
    for (const line of this.#lines.read(chunk)) {
      this.#takeFrame(this.#redactor.json(parseAgentFrame(line)));
      while (this.#waiting.size >= mostWaiting) await Promise.race(this.#waiting);
      await this.#untilRead();
    }
  }

  /** A program that died in the middle of a line said nothing; one that had ended must have been silent. */
  #takeUnfinishedLine(): void {
    const rest = this.#lines.rest();
    if (rest !== "" && this.#lastWord !== undefined) throw new ProtocolViolation("it spoke after its last word", rest);
  }

  #takeFrame(frame: AgentFrame): void {
    if (this.#lastWord !== undefined) throw new ProtocolViolation(`a frame "${frame.type}" after its last word`);
    const session = this.#session;
    switch (frame.type) {
      case "hello":
        return requireVersion(frame.protocol);
      case "heartbeat":
        return;
      case "event":
        return this.#event(frame);
      case "log":
        return this.#event({ event: "log", payload: logPayload(frame) });
      case "delta":
        return session.delta(frame.delta, frame.payload, messageOf(frame));
      case "checkpoint":
        return this.#answer(frame.id, () => this.#checkpoint(frame));
      case "begin_step":
        return this.#answer(frame.id, async () => rememberedFields(await session.beginStep(frame.key)));
      case "end_step":
        return this.#answer(frame.id, async () => rememberedFields(await session.endStep(frame.key, frame.value)));
      case "fail_step":
        return session.failStep(frame.key);
      case "ask":
        return this.#answer(frame.id, () => session.ask(frame.key, frame.payload ?? null, askOptions(frame)));
      case "sleep":
        return this.#answer(frame.id, () => session.sleep(wakeOf(frame), frame.key));
      case "start_child":
        return this.#answer(frame.id, () => this.#startChild(frame));
      case "child_result":
        return this.#answer(frame.id, () => session.childResult(frame.key));
      case "take_steered":
        return this.#answer(frame.id, async () => (await session.takeSteered()).map(messageFields));
      case "next_steered":
        return this.#answer(frame.id, async () => {
          const message = await session.nextSteered();
          return message === undefined ? null : messageFields(message);
        });
      case "result":
        return this.#end({ result: this.#resultOf(frame) });
      case "error":
        return this.#end({ error: this.#errorOf(frame) });
    }
  }

  #event({ id, event, payload, key }: Pick<FrameOf<"event">, "id" | "event" | "payload" | "key">): void {
    const options = key === undefined ? undefined : { key };
    this.#answer(id, async () => {
      if (event === "artifact") checkName(String((payload as { readonly name?: unknown } | null | undefined)?.name));
      return this.#session.emit(event, payload ?? null, options);
    });
  }

  #startChild({ key, agent, input, options }: FrameOf<"start_child">): Promise<ChildRef> {
    // Whatever they are: the session refuses what it does not know.
    return this.#session.startChild(key, agent, input ?? null, options as ChildOptions | undefined);
  }

  async #checkpoint(frame: FrameOf<"checkpoint">): Promise<JsonObject> {
    const update = applyChange(this.#values, frame) ?? {};
    this.#values = await this.#session.checkpoint(update);
    return this.#values;
  }

  /** Call the session, now, and tell the agent what came of it. An agent that did not ask hears of it by its end. */
  #answer(id: number | undefined, call: () => Promise<unknown>): void {
    const answered = call().then(
      (value) => {
        if (id !== undefined) this.#send({ type: "reply", id, value: value ?? null });
      },
      (error: unknown) => this.#refuse(id, error),
    );
    this.#waiting.add(answered);
    void answered.finally(() => this.#waiting.delete(answered));
  }

  #refuse(id: number | undefined, error: unknown): void {
    if (error instanceof ProtocolViolation || (id === undefined && !isOver(error))) {
      this.#failure ??= { error };
      void this.#program.kill();
    }
    if (id === undefined) return;
    const fields = errorFields(error);
    this.#told.set(fields.code, error);
    this.#send({ type: "reply", id, error: fields });
  }

  #resultOf(frame: FrameOf<"result">): AttemptResult {
    return { output: frame.output, values: applyChange(this.#values, frame) };
  }

  /** An agent that fails with what it was told fails with the very error. Other codes are its own, and count as text. */
  #errorOf(frame: FrameOf<"error">): unknown {
    return (frame.code === undefined ? undefined : this.#told.get(frame.code)) ?? new AgentError(frame);
  }

  /** It stays until its files are read; then it is told to go. */
  #end(lastWord: LastWord): void {
    this.#lastWord = lastWord;
    const collected = "result" in lastWord ? this.#collect() : Promise.resolve();
    void collected
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#program.input.end();
        this.#exitTimer = setTimeout(() => void this.#program.kill(), exitDelay);
      });
  }

  async #collect(): Promise<void> {
    const { artifacts, limits } = this.#options;
    if (artifacts !== undefined) await announceArtifacts(this.#session, artifacts.files(), limits.artifacts);
  }

  #send(frame: EngineFrame): void {
    if (this.#program.input.writable) this.#program.input.write(`${JSON.stringify(frame)}\n`);
  }

  /** Who asks without listening to the answers is not heard until it does. */
  async #untilRead(): Promise<void> {
    const { input } = this.#program;
    if (!input.writableNeedDrain || input.destroyed) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        input.off("drain", done).off("close", done);
        resolve();
      };
      input.on("drain", done).on("close", done);
    });
  }
}

/** Each line goes to whoever listens now; the last ones are kept. */
export function logTail(session: AttemptSession, redactor: Redactor): LogTail {
  return new LogTail(
    (line) => redactor.text(line),
    (line) => session.delta("log", { level: "info", message: line }),
  );
}

function startFrame(attempt: Attempt, { secrets, artifacts }: ConversationOptions): EngineFrame {
  return {
    type: "start",
    protocol: protocolVersion,
    agent: attempt.agent.name,
    runId: attempt.runId,
    threadId: attempt.threadId,
    lineageId: attempt.lineageId,
    attempt: attempt.attempt,
    resumed: attempt.resumed,
    input: attempt.inputJson,
    config: attempt.config ?? null,
    metadata: attempt.metadata,
    values: attempt.values,
    secrets,
    artifacts: artifacts?.path ?? null,
  };
}

function requireVersion(version: number): void {
  if (version === protocolVersion) return;
  throw new ProtocolViolation(`it speaks version ${version}, this engine ${protocolVersion}`);
}

function messageOf({ messageId }: { readonly messageId?: string | undefined }): { messageId: string } | undefined {
  return messageId === undefined ? undefined : { messageId };
}

function logPayload({ level, message, data }: FrameOf<"log">): object {
  return data === undefined ? { level, message } : { level, message, data };
}

/** The attempt ended before: for one that does not listen, nothing to tell. */
function isOver(error: unknown): boolean {
  return HeddleError.is(error, "LEASE_LOST") || error instanceof AttemptEnded;
}

/** `done`: not to be done again. */
function rememberedFields(remembered: Remembered | undefined): { readonly done: boolean; readonly value?: Json } {
  return remembered === undefined ? { done: false } : { done: true, ...remembered };
}

function messageFields({ runId, inputJson, metadata }: SteeredMessage): object {
  return { runId, input: inputJson, metadata };
}

function askOptions({ schema, expiresIn }: FrameOf<"ask">): AskOptions {
  return {
    ...(schema === undefined ? {} : { schema: schema as Json }),
    ...(expiresIn === undefined ? {} : { expiresIn }),
  };
}

function wakeOf({ after, at }: FrameOf<"sleep">): Wake {
  if (at !== undefined) return { at };
  if (after !== undefined) return { after };
  throw new ProtocolViolation('a frame that does not fit: "sleep" without "after" or "at"');
}

function errorFields(error: unknown): ErrorFields {
  if (HeddleError.is(error)) return { code: error.code, message: error.message, details: error.details };
  if (error instanceof AttemptEnded) return { code: "ATTEMPT_ENDED", message: error.message };
  return { code: "AGENT_ERROR", message: error instanceof Error ? error.message : String(error) };
}

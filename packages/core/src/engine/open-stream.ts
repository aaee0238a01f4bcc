/** Opening streams: where a reader starts, and what ends it. */

import { HeddleError } from "../errors.js";
import type { RunFrame, SnapshotFrame, ThreadFrame } from "../model/event.js";
import { isTerminalEvent, streamOf, threadStream } from "../model/event.js";
import type { RunRecord } from "../model/run.js";
import { shown } from "../model/shown.js";
import type { StreamFrame, SubscriptionOptions } from "../runtime/subscription.js";
import { Subscription } from "../runtime/subscription.js";
import { cancelOnDisconnect } from "./cancel-on-disconnect.js";
import { checkReaderOptions } from "./check-input.js";
import type { Core } from "./core.js";
import { loadHead } from "./load-head.js";
import { runGone, runNotFound, threadNotFound } from "./not-found.js";

export interface StreamOptions {
  /** Replay from behind this number. */
  readonly after?: number;
  /** Aborting it ends the stream, quietly. */
  readonly signal?: AbortSignal;
  /** `cancel`: the run is canceled when this reader leaves before its end. Default `continue`. */
  readonly onDisconnect?: "continue" | "cancel";
}

/** Frames, as they come. Leaving the loop ends the stream. */
export interface FrameStream<Frame> extends AsyncGenerator<Frame, void, undefined> {
  /**
   * Whether deltas of runs that another process works on come here (`all`, as well as they can be carried) or not at all
   * (`local`). Events always do. Follows what the storage can do at the moment.
   */
  readonly deltas: "all" | "local";
}

/** A run's frames, from its first event to its terminal one. */
export function runFrames(core: Core, runId: string, options?: StreamOptions): FrameStream<RunFrame> {
  const place: Place = { sink: undefined, signal: undefined, ended: false };
  return new LiveStream<RunFrame>(core, place, readRun(core, runId, options, place));
}

/** A thread's frames: a snapshot first, or from a cursor; until the thread is deleted. */
export function threadFrames(core: Core, threadId: string, options?: StreamOptions): FrameStream<ThreadFrame> {
  const place: Place = { sink: undefined, signal: undefined, ended: false };
  return new LiveStream<ThreadFrame>(core, place, readThread(core, threadId, options, place));
}

/** Where a reader is. */
interface Place {
  /** While it is open. */
  sink: Subscription | undefined;
  signal: AbortSignal | undefined;
  /** The run's terminal event was passed on. */
  ended: boolean;
}

/**
 * A stream in a reader's hands. Opening, waiting and leaving are the generator's; a frame that is at hand goes past it, for
 * most are, and each that passes through a generator costs several promises.
 */
class LiveStream<Frame> implements FrameStream<Frame> {
  readonly #storage: Core["storage"];
  readonly #place: Place;
  readonly #frames: AsyncGenerator<Frame, void, undefined>;
  /** Calls that the generator has not answered yet: those that come meanwhile stand behind them. */
  #waiting = 0;

  constructor({ storage }: Core, place: Place, frames: AsyncGenerator<Frame, void, undefined>) {
    this.#storage = storage;
    this.#place = place;
    this.#frames = frames;
  }

  get deltas(): "all" | "local" {
    return this.#storage.relay === undefined ? "local" : this.#storage.deltas;
  }

  next(): Promise<IteratorResult<Frame, void>> {
    const { sink, signal } = this.#place;
    const frame = this.#waiting > 0 || signal?.aborted ? undefined : sink?.poll();
    if (frame === undefined) return this.#wait(this.#frames.next());
    noteEnd(this.#place, frame);
    return Promise.resolve({ done: false, value: frame as Frame });
  }

  return(): Promise<IteratorResult<Frame, void>> {
    return this.#wait(this.#frames.return());
  }

  throw(error: unknown): Promise<IteratorResult<Frame, void>> {
    return this.#wait(this.#frames.throw(error));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #wait<Answer>(answer: Promise<Answer>): Promise<Answer> {
    this.#waiting++;
    const over = (): void => {
      this.#waiting--;
    };
    answer.then(over, over);
    return answer;
  }
}

function noteEnd(place: Place, frame: StreamFrame): void {
  if (frame.kind === "event" && isTerminalEvent(frame.type)) place.ended = true;
}

async function* readRun(
  core: Core,
  runId: string,
  options: StreamOptions = {},
  place: Place,
): AsyncGenerator<RunFrame, void, undefined> {
  core.requireOpen();
  checkReaderOptions(options);
  const run = await requireRun(core, runId);
  const stream = streamOf(run);
  const after = await startOfRun(core, run, options.after);
  const { sink, undo } = subscribe(core, { stream, after, runId }, options.signal);
  try {
    // It may have been deleted before the subscription could hear of it.
    if ((await core.storage.runs.get(runId)) === undefined) sink.end();
    Object.assign(place, { sink, signal: options.signal });
    for (let frame = sink.poll() ?? (await sink.next()); frame; frame = sink.poll() ?? (await sink.next())) {
      if (options.signal?.aborted) break;
      noteEnd(place, frame);
      yield frame as RunFrame;
    }
    place.ended ||= options.signal?.aborted !== true;
  } finally {
    place.sink = undefined;
    undo();
    if (!place.ended && options.onDisconnect === "cancel") await cancelOnDisconnect(core, run);
  }
}

async function requireRun(core: Core, runId: string): Promise<RunRecord> {
  const run = await core.storage.runs.get(runId);
  if (run === undefined) throw runNotFound(runId);
  return run;
}

/** The number behind which the run's events begin. */
async function startOfRun(core: Core, run: RunRecord, after: number | undefined): Promise<number> {
  if (after !== undefined) return checkCursor(core, streamOf(run), run.threadId, run, after);
  if (run.firstSeq > 0) return run.firstSeq - 1;
  if (run.threadId === null) return 0;
  const thread = await core.storage.threads.get(run.threadId);
  const now = await core.storage.runs.get(run.id);
  if (now === undefined) throw runGone(run.id);
  return now.firstSeq > 0 ? now.firstSeq - 1 : (thread?.lastSeq ?? 0);
}

async function* readThread(
  core: Core,
  threadId: string,
  options: StreamOptions = {},
  place: Place,
): AsyncGenerator<ThreadFrame, void, undefined> {
  core.requireOpen();
  checkReaderOptions(options);
  const stream = threadStream(threadId);
  const start = options.after === undefined ? await snapshot(core, threadId) : undefined;
  const after = start?.seq ?? (await checkCursor(core, stream, threadId, undefined, options.after as number));
  const { sink, undo } = subscribe(core, { stream, after }, options.signal);
  try {
    // It may have been deleted before the subscription could hear of it.
    if ((await core.storage.threads.get(threadId)) === undefined) sink.end();
    if (start !== undefined) yield start;
    Object.assign(place, { sink, signal: options.signal });
    for (let frame = sink.poll() ?? (await sink.next()); frame; frame = sink.poll() ?? (await sink.next())) {
      if (options.signal?.aborted) break;
      yield frame;
    }
  } finally {
    place.sink = undefined;
    undo();
  }
}

/** One read of the thread's record, so number, values and active run belong together. */
async function snapshot(core: Core, threadId: string): Promise<SnapshotFrame> {
  const { thread, tree } = await loadHead(core, threadId);
  const active = thread.activeRunId === null ? undefined : await core.storage.runs.get(thread.activeRunId);
  return {
    kind: "snapshot",
    protocolVersion: 1,
    seq: thread.lastSeq,
    values: tree,
    activeRun: active === undefined ? null : { id: active.id, agent: active.agent },
  };
}

async function checkCursor(
  core: Core,
  stream: string,
  threadId: string | null,
  run: RunRecord | undefined,
  after: number,
): Promise<number> {
  if (!Number.isInteger(after) || after < 0) {
    throw new HeddleError("INVALID_ARGUMENT", `"after" is ${shown(after)}, but must be an event's number, or 0.`, {
      details: { field: "after", value: after },
    });
  }
  const thread = threadId === null ? undefined : await core.storage.threads.get(threadId);
  if (threadId !== null && thread === undefined) throw threadNotFound(threadId);
  const last = thread?.lastSeq ?? run?.lastSeq ?? 0;
  if (after > last)
    throw cursorExpired(`The stream has no event ${after}: its newest is ${last}.`, { stream, after, last });
  // 0 is no event's number: it asks for all that is kept.
  if (after === 0 || after === last) return after;
  const [oldest] = await core.storage.events.read({ stream, after: 0, limit: 1 });
  const first = oldest?.seq ?? last + 1;
  if (after >= first - 1) return after;
  throw cursorExpired(`Of the stream nothing before event ${first} is kept.`, { stream, after, first, last });
}

function cursorExpired(message: string, details: Readonly<Record<string, unknown>>): HeddleError {
  return new HeddleError("CURSOR_EXPIRED", message, { details });
}

function subscribe(
  core: Core,
  options: Omit<SubscriptionOptions, "bufferedDeltas">,
  signal: AbortSignal | undefined,
): { readonly sink: Subscription; undo(): void } {
  const { bufferedDeltas } = core.settings.limits;
  const sink = new Subscription(core.storage.events, { ...options, bufferedDeltas });
  const undos = [core.hub.subscribe(options.stream, sink), core.deltas.follow(options.stream), endWith(sink, signal)];
  return { sink, undo: () => undos.forEach((undo) => void undo()) };
}

/** The signal ends the subscription at once, also while nothing comes. Returns its undo. */
function endWith(sink: Subscription, signal: AbortSignal | undefined): () => void {
  if (signal === undefined) return () => {};
  const end = (): void => sink.end();
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  return () => signal.removeEventListener("abort", end);
}

/** A storage before another one: all that is asked of the inner one passes one place, where it may meet with something. */

import type { Effect, Intent } from "../model/intents/intent.js";
import type {
  CheckpointReader,
  EventReader,
  LineageReader,
  RunReader,
  Storage,
  StorageContext,
  StorageTransaction,
  ThreadReader,
  WorkReader,
} from "../ports/storage.js";

/** What a transaction came to. */
export interface Committed<Result> {
  readonly result: Result;
  readonly effects: readonly Effect[];
}

export abstract class InterceptedStorage implements Storage {
  readonly checkpoints: CheckpointReader;
  protected readonly inner: Storage;

  constructor(inner: Storage) {
    this.inner = inner;
    this.checkpoints = this.#checkpointReader(inner.checkpoints);
  }

  /** @param port for reports: `commit`, `runs.get`, … */
  protected abstract call<Answer>(port: string, carryOut: () => Promise<Answer>): Promise<Answer>;

  get name(): string {
    return this.inner.name;
  }

  get deltas(): "all" | "local" {
    return this.inner.deltas;
  }

  open(context: StorageContext): Promise<void> {
    return this.call("open", () => this.inner.open(context));
  }

  close(): Promise<void> {
    return this.call("close", () => this.inner.close());
  }

  commit(intents: readonly Intent[]): ReturnType<Storage["commit"]> {
    return this.call("commit", () => this.inner.commit(intents));
  }

  transaction<Result>(body: (tx: StorageTransaction<unknown>) => Promise<Result>): Promise<Committed<Result>> {
    return this.call("transaction", () => this.inner.transaction(body));
  }

  readonly runs: RunReader = {
    get: (id) => this.call("runs.get", () => this.inner.runs.get(id)),
    list: (query) => this.call("runs.list", () => this.inner.runs.list(query)),
    count: (filter) => this.call("runs.count", () => this.inner.runs.count(filter)),
  };

  readonly threads: ThreadReader = {
    get: (id) => this.call("threads.get", () => this.inner.threads.get(id)),
    isDeleted: (id) => this.call("threads.isDeleted", () => this.inner.threads.isDeleted(id)),
    list: (query) => this.call("threads.list", () => this.inner.threads.list(query)),
    count: (filter) => this.call("threads.count", () => this.inner.threads.count(filter)),
    usage: (id) => this.call("threads.usage", () => this.inner.threads.usage(id)),
  };

  readonly events: EventReader = {
    read: (query) => this.call("events.read", () => this.inner.events.read(query)),
  };

  readonly lineages: LineageReader = {
    memo: (ref) => this.call("lineages.memo", () => this.inner.lineages.memo(ref)),
    memos: (lineageId, limit) => this.call("lineages.memos", () => this.inner.lineages.memos(lineageId, limit)),
    questions: (lineageId) => this.call("lineages.questions", () => this.inner.lineages.questions(lineageId)),
    openQuestions: (threadId, limit) =>
      this.call("lineages.openQuestions", () => this.inner.lineages.openQuestions(threadId, limit)),
  };

  readonly work: WorkReader = {
    due: (query) => this.call("work.due", () => this.inner.work.due(query)),
    heldBy: (worker) => this.call("work.heldBy", () => this.inner.work.heldBy(worker)),
    announce: (worker) => this.call("work.announce", () => this.inner.work.announce(worker)),
    findDead: (workers) => this.call("work.findDead", () => this.findDead(workers)),
    watch: (hint) => this.watch(hint),
  };

  protected findDead(workers: readonly string[]): Promise<readonly string[]> {
    return this.inner.work.findDead(workers);
  }

  protected watch(hint: () => void): () => void {
    return this.inner.work.watch(hint);
  }

  /** Which of them a storage has is its own choice. */
  #checkpointReader({ bodies }: CheckpointReader): CheckpointReader {
    const { inner } = this;
    const reader: CheckpointReader = {
      get: (id) => this.call("checkpoints.get", () => inner.checkpoints.get(id)),
      chain: (id, since) => this.call("checkpoints.chain", () => inner.checkpoints.chain(id, since)),
      history: (id, limit) => this.call("checkpoints.history", () => inner.checkpoints.history(id, limit)),
      ofThread: (threadId, page) => this.call("checkpoints.ofThread", () => inner.checkpoints.ofThread(threadId, page)),
    };
    if (bodies === undefined) return reader;
    const read = bodies.bind(inner.checkpoints);
    return { ...reader, bodies: (id, since) => this.call("checkpoints.bodies", () => read(id, since)) };
  }
}

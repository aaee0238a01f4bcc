/**
 * LangGraph with its SQLite and Postgres savers. A run is a graph of one node on a thread of its own; a turn appends the
 * two messages to a list in the graph's state. Its default durability ("async": a checkpoint is written while the next
 * step runs already) is kept.
 */

import { statSync } from "node:fs";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { SqliteSaver } from "@langchain/langgraph-checkpoint-sqlite";
import BetterSqlite3 from "better-sqlite3";
import pg from "pg";
import { longThread } from "../../src/long-thread.js";
import { metered, meteredEach } from "../../src/meter.js";
import { numberedFiles } from "../../src/numbered-files.js";
import { numberedSchemas } from "../../src/numbered-schemas.js";
import type { Round, System } from "../../src/system.js";
import type { Message } from "../../src/workload.js";
import { answer, atOnce, burst, frame, inLanes, question, turnOfTheLoop } from "../../src/workload.js";

export type LangGraphOptions =
  | { readonly saver: "sqlite"; readonly folder: string; readonly synchronous: "full" | "normal" }
  | { readonly saver: "postgres"; readonly url: string }
  | { readonly saver: "none" };

interface Place {
  readonly saver: BaseCheckpointSaver | undefined;
  bytes?(): Promise<number>;
  close(): Promise<void>;
}

const Echo = Annotation.Root({ n: Annotation<number> });
const Chat = Annotation.Root({
  turn: Annotation<number>,
  messages: Annotation<Message[]>({ reducer: (all, more) => [...all, ...more], default: () => [] }),
});
const Talk = Annotation.Root({ deltas: Annotation<number> });

const echo = new StateGraph(Echo)
  .addNode("echo", ({ n }) => ({ n }))
  .addEdge(START, "echo")
  .addEdge("echo", END);
const chat = new StateGraph(Chat)
  .addNode("chat", ({ turn }) => ({ messages: [question(turn), answer(turn)] }))
  .addEdge(START, "chat")
  .addEdge("chat", END);
const talk = new StateGraph(Talk)
  .addNode("talk", async ({ deltas }, { writer }) => {
    for (let sent = 0; sent < deltas; sent += burst) {
      for (let n = sent; n < Math.min(sent + burst, deltas); n++) writer?.({ ...frame(n), sentAt: performance.now() });
      await turnOfTheLoop();
    }
    return {};
  })
  .addEdge(START, "talk")
  .addEdge("talk", END);

export function createSystem(options: LangGraphOptions): System {
  const places = placesOf(options);

  async function withPlace(work: (place: Place) => Promise<Round>): Promise<Round> {
    const place = await places();
    try {
      return await work(place);
    } finally {
      await place.close();
    }
  }

  return {
    stateless: ({ runs }) => withPlace((place) => metered(runs, () => inLanes(runs, atOnce, runnerOf(place)))),
    single: ({ single }) => withPlace((place) => meteredEach(single, runnerOf(place))),
    threads: ({ threads, turnsEach }) =>
      withPlace((place) => {
        const take = turnTakerOf(place);
        return metered(threads * turnsEach, () =>
          inLanes(threads, atOnce, async (thread) => {
            for (let turn = 0; turn < turnsEach; turn++) await take(`thread-${thread}`, turn);
          }),
        );
      }),
    longThread: (sizes) =>
      withPlace((place) => {
        const take = turnTakerOf(place);
        return longThread(sizes, (turn) => take("thread", turn), place.bytes?.bind(place));
      }),
    deltas: ({ frames }) => deltas(frames),
  };
}

function runnerOf({ saver }: Place) {
  const graph = echo.compile(saver === undefined ? {} : { checkpointer: saver });
  return async (n: number) => void (await graph.invoke({ n }, { configurable: { thread_id: `run-${n}` } }));
}

function turnTakerOf({ saver }: Place) {
  const graph = chat.compile(saver === undefined ? {} : { checkpointer: saver });
  return async (thread: string, turn: number) =>
    void (await graph.invoke({ turn }, { configurable: { thread_id: thread } }));
}

/** Without a saver: the stream is the same, and nothing else is waited for. */
async function deltas(count: number): Promise<Round> {
  const graph = talk.compile();
  const times: number[] = [];
  const round = await metered(count, async () => {
    for await (const chunk of await graph.stream({ deltas: count }, { streamMode: "custom" }))
      times.push(performance.now() - (chunk as { sentAt: number }).sentAt);
  });
  if (times.length !== count) throw new Error(`${times.length} of ${count} deltas arrived`);
  return { ...round, times };
}

function placesOf(options: LangGraphOptions): () => Promise<Place> {
  switch (options.saver) {
    case "none":
      return async () => ({ saver: undefined, close: async () => {} });
    case "sqlite": {
      const files = numberedFiles(options.folder, "langgraph");
      return async () => sqlitePlace(files(), options.synchronous);
    }
    case "postgres": {
      const schemas = numberedSchemas(options.url, "langgraph");
      return async () => postgresPlace(options.url, await schemas());
    }
  }
}

function sqlitePlace(file: string, synchronous: string): Place {
  const database = new BetterSqlite3(file);
  database.pragma("journal_mode = wal");
  database.pragma(`synchronous = ${synchronous}`);
  return {
    saver: new SqliteSaver(database),
    async bytes() {
      database.pragma("wal_checkpoint(truncate)");
      return statSync(file).size;
    },
    close: async () => void database.close(),
  };
}

async function postgresPlace(connectionString: string, schema: string): Promise<Place> {
  const pool = new pg.Pool({ connectionString, max: 10 });
  const saver = new PostgresSaver(pool, undefined, { schema });
  await saver.setup();
  return { saver, close: () => pool.end() };
}

import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "@heddle/core";
import { createEngine, defineAgent, memoryStorage } from "@heddle/core";
import type { Storage } from "@heddle/core/storage";
import type { SqliteHost } from "@heddle/storage-sqlite";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { z } from "zod";
import type { LongThread, System } from "./system.js";
import { answer, atOnce, inLanes, marks, markWidth, question } from "./workload.js";

const echo = defineAgent({
  name: "echo",
  input: z.object({ n: z.number() }),
  output: z.object({ n: z.number() }),
  run: ({ input }) => ({ output: input }),
});

const Message = z.object({ id: z.string(), role: z.enum(["user", "assistant"]), text: z.string() });
const chat = defineAgent({
  name: "chat",
  input: z.object({ turn: z.number() }),
  values: z.object({ messages: z.array(Message).default([]) }),
  output: z.string(),
  run({ input: { turn }, values }) {
    const messages = [...values.messages, question(turn), answer(turn)];
    return { output: `m${2 * turn + 1}`, values: { messages } };
  },
});

export function heddleOnMemory(): System {
  return heddle("Heddle, memory", () => memoryStorage(), {});
}

export function heddleOnSqlite(folder: string, synchronous: "full" | "normal"): System {
  const level = synchronous.toUpperCase();
  const files = numbered(join(folder, `heddle-${synchronous}`));
  return heddle(`Heddle, SQLite ${level}`, () => sqliteStorage({ path: files(), synchronous }) as Storage, {
    rawGrouped: `raw SQLite ${level}, grouped`,
    rawSingle: `raw SQLite ${level}, one by one`,
  });
}

/** A new name each time; the file before it is removed, so that a long measurement does not fill the disk. */
export function numbered(prefix: string): () => string {
  let count = 0;
  return () => {
    for (const end of ["", "-wal", "-shm", "-workers"])
      rmSync(`${prefix}-${count}.db${end}`, { force: true, recursive: true });
    return `${prefix}-${++count}.db`;
  };
}

function heddle(name: string, newStorage: () => Storage, raw: Pick<System, "rawGrouped" | "rawSingle">): System {
  async function withEngine<Result>(work: (engine: Engine) => Promise<Result>): Promise<Result> {
    await using engine = createEngine({ storage: newStorage(), agents: [echo, chat], concurrency: atOnce }) as Engine;
    await engine.start();
    return await work(engine);
  }
  return {
    name,
    ...raw,
    stateless: ({ runs }) => withEngine((engine) => timed(() => inLanes(runs, atOnce, (n) => runOnce(engine, n)))),
    single: ({ single }) =>
      withEngine(async (engine) => {
        const times: number[] = [];
        for (let n = 0; n < single; n++) times.push(await timed(() => runOnce(engine, n)));
        return times;
      }),
    threads: ({ threads, turnsEach }) =>
      withEngine(async (engine) => {
        const all = await Promise.all(Array.from({ length: threads }, () => engine.threads.create()));
        return timed(() =>
          inLanes(threads, atOnce, async (index) => {
            for (let turn = 0; turn < turnsEach; turn++) await (await all[index]?.start(chat, { turn }))?.result();
          }),
        );
      }),
    longThread: (sizes) =>
      withEngine(async (engine): Promise<LongThread> => {
        const thread = await engine.threads.create();
        const interesting = new Set(marks(sizes).flatMap((mark) => [mark, mark - markWidth(mark)]));
        const result = { times: [] as number[], sizes: new Map<number, number>() };
        for (let turn = 0; turn <= sizes.longThread; turn++) {
          if (interesting.has(turn)) await noteSize(engine, turn, result.sizes);
          if (turn === sizes.longThread) break;
          result.times.push(await timed(async () => void (await (await thread.start(chat, { turn })).result())));
        }
        return result;
      }),
  };
}

async function runOnce(engine: Engine, n: number): Promise<void> {
  const run = await engine.runs.start(echo, { n });
  await run.result();
}

/** What the file's size is once the log was moved into it. */
async function noteSize(engine: Engine, turn: number, sizes: Map<number, number>): Promise<void> {
  await engine.transaction(async ({ host }) => {
    const database = (host as SqliteHost | undefined)?.database;
    if (database === undefined) return;
    const [pages, size] = ["page_count", "page_size"].map((name) => Number(database.pragma(name, { simple: true })));
    sizes.set(turn, (pages ?? 0) * (size ?? 0));
  });
}

export async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

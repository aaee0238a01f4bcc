/** Heddle, on each of its storages. */

import { statSync } from "node:fs";
import type { Engine } from "@heddle/core";
import { createEngine, defineAgent } from "@heddle/core";
import type { SqliteHost } from "@heddle/storage-sqlite";
import { z } from "zod";
import { longThread } from "../long-thread.js";
import { metered, meteredEach } from "../meter.js";
import { schemaBytes } from "../schema-bytes.js";
import type { Kind, Round, System, Work } from "../system.js";
import type { Sizes } from "../workload.js";
import { answer, atOnce, burst, frame, inLanes, question, turnOfTheLoop } from "../workload.js";
import { idle } from "./heddle-idle.js";
import { announce, recovery } from "./heddle-processes.js";
import type { Place, StorageOptions } from "./heddle-storage.js";
import { placesOf } from "./heddle-storage.js";

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

/** Deltas are for those who listen while they are sent: the reader says when it does. */
let listening: Promise<void> = Promise.resolve();

/** Each delta says when it was sent. */
const talk = defineAgent({
  name: "talk",
  input: z.object({ deltas: z.number() }),
  async run({ input: { deltas }, delta }) {
    await listening;
    for (let sent = 0; sent < deltas; sent += burst) {
      for (let n = sent; n < Math.min(sent + burst, deltas); n++)
        delta("token", { ...frame(n), sentAt: performance.now() });
      await turnOfTheLoop();
    }
    return {};
  },
});

const record = defineAgent({
  name: "record",
  input: z.object({ events: z.number() }),
  async run({ input: { events }, emit }) {
    for (let sent = 0; sent < events; sent += burst) {
      const numbers = Array.from({ length: Math.min(burst, events - sent) }, (_, index) => sent + index);
      await Promise.all(numbers.map((n) => emit("progress", frame(n))));
    }
    return {};
  },
});

const agents = [echo, chat, talk, record];

export function createSystem(options: StorageOptions): System {
  const places = placesOf(options);

  async function withEngine(work: (engine: Engine, place: Place) => Promise<Round>): Promise<Round> {
    const place = await places.next();
    const engine = createEngine({ storage: place.storage, agents, concurrency: atOnce }) as Engine;
    try {
      await engine.start();
      return await work(engine, place);
    } finally {
      await engine.close();
    }
  }

  const works: Record<Exclude<Kind, "recovery" | "announce" | "idle">, Work> = {
    stateless: ({ runs }) =>
      withEngine((engine) => metered(runs, () => inLanes(runs, atOnce, (n) => runOnce(engine, n)))),
    single: ({ single }) => withEngine((engine) => meteredEach(single, (n) => runOnce(engine, n))),
    threads: ({ threads, turnsEach }) =>
      withEngine(async (engine) => {
        const all = await Promise.all(Array.from({ length: threads }, () => engine.threads.create()));
        return metered(threads * turnsEach, () =>
          inLanes(threads, atOnce, async (index) => {
            for (let turn = 0; turn < turnsEach; turn++) await (await all[index]?.start(chat, { turn }))?.result();
          }),
        );
      }),
    longThread: (sizes) =>
      withEngine(async (engine, place) => {
        const thread = await engine.threads.create();
        const takeTurn = async (turn: number) => (await thread.start(chat, { turn })).result();
        return longThread(sizes, takeTurn, bytesOf(engine, place));
      }),
    deltas: ({ frames }) => withEngine((engine) => deltas(engine, frames)),
    events: ({ frames }) => withEngine((engine) => metered(frames, () => recordAll(engine, frames))),
    eventsRead: ({ frames }) => withEngine((engine) => metered(frames, () => readAll(engine, frames))),
  };
  if (options.storage === "memory") return works;
  return {
    ...works,
    recovery: (sizes: Sizes) => recovery(places, sizes),
    announce: (sizes: Sizes) => announce(places, sizes),
    idle: (sizes: Sizes) => idle(places, sizes),
  };
}

async function runOnce(engine: Engine, n: number): Promise<void> {
  const run = await engine.runs.start(echo, { n });
  await run.result();
}

async function deltas(engine: Engine, count: number): Promise<Round> {
  const times: number[] = [];
  let listens = () => {};
  listening = new Promise((resolve) => {
    listens = resolve;
  });
  const round = await metered(count, async () => {
    const run = await engine.runs.start(talk, { deltas: count });
    for await (const received of run.events()) {
      listens();
      if (received.kind === "delta") times.push(performance.now() - (received.payload as { sentAt: number }).sentAt);
    }
  });
  requireAll("deltas", times.length, count);
  return { ...round, times };
}

async function recordAll(engine: Engine, count: number): Promise<void> {
  const run = await engine.runs.start(record, { events: count });
  await run.result();
}

/** The same with a reader that must get every one. */
async function readAll(engine: Engine, count: number): Promise<void> {
  const run = await engine.runs.start(record, { events: count });
  let seen = 0;
  for await (const received of run.events()) if (received.kind === "event" && received.type === "progress") seen++;
  requireAll("events", seen, count);
}

function requireAll(what: string, seen: number, expected: number): void {
  if (seen !== expected) throw new Error(`${seen} of ${expected} ${what} arrived`);
}

/** Asks for what is stored; `undefined`: nothing is. */
function bytesOf(engine: Engine, { open }: Place): (() => Promise<number>) | undefined {
  if (open.storage === "postgres") return () => schemaBytes(open.url, open.schema);
  return open.storage === "sqlite" ? () => fileBytes(engine, open.path) : undefined;
}

/** The file's size after its log was moved into it. */
async function fileBytes(engine: Engine, file: string): Promise<number> {
  const { host } = await engine.transaction(async (tx) => tx);
  (host as SqliteHost).database.pragma("wal_checkpoint(truncate)");
  return statSync(file).size;
}

/** Deltas reach readers in other processes while somebody there reads; what gets lost is counted. */

import { createHash } from "node:crypto";
import { createEngine, defineAgent } from "@heddle/core";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { echo, startEngine, until } from "./support/fixture.js";
import { hasPgBouncer } from "./support/pgbouncer.js";
import { freshSchema, useServer } from "./support/server.js";
import { usePgBouncer, type Way } from "./support/ways.js";

const server = useServer();

interface Script {
  /** Sent one after the other, a turn of the loop apart. */
  readonly deltas: readonly unknown[];
  /** Emitted before the last so many of them. */
  readonly eventBeforeLast?: number;
}

/** Waits for `go`, then plays its input. */
function player() {
  let go = (): void => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  const agent = defineAgent({
    name: "player",
    async run({ input, delta, emit }) {
      await gate;
      const { deltas, eventBeforeLast = -1 } = input as unknown as Script;
      for (const [at, payload] of deltas.entries()) {
        if (at === deltas.length - eventBeforeLast) await emit("middle", null);
        delta("token", payload);
        await new Promise((resolve) => setImmediate(resolve));
      }
      // What comes after the run's end is not delivered any more.
      await new Promise((resolve) => setTimeout(resolve, 150));
    },
  });
  return { agent, go: () => go() };
}

/** A worker and a reader with a storage each, as in two processes. */
async function setUp(listen: boolean, way?: Way) {
  const straight = { connectionString: server().url(), listen };
  const options = { ...(way ?? straight), schema: freshSchema() };
  const { agent, go } = player();
  const worker = await startEngine(options, { agents: [agent, echo] });
  const reader = await startEngine(options, { agents: [agent], work: false });
  await until(() => worker.storage.listening === listen && reader.storage.listening === listen);
  return { worker, reader, agent, go, schema: options.schema };
}

interface Heard {
  readonly tokens: unknown[];
  readonly order: string[];
  dropped: number;
}

/** Reads to the end of the stream. */
async function follow(frames: AsyncIterable<{ readonly kind: string }>): Promise<Heard> {
  const heard: Heard = { tokens: [], order: [], dropped: 0 };
  for await (const frame of frames as AsyncIterable<Record<string, unknown>>) {
    if (frame["kind"] === "delta") heard.tokens.push(frame["payload"]);
    if (frame["kind"] === "dropped") heard.dropped += frame["count"] as number;
    heard.order.push(String(frame["type"] ?? frame["kind"]));
  }
  return heard;
}

/** Time for a reader's announcement to arrive. */
const announced = () => new Promise((resolve) => setTimeout(resolve, 300));

test("deltas of a run elsewhere come in order, between their events, in few notifications", async () => {
  const { reader, agent, go, schema } = await setUp(true);
  const told = await spyOn(schema);
  const tokens = Array.from({ length: 300 }, (_, n) => `token ${n} \u0000 😀 \ud800`);
  const run = await reader.engine.runs.start(agent, { deltas: tokens, eventBeforeLast: 100 });
  const frames = run.events();
  expect(frames.deltas).toBe("all");
  const heard = follow(frames);
  await announced();
  go();
  const { tokens: received, order, dropped } = await heard;
  const numbers = received.map((token) => tokens.indexOf(token as string));
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  expect(numbers[0]).toBeGreaterThanOrEqual(0);
  expect(received.length).toBeGreaterThan(0);
  expect(received.length + dropped).toBe(300);
  const middle = order.indexOf("middle");
  expect(order.slice(middle).filter((type) => type === "token").length).toBeLessThanOrEqual(100);
  expect([order[0], order.at(-1)]).toEqual(["run_started", "run_succeeded"]);
  const notifications = told.filter((text) => text.includes('"token"'));
  expect(notifications.length).toBeLessThan(received.length / 2);
  expect(Math.max(...notifications.map((text) => Buffer.byteLength(text)))).toBeLessThanOrEqual(7_500);
});

const pooled = usePgBouncer(server);

test.runIf(hasPgBouncer)("they are sent through a pooler as well", async () => {
  const { reader, agent, go } = await setUp(true, pooled());
  const run = await reader.engine.runs.start(agent, { deltas: ["a", "b"] });
  const heard = follow(run.events());
  await announced();
  go();
  expect((await heard).tokens).toEqual(["a", "b"]);
});

test("a thread's reader hears all its runs", async () => {
  const { reader, agent, go } = await setUp(true);
  const thread = await reader.engine.threads.create();
  const leave = new AbortController();
  const heard = follow(thread.events({ signal: leave.signal }));
  await announced();
  go();
  for (const n of [1, 2, 3]) await (await thread.start(agent, { deltas: [n] })).result();
  await new Promise((resolve) => setTimeout(resolve, 200));
  leave.abort();
  const { tokens, dropped } = await heard;
  expect(tokens.length + dropped).toBe(3);
});

test("one that is too large for a notification is counted, the last one too", async () => {
  const { reader, agent, go } = await setUp(true);
  const large = "x".repeat(8_000);
  const run = await reader.engine.runs.start(agent, { deltas: ["a", large, "b", large] });
  const thread = follow(run.events());
  await announced();
  go();
  const { tokens, dropped } = await thread;
  expect(tokens).toEqual(["a", "b"]);
  expect(dropped).toBe(2);
});

test("without notifications the stream says that deltas are local, and events come all the same", async () => {
  const { worker, reader, agent, go } = await setUp(false);
  const run = await reader.engine.runs.start(agent, { deltas: ["a", "b"], eventBeforeLast: 1 });
  await until(async () => (await run.info()).status === "running");
  const elsewhere = run.events();
  const here = (await worker.engine.runs.get(run.id)).events();
  expect([elsewhere.deltas, here.deltas]).toEqual(["local", "local"]);
  const both = Promise.all([follow(elsewhere), follow(here)]);
  await announced();
  go();
  const [remote, local] = await both;
  expect(local.tokens).toEqual(["a", "b"]);
  expect(remote.order).toEqual(["run_started", "middle", "run_succeeded"]);
});

test("while nobody reads elsewhere no delta leaves the process", async () => {
  const { worker, agent, go, schema } = await setUp(true);
  const told = await spyOn(schema);
  go();
  const run = await worker.engine.runs.start(agent, { deltas: ["a", "b", "c"] });
  await follow(run.events());
  await until(() => told.length >= 2);
  expect(told.filter((text) => text.includes('"token"'))).toEqual([]);
});

test("engines that share a storage hear each other's deltas", async () => {
  const { agent, go } = player();
  const options = { connectionString: server().url(), schema: freshSchema(), listen: false };
  const worker = await startEngine(options, { agents: [agent] });
  await using other = createEngine({ storage: worker.storage, agents: [agent], work: false });
  await other.start();
  const run = await other.runs.start(agent, { deltas: ["a", "b"] });
  const heard = follow(run.events());
  await announced();
  go();
  expect((await heard).tokens).toEqual(["a", "b"]);
});

/** All that is said on the channel of a schema. */
async function spyOn(schema: string): Promise<readonly string[]> {
  const told: string[] = [];
  const client = new pg.Client({ connectionString: server().url() });
  await client.connect();
  onTestFinished(() => client.end());
  client.on("notification", ({ payload = "" }) => told.push(payload));
  await client.query(`listen heddle_${createHash("sha256").update(schema).digest("hex").slice(0, 16)}`);
  return told;
}

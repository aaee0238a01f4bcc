/** The database's clock counts. An engine whose machine is an hour ahead or behind does everything at the right time. */

import { defineAgent } from "@heddle/core";
import { acceptRun } from "@heddle/core/testing";
import { afterEach, describe, expect, test } from "vitest";
import { echo, skewedClock, startEngine } from "./support/fixture.js";
import { freshSchema, useServer } from "./support/server.js";

const server = useServer();
const hour = 3_600_000;

let release = (): void => {};
afterEach(() => release());

/** Runs until it is aborted, or released. */
const patient = defineAgent({
  name: "patient",
  run: ({ signal }) =>
    new Promise<{ output: string }>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      release = () => resolve({ output: "released" });
    }),
});

describe.each([
  ["an hour ahead", hour],
  ["an hour behind", -hour],
])("%s", (_name, ahead) => {
  const start = (schema: string, options: object = {}) =>
    startEngine(
      { connectionString: server().url(), schema },
      { agents: [echo, patient], clock: skewedClock(ahead), poll: 60_000, ...options },
    );

  test("a delay is over when the database says so", async () => {
    const { engine } = await start(freshSchema());
    const run = await engine.runs.start(echo, { n: 1 }, { delay: 300 });
    expect(await run.result()).toEqual({ n: 1 });
    const { createdAt, startedAt } = await run.info();
    expect(Math.abs(createdAt.getTime() - Date.now())).toBeLessThan(hour / 2);
    expect((startedAt?.getTime() ?? 0) - createdAt.getTime()).toBeGreaterThanOrEqual(300);
  });

  test("a deadline neither comes early nor stays away", async () => {
    const { engine } = await start(freshSchema());
    const quick = await engine.runs.start(echo, {}, { deadline: 30_000 });
    expect(await quick.result()).toEqual({});
    const late = await engine.runs.start(patient, {}, { deadline: 300 });
    await expect(late.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
    const info = await late.info();
    expect(info).toMatchObject({ status: "failed", error: { code: "DEADLINE_EXCEEDED" } });
  });

  test("a lease that is held is respected; a dead worker's is taken over when it is over", async () => {
    const schema = freshSchema();
    const { engine, storage, errors } = await start(schema);
    const other = await startEngine({ connectionString: server().url(), schema }, { agents: [echo] });
    const held = await engine.runs.start(patient, {});
    const claim = { worker: "wrk_dead", lease: 1_500, agents: ["echo"] };
    const dead = acceptRun({ agent: "echo", claim });
    await storage.commit([dead]);
    const orphan = await engine.runs.get(dead.run.id);
    expect(await orphan.info()).toMatchObject({ status: "running", attempt: 1 });
    await orphan.settled();
    expect(await orphan.info()).toMatchObject({ status: "succeeded", attempt: 2, crashes: 1 });
    expect(await held.info()).toMatchObject({ status: "running", attempt: 1 });
    release();
    expect(await held.result()).toBe("released");
    expect([...errors, ...other.errors]).toEqual([]);
  });

  test("the sweep removes what is old by the database's clock only", async () => {
    const { engine } = await start(freshSchema(), { retention: { maxAge: hour / 2, sweep: 1 }, poll: 100 });
    const run = await engine.runs.start(echo, {});
    await run.result();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await run.info()).status).toBe("succeeded");
  });
});

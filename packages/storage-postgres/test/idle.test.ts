/** How quiet an engine is that has nothing to do: counted by the server, statement by statement. */

import { expect, test } from "vitest";
import { echo, startEngine, until } from "./support/fixture.js";
import { freshSchema, useServer } from "./support/server.js";

const server = useServer({ isOwn: true, settings: ["shared_preload_libraries=pg_stat_statements"] });
const seconds = (process.env["HEDDLE_TEST_SIZE"] ?? "quick") !== "quick" ? 60 : 12;

/** An engine with a role of its own, by which the server counts. It has worked, and waits for more. */
async function startIdle(role: string, listen: boolean) {
  await server().sql(`create role ${role} login superuser password 'secret'`);
  const connectionString = server().url({ user: role, password: "secret" });
  const started = await startEngine({ connectionString, schema: freshSchema(), listen });
  await until(() => started.storage.listening === listen);
  await (await started.engine.runs.start(echo, { n: 1 })).result();
  return started;
}

async function statementsOf(role: string): Promise<number> {
  const [row] = await server().sql<{ calls: string }>(
    "select coalesce(sum(calls), 0) as calls from pg_stat_statements s join pg_roles r on r.oid = s.userid where rolname = $1",
    [role],
  );
  return Number(row?.calls);
}

test(`an idle engine makes at most 0.2 queries a second with notify, 1 without: counted for ${seconds} s`, {
  timeout: 120_000,
}, async () => {
  await server().sql("create extension pg_stat_statements");
  const idle = [await startIdle("hears", true), await startIdle("polls", false)];
  // What the run left to do is done; the first poll, which also sweeps, as one poll a minute does, is yet to come.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const [heard, polled] = [await statementsOf("hears"), await statementsOf("polls")];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const queries = { hears: (await statementsOf("hears")) - heard, polls: (await statementsOf("polls")) - polled };
  console.log(`queries of idle engines in ${seconds} s:`, queries);
  // One more: a period may begin and end with a poll.
  expect(queries.hears).toBeLessThanOrEqual(seconds * 0.2 + 1);
  expect(queries.polls).toBeLessThanOrEqual(seconds + 1);
  expect(queries.hears * queries.polls).toBeGreaterThan(0);
  expect(idle.flatMap(({ errors }) => errors)).toEqual([]);
});

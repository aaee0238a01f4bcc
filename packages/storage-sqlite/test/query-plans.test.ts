import type { RunQuery, ThreadQuery } from "@heddle/core/storage";
import { createQueries, createQueryBuilder, ListQueries } from "@heddle/storage-sql";
import BetterSqlite3 from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sqliteDialect } from "../src/sqlite-dialect.js";
import { openStorage } from "./support/storage.js";

const db = createQueryBuilder(sqliteDialect);
const queries = createQueries(db, sqliteDialect);
const lists = new ListQueries(db, sqliteDialect);

let database: BetterSqlite3.Database;

beforeAll(async () => {
  database = new BetterSqlite3(":memory:");
  await (await openStorage(database)).close();
});

afterAll(() => database.close());

function planOf(sql: string): string[] {
  const parameters = Array.from(sql.matchAll(/\?/g), () => 1);
  const rows = database.prepare<unknown[], { detail: string }>(`explain query plan ${sql}`).all(parameters);
  return rows.map(({ detail }) => detail);
}

describe("no question that is asked often reads all of a table", () => {
  const fixed = Object.entries({
    ...queries,
    claimable: queries.claimable(2),
    lostLeases: queries.lostLeases(2),
    pending: queries.pending(2),
  });
  const statements = fixed.flatMap(([name, query]) =>
    typeof query === "function" ? [] : [[name, query.sql] as const],
  );

  test.each(statements)("%s", (_, sql) => {
    expect(planOf(sql).filter((step) => /^SCAN heddle_\w+$/.test(step))).toEqual([]);
  });

  test.each(["leases", "lostLeases", "dueDelays", "dueDeadlines", "pending", "claimable", "heldBy"] as const)(
    "%s: only indexes that leave settled runs out",
    (name) => {
      const query = queries[name];
      const plan = planOf(typeof query === "function" ? query(2).sql : query.sql);
      const indexes = plan.flatMap((step) => /INDEX (\w+)/.exec(step)?.[1] ?? []);
      const partial = /^heddle_runs_(lease|waiting|deadline|claim)$/;
      expect(indexes.filter((index) => !partial.test(index))).toEqual([]);
      expect(indexes.length).toBeGreaterThan(0);
    },
  );

  test.each([
    ["dueWakes", "heddle_runs_awaiting"],
    ["dueOrphans", "heddle_runs_children"],
  ] as const)("%s: begins with %s, and looks up what that names", (name, index) => {
    const steps = planOf(queries[name].sql).filter((step) => /^(SCAN|SEARCH)/.test(step));
    expect(steps[0]).toContain(`INDEX ${index}`);
    const derived = /^SCAN (child VIRTUAL|parent$)/;
    expect(steps.slice(1).filter((step) => step.startsWith("SCAN") && !derived.test(step))).toEqual([]);
  });

  const page = { sortBy: "createdAt", order: "desc", limit: 50 } as const;
  test.each<[string, RunQuery]>([
    ["heddle_runs_created", page],
    ["heddle_runs_created", { ...page, after: { value: 1, id: "x" } }],
    ["heddle_runs_thread", { ...page, threadId: "t" }],
    ["heddle_runs_thread", { ...page, threadId: null, settledBefore: 1 }],
    ["heddle_runs_parent", { ...page, parentRunId: "r" }],
    ["sqlite_autoindex_heddle_runs_1", { ...page, ids: ["a", "b"] }],
  ])("lists of runs use %s", (index, query) => {
    expect(planOf(lists.runs(query).sql).join()).toContain(`INDEX ${index}`);
  });

  test.each<[string, ThreadQuery]>([
    ["heddle_threads_created", page],
    ["heddle_threads_updated", { ...page, sortBy: "updatedAt", archived: false }],
  ])("lists of threads use %s", (index, query) => {
    expect(planOf(lists.threads(query).sql).join()).toContain(`INDEX ${index}`);
  });
});

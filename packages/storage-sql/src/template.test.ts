import { DummyDriver, Kysely, PostgresAdapter, PostgresQueryCompiler, sql } from "kysely";
import { describe, expect, test } from "vitest";
import { columnValues, type Param, paramLimit, paramList, template, templatePerCount } from "./template.js";

interface Tables {
  boats: { id: string; deck_count: number; sails: 0 | 1 };
}

interface Boat {
  readonly id: string;
  readonly deckCount: number;
  readonly sails: boolean;
}

const columns = { id: "id", deckCount: "deck_count", sails: "sails" } as const;

const db = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: () => {
      throw new Error("compiles only");
    },
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

describe("statement templates", () => {
  test("are compiled once and bound for each call, in the order of the text", () => {
    const find = template<{ id: string; least: number }, unknown>((param) =>
      db
        .selectFrom("boats")
        .select("id")
        .where(
          "deck_count",
          ">=",
          param(({ least }) => least),
        )
        .where("sails", "=", 1)
        .where(
          "id",
          "!=",
          param(({ id }) => id),
        ),
    );
    expect(find.sql).toBe('select "id" from "boats" where "deck_count" >= $1 and "sails" = $2 and "id" != $3');
    expect(find.bind({ id: "a", least: 2 })).toEqual([2, 1, "a"]);
    expect(find.bind({ id: "b", least: 3 })).toEqual([3, 1, "b"]);
  });

  test("flags become 0 and 1, in inserts and updates alike", () => {
    const insert = template<Boat, unknown>((param) =>
      db.insertInto("boats").values(columnValues(param, columns, (boat) => boat)),
    );
    expect(insert.sql).toBe('insert into "boats" ("id", "deck_count", "sails") values ($1, $2, $3)');
    expect(insert.bind({ id: "a", deckCount: 1, sails: true })).toEqual(["a", 1, 1]);
    expect(insert.bind({ id: "b", deckCount: 2, sails: false })).toEqual(["b", 2, 0]);
  });

  test("lists have one text per length, and an empty one matches nothing", () => {
    const byIds = templatePerCount((count) =>
      template((param: Param<{ ids: readonly string[] }>) =>
        db
          .selectFrom("boats")
          .select("id")
          .where(
            "id",
            "in",
            paramList(param, count, ({ ids }) => ids),
          ),
      ),
    );
    expect(byIds(2)).toBe(byIds(2));
    expect(byIds(2).sql).toContain("in ($1, $2)");
    expect(byIds(2).bind({ ids: ["a", "b"] })).toEqual(["a", "b"]);
    expect(byIds(0).sql).toContain("in ($1)");
    expect(byIds(0).bind({ ids: [] })).toEqual([null]);
  });

  test("limits are cast, so that a planner does not look at them", () => {
    const some = template<{ limit: number }, unknown>((param) =>
      db
        .selectFrom("boats")
        .select(sql.lit(1).as("one"))
        .limit(paramLimit(param, ({ limit }) => limit)),
    );
    expect(some.sql).toBe('select 1 as "one" from "boats" limit cast($1 as integer)');
  });
});

import { createEngine, defineAgent } from "@heddle/core";
import { postgresStorage } from "@heddle/storage-postgres";
import { TestServer, freshSchema } from "./support/server.js";
import pg from "pg";
const server = await TestServer.start({ isOwn: true });
try {
  const schema = freshSchema();
  const storage = postgresStorage({ connectionString: server.url(), schema });
  const agent = defineAgent({ name: "echo", async run({ input }) { return { output: input }; } });
  const engine = createEngine({ storage, agents: [agent], concurrency: 64 });
  await engine.start();
  let left = 3000;
  await Promise.all(Array.from({ length: 64 }, async () => { const on = await engine.threads.create(); while (left-- > 0) await (await on.start(agent, { i: left })).result(); }));
  const c = new pg.Client(server.url()); await c.connect();
  const { rows: [h] } = await c.query(`select id, parent_id from ${schema}.heddle_checkpoints where parent_id is not null order by created_at desc limit 1`);
  const run = async (title: string) => { console.log("==", title); const r = await c.query({ text: `explain (analyze, buffers, costs) execute x ('${h.id}', '${h.parent_id}')` }); console.log(r.rows.map((r: any) => r["QUERY PLAN"]).join("\n")); };
  const { createQueries, createQueryBuilder } = await import("@heddle/storage-sql");
  const { postgresDialect } = await import("../src/postgres-dialect.js");
  const q = createQueries(createQueryBuilder(postgresDialect).withSchema(schema), postgresDialect);
  console.log(q.chain.sql, q.chain.bind({ id: "ID", since: "SINCE" } as never));
  let text = q.chain.sql; const b = q.chain.bind({ id: "ID", since: "SINCE" } as never);
  text = text.replace(/\$(\d+)/g, (_, n) => b[Number(n) - 1] === "ID" ? "$1" : "$2");
  await c.query("begin"); await c.query(`prepare x(text, text) as ${text}`);
  await run("custom");
  await c.query("select set_config('plan_cache_mode','force_generic_plan',true), set_config('enable_seqscan','off',true), set_config('enable_hashjoin','off',true), set_config('enable_mergejoin','off',true), set_config('jit','off',true)");
  await run("by keys");
  await c.end();
  await engine.close();
} finally { await server.stop(); }

import { createEngine, defineAgent } from "@heddle/core";
import { postgresStorage } from "@heddle/storage-postgres";
import { TestServer, freshSchema } from "./support/server.js";
const server = await TestServer.start({ settings: ["fsync=on","shared_buffers=512MB","shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=on"], isOwn: true });
try {
  await server.sql("create extension pg_stat_statements");
  const storage = postgresStorage({ connectionString: server.url(), schema: freshSchema(), listen: process.env.LISTEN === "1" });
  const agent = defineAgent({ name: "echo", async run({ input }) { return { output: input }; } });
  const engine = createEngine({ storage, agents: [agent], concurrency: 64 });
  engine.on("error", (e) => console.log("ERR", e.during, e.error));
  await engine.start();
  const threads = process.env.THREADS === "1";
  for (const total of [5000, 10000, 10000]) {
    await server.sql("select pg_stat_statements_reset()");
    const t = performance.now(); let left = total;
    const cpu = process.cpuUsage();
    await Promise.all(Array.from({ length: 64 }, async () => { const on = threads ? await engine.threads.create() : engine.runs; while (left-- > 0) await (await on.start(agent, { i: left })).result(); }));
    const s = (performance.now() - t) / 1000; const c = process.cpuUsage(cpu);
    console.log(total, "runs/s", (total / s).toFixed(0), "secs", s.toFixed(2), "node cpu us/run", ((c.user + c.system) / total).toFixed(0));
    for (const r of await server.sql<any>("select left(regexp_replace(query, 'test_[0-9a-f]*', 'S'), 90) q, calls, total_exec_time::numeric(10,1) ex, total_plan_time::numeric(10,1) pl, (total_exec_time/greatest(calls,1))::numeric(10,3) per, shared_blks_hit hit from pg_stat_statements order by total_exec_time + total_plan_time desc limit 12")) console.log(String(r.ex).padStart(8), String(r.pl).padStart(8), String(r.calls).padStart(6), r.per, r.hit, r.q);
  }
  await engine.close();
} finally { await server.stop(); }

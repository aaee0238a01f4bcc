import { createEngine, defineAgent } from "@heddle/core";
import { postgresStorage } from "@heddle/storage-postgres";
import { TestServer, freshSchema } from "./support/server.js";
import pg from "pg";

const server = await TestServer.start({ settings: (process.env.PGSET ?? "fsync=on,synchronous_commit=on,shared_buffers=512MB").split(","), isOwn: true });
try {
  const storage = postgresStorage({ connectionString: server.url(), schema: freshSchema(), listen: process.env.LISTEN !== "0" });
  const agent = defineAgent({ name: "echo", async run({ input }) { return { output: input }; } });
  const engine = createEngine({ storage, agents: [agent], concurrency: 64 });
  engine.on("error", (e) => console.log("ERR", e.during, e.error));
  await engine.start();
  for (const n of [200, 200]) for (let i = 0; i < n; i++) await (await engine.runs.start(agent, { i })).result();
  const lat: number[] = [];
  for (let i = 0; i < 1000; i++) { const t = performance.now(); await (await engine.runs.start(agent, { i })).result(); lat.push(performance.now() - t); }
  lat.sort((a, b) => a - b);
  console.log("single start→result ms median", lat[500]!.toFixed(2), "p99", lat[990]!.toFixed(2));
  for (const total of [5000, 10000]) {
    const t = performance.now(); let left = total;
    const cpu = process.cpuUsage();
    await Promise.all(Array.from({ length: 64 }, async () => { while (left-- > 0) await (await engine.runs.start(agent, { i: left })).result(); }));
    const s = (performance.now() - t) / 1000; const c = process.cpuUsage(cpu);
    console.log("stateless", total, "runs/s", (total / s).toFixed(0), "node cpu us/run", ((c.user + c.system) / total).toFixed(0));
  }
  {
    const total = 5000; let left = total; const t = performance.now();
    await Promise.all(Array.from({ length: 64 }, async (_, w) => { const th = await engine.threads.create(); while (left-- > 0) await (await th.start(agent, { i: left })).result(); }));
    console.log("threads", total, "runs/s", (total / ((performance.now() - t) / 1000)).toFixed(0));
  }
  await engine.close();
} finally { await server.stop(); }

import { TestServer } from "./support/server.js";
import pg from "pg";
const server = await TestServer.start({ settings: (process.env.PGSET ?? "fsync=on,synchronous_commit=on,shared_buffers=512MB").split(","), isOwn: true });
try {
  const c = new pg.Client({ connectionString: server.url() }); await c.connect();
  await c.query("create table t (id bigserial primary key, x text)");
  const med = async (name: string, f: () => Promise<unknown>) => { const l: number[] = []; for (let i = 0; i < 600; i++) { const t = performance.now(); await f(); l.push(performance.now() - t); } l.sort((a, b) => a - b); console.log(name, l[300]!.toFixed(3), l[570]!.toFixed(3)); };
  await med("select 1", () => c.query("select 1"));
  await med("prepared select", () => c.query({ name: "a", text: "select 1" }));
  await med("begin;commit", async () => { await c.query("begin"); await c.query("commit"); });
  await med("insert autocommit", () => c.query({ name: "i", text: "insert into t (x) values ($1)", values: ["x".repeat(500)] }));
} finally { await server.stop(); }

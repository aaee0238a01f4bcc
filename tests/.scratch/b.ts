import { rmSync } from "node:fs";
import { createEngine, defineAgent, memoryStorage } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";

const echo = defineAgent({ name: "echo", run: ({ input }) => ({ output: input }) });
for (const [name, storage] of [
  ["memory", memoryStorage()],
  [
    "sqlite",
    (rmSync("/tmp/b.db", { force: true }), rmSync("/tmp/b.db-wal", { force: true }), sqliteStorage("/tmp/b.db")),
  ],
] as const) {
  const engine = createEngine({ storage, agents: [echo] });
  await engine.start();
  const n = Number(process.argv[2] ?? 5000);
  for (let k = 0; k < 4; k++) {
    const t = performance.now();
    const hs = [];
    for (let i = 0; i < n; i++) hs.push(engine.runs.start(echo, "x" + i).then((h) => h.result()));
    await Promise.all(hs);
    console.log(name, n, "runs", (performance.now() - t).toFixed(0), "ms");
  }
  const lat = [];
  for (let i = 0; i < 300; i++) {
    const t = performance.now();
    await (await engine.runs.start(echo, 1)).result();
    lat.push(performance.now() - t);
  }
  lat.sort((a, b) => a - b);
  console.log(name, "p50 ms", lat[150]);
  await engine.close();
}

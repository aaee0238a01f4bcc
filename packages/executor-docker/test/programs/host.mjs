// A host with a database file: it starts a run in a container that would go on for ever, and waits to be killed.
// Arguments: the database, the image, JSON options of the executor, and how many runs to start (0: only look after others').
import { createEngine, defineAgent } from "@heddle/core";
import { dockerExecutor } from "@heddle/executor-docker";
import { sqliteStorage } from "@heddle/storage-sqlite";

const [database = "", image = "", options = "{}", runs = "1"] = process.argv.slice(2);
/** Deaf to everything but SIGKILL, the end of its input included. */
const code = `
process.on("SIGTERM", () => {});
process.stdin.resume();
process.stdout.write('{"type":"event","event":"ready"}\\n');
setInterval(() => {}, 1000);`;

const executor = dockerExecutor({ image, command: ["node", "-e", code], ...JSON.parse(options) });
const deaf = defineAgent({ name: "deaf", executor, retry: { maxCrashes: 1 } });
const engine = createEngine({
  storage: sqliteStorage(database),
  agents: [deaf],
  lease: 2_000,
  heartbeat: 500,
  cancelGrace: 1_000,
});
await engine.start();
for (let count = 0; count < Number(runs); count++) {
  const run = await engine.runs.start(deaf, null);
  void (async () => {
    for await (const frame of run.events()) if (frame.kind === "event" && frame.type === "ready") console.log(run.id);
  })();
}
if (Number(runs) === 0) console.log("watching");

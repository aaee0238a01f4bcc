/** OpenWorkflow, on Postgres and, where Node has SQLite built in, on SQLite. A run is a workflow without steps. */

import { OpenWorkflow } from "openworkflow";
import { BackendPostgres } from "openworkflow/postgres";
import { BackendSqlite } from "openworkflow/sqlite";
import { metered, meteredEach } from "../../src/meter.js";
import { numberedFiles } from "../../src/numbered-files.js";
import { numberedSchemas } from "../../src/numbered-schemas.js";
import type { Round, System } from "../../src/system.js";
import { atOnce, inLanes } from "../../src/workload.js";

export type OpenWorkflowOptions =
  | { readonly backend: "postgres"; readonly url: string }
  | { readonly backend: "sqlite"; readonly folder: string };

type Backend = BackendPostgres | BackendSqlite;

export function createSystem(options: OpenWorkflowOptions): System {
  const backends = backendsOf(options);

  async function working(work: (run: (n: number) => Promise<void>) => Promise<Round>): Promise<Round> {
    const backend = await backends();
    const client = new OpenWorkflow({ backend });
    const echo = client.defineWorkflow({ name: "echo" }, async ({ input }: { input: { n: number } }) => input);
    const worker = client.newWorker({ concurrency: atOnce });
    await worker.start();
    try {
      return await work(async (n) => void (await (await echo.run({ n })).result()));
    } finally {
      await worker.stop();
      await backend.stop();
    }
  }

  return {
    // Its waiters poll: the full number of runs takes minutes, and would show the same.
    stateless: ({ runs }) => {
      const some = Math.min(runs, 10 * atOnce);
      return working((run) => metered(some, () => inLanes(some, atOnce, run)));
    },
    single: ({ single }) => working((run) => meteredEach(Math.min(single, 50), run)),
  };
}

function backendsOf(options: OpenWorkflowOptions): () => Promise<Backend> {
  if (options.backend === "sqlite") {
    const files = numberedFiles(options.folder, "openworkflow");
    return async () => BackendSqlite.connect(files());
  }
  const schemas = numberedSchemas(options.url, "openworkflow");
  return async () => BackendPostgres.connect(options.url, { schema: await schemas() });
}

/**
 * pg-boss. A run is a job, sent one by one as its callers come; one worker fetches up to 64, and completes them together,
 * which stores no output. The caller goes on once the completion is committed.
 */

import PgBoss from "pg-boss";
import { metered, meteredEach } from "../../src/meter.js";
import { numberedSchemas } from "../../src/numbered-schemas.js";
import type { Round, System } from "../../src/system.js";
import { atOnce, inLanes, turnOfTheLoop } from "../../src/workload.js";

const queue = "echo";

interface Job {
  readonly n: number;
}

export function createSystem({ url }: { readonly url: string }): System {
  const schemas = numberedSchemas(url, "pgboss");

  async function started(work: (run: (n: number) => Promise<void>) => Promise<Round>): Promise<Round> {
    const boss = new PgBoss({
      connectionString: url,
      schema: await schemas(),
      max: 10,
      schedule: false,
      supervise: false,
    });
    await boss.start();
    await boss.createQueue(queue);
    const worker = new Worker(boss);
    try {
      return await work((n) => worker.run(n));
    } finally {
      await worker.stop();
      await boss.stop({ graceful: false, wait: true });
    }
  }

  return {
    stateless: ({ runs }) => started((run) => metered(runs, () => inLanes(runs, atOnce, run))),
    single: ({ single }) => started((run) => meteredEach(single, run)),
  };
}

/** pg-boss's own worker looks twice a second at most; this one looks again at once as long as there are jobs. */
class Worker {
  readonly #boss: PgBoss;
  readonly #waiting = new Map<string, () => void>();
  /** Jobs whose callers do not yet know their ids. */
  readonly #completed = new Set<string>();
  readonly #done: Promise<void>;
  #stopped = false;

  constructor(boss: PgBoss) {
    this.#boss = boss;
    this.#done = this.#work();
  }

  async run(n: number): Promise<void> {
    const id = await this.#boss.send(queue, { n } satisfies Job);
    if (id === null) throw new Error("the job was not taken");
    // Perhaps the worker was faster than the answer to `send`.
    if (this.#completed.delete(id)) return;
    await new Promise<void>((resolve) => this.#waiting.set(id, resolve));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #work(): Promise<void> {
    while (!this.#stopped) {
      if (this.#waiting.size === 0) {
        await turnOfTheLoop();
        continue;
      }
      const jobs = await this.#boss.fetch<Job>(queue, { batchSize: atOnce });
      if (jobs.length === 0) continue;
      await this.#boss.complete(
        queue,
        jobs.map(({ id }) => id),
      );
      for (const { id } of jobs) this.#tell(id);
    }
  }

  #tell(id: string): void {
    const caller = this.#waiting.get(id);
    if (caller === undefined) this.#completed.add(id);
    this.#waiting.delete(id);
    caller?.();
  }
}

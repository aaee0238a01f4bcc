/** The ways to a server on which the same must hold: straight, and through a pooler in transaction mode. */

import type { PostgresStorageOptions } from "@heddle/storage-postgres";
import { afterAll, beforeAll, describe } from "vitest";
import { hasPgBouncer, PgBouncer } from "./pgbouncer.js";
import type { TestServer } from "./server.js";

export type Way = Pick<PostgresStorageOptions, "connectionString" | "prepare" | "listen">;

/** The same tests once per way. */
export function onEachWay(server: () => TestServer, tests: (way: () => Way) => void): void {
  describe("straight to the server", () => tests(() => ({ connectionString: server().url() })));
  describe.runIf(hasPgBouncer)("through PgBouncer in transaction mode", () => tests(usePgBouncer(server)));
}

/** A pooler for this file or block. It cannot listen, so listening goes around it. */
export function usePgBouncer(server: () => TestServer): () => Way {
  let pgBouncer: PgBouncer | undefined;
  beforeAll(async () => {
    if (hasPgBouncer) pgBouncer = await PgBouncer.start(server());
  });
  afterAll(() => pgBouncer?.stop());
  return () => ({
    connectionString: pgBouncer?.url(server()) ?? "",
    prepare: false,
    listen: { connectionString: server().url() },
  });
}

/** An agent whose outcomes the host writes down in a table of its own, with the settle. */

import { defineAgent } from "@heddle/core";
import type { PostgresHost } from "@heddle/storage-postgres";
import type { SqliteHost } from "@heddle/storage-sqlite";
import { type PostgresDatabase, storageAt } from "../support/storage-at.js";

export type Order = "succeed" | "throw" | "change values" | "refuse" | "cancel";

interface Tables {
  outcomes: { run_id: string; status: string };
}

/** @param onSettling is called when the settle's transaction is under way */
export function hookedAgent(database: string, onSettling: () => void) {
  const schema = database.startsWith("{") ? (JSON.parse(database) as PostgresDatabase).schema : undefined;
  return defineAgent({
    name: "hooked",
    async run({ input, signal }) {
      const order = input as Order;
      if (order === "throw") throw new Error("as it was told");
      if (order === "cancel") await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return { output: order, ...(order === "change values" ? { values: { changed: true } } : {}) };
    },
    async onSettle(tx, settled) {
      onSettling();
      const rows = (tx.host as PostgresHost | SqliteHost).kysely<Tables>();
      const table = schema === undefined ? rows : rows.withSchema(schema);
      await table.insertInto("outcomes").values({ run_id: settled.id, status: settled.status }).execute();
      if (settled.input === "refuse") throw new Error("the hook refuses");
    },
  });
}

/** The host's table, beside Heddle's own. */
export async function createOutcomes(database: string): Promise<void> {
  const storage = storageAt(database);
  await storage.open({ clock: { isSystemClock: true, now: Date.now, setTimer: () => () => {}, turn: async () => {} } });
  const schema = database.startsWith("{") ? `"${(JSON.parse(database) as PostgresDatabase).schema}".` : "";
  const create = `create table ${schema}outcomes (run_id text not null, status text not null)`;
  await storage.transaction(async ({ host }) => {
    if ("client" in (host as PostgresHost | SqliteHost)) await (host as PostgresHost).client.query(create);
    else (host as SqliteHost).database.exec(create);
  });
  await storage.close();
}

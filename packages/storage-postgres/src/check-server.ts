/** What must be right before the first run: an engine that cannot write should say so when it starts. */

import { HeddleError } from "@heddle/core/storage";
import type { Clients } from "./clients.js";
import { quoteText, type SchemaNames } from "./schema-names.js";
import { Statements } from "./statement.js";

/** @throws HeddleError STORAGE_READONLY, STORAGE_UNAVAILABLE */
export async function checkServer(clients: Clients, names: SchemaNames): Promise<void> {
  const [answer] = await clients.use((session) => session.run([new Statements(false).once(question(names), [])]));
  const { user, encoding, standby, missing } = answer?.rows[0] ?? {};
  if (encoding !== "UTF8") {
    const message = `The database's encoding is ${encoding}, which cannot hold every text. Create it with encoding UTF8.`;
    throw new HeddleError("STORAGE_UNAVAILABLE", message, { details: { encoding } });
  }
  if (standby === "t") {
    throw new HeddleError("STORAGE_READONLY", "The server is a standby and takes no writes. Connect to the primary.");
  }
  if (missing !== null) throw lacksRights(names, String(user), String(missing));
}

function question({ tables, migrations }: SchemaNames): string {
  const rights = tables.flatMap((table) => {
    const wanted = table === migrations ? ["SELECT"] : ["SELECT", "INSERT", "UPDATE", "DELETE"];
    return wanted.map((right) => `(${quoteText(table)}, ${quoteText(right)})`);
  });
  return (
    "select current_user as user, current_setting('server_encoding') as encoding, pg_is_in_recovery() as standby, " +
    `(select string_agg(r || ' on ' || t, ', ') from (values ${rights.join(", ")}) as w (t, r) ` +
    "where not has_table_privilege(t, r)) as missing"
  );
}

function lacksRights({ quoted }: SchemaNames, user: string, missing: string): HeddleError {
  return new HeddleError(
    "STORAGE_READONLY",
    `Role "${user}" lacks rights: ${missing}. Run, as the tables' owner: grant usage on schema ${quoted} to "${user}"; ` +
      `grant select, insert, update, delete on all tables in schema ${quoted} to "${user}".`,
    { details: { role: user, missing } },
  );
}

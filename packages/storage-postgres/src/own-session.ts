/**
 * Whether a client keeps its session. Behind a pooler in transaction mode each transaction has another one, and what it
 * leaves there, as LISTEN does, is somebody else's: PgBouncer (1.18, seen) takes a notification that arrives while it
 * checks an idle connection for the check's end, and answers the next client with what was meant for itself.
 */

/** What we use of a client of pg. */
export interface SessionClient {
  /** The server process that the client was told of at its login. Poolers make one up. */
  readonly processID?: unknown;
  connect(): Promise<unknown>;
  query(text: string): Promise<unknown>;
  end(): Promise<void>;
  on(event: "error" | "end", listener: () => void): unknown;
}

/** A pooler that hands out its connections in turn has more than two of them, or shows itself within so many. */
const rounds = 3;

/**
 * Asks only, and leaves nothing behind.
 * @param client connected
 * @param createClient makes another one, with the same route to the server
 */
export async function hasOwnSession(client: SessionClient, createClient: () => SessionClient): Promise<boolean> {
  const own = await serverProcessOf(client);
  if (own === client.processID) return true;
  const other = createClient();
  const end = () => other.end().catch(() => {});
  other.on("error", () => {});
  // A busy pooler may keep it waiting for longer than anybody wants to know.
  client.on("end", () => void end());
  try {
    await other.connect();
    for (let round = 0; round < rounds; round++) {
      // It takes the session that was used last, or keeps it from the client.
      await other.query("begin");
      if ((await serverProcessOf(other)) === own || (await serverProcessOf(client)) !== own) return false;
      await other.query("rollback");
    }
    return true;
  } finally {
    await end();
  }
}

async function serverProcessOf(client: SessionClient): Promise<number> {
  const { rows } = (await client.query("select pg_backend_pid() as pid")) as { readonly rows: readonly unknown[] };
  return Number((rows[0] as { readonly pid?: unknown } | undefined)?.pid);
}

/** Pools and clients, ours or like the host's. */

import pg from "pg";
import type { PgPool } from "./clients.js";
import type { ListenClient } from "./listener.js";
import type { Settings } from "./options.js";

export interface Connected {
  readonly pool: PgPool;
  /** A client that is not the pool's; `undefined` where nobody said how to make one. */
  readonly createClient: (() => ListenClient) | undefined;
  /** Ends what we made. */
  end(): Promise<void>;
}

export function connect({ source, listen, wait, queryTimeout }: Settings): Connected {
  if ("pool" in source) {
    return { pool: source.pool, createClient: clientFor(listen, () => likeThoseOf(source.pool)), end: async () => {} };
  }
  const { connectionString, connections } = source;
  const pool = new pg.Pool({
    connectionString,
    max: connections,
    connectionTimeoutMillis: wait,
    // For the host's own statements in our transactions. Ours are timed whoever's pool it is.
    query_timeout: queryTimeout,
    keepAlive: true,
    application_name: "heddle",
  });
  return { pool, createClient: clientFor(listen, () => listenClient({ connectionString })), end: () => pool.end() };
}

function clientFor(listen: Settings["listen"], likeThePool: () => ListenClient | undefined): Connected["createClient"] {
  if (listen === false) return undefined;
  return () => {
    const client = listen === true ? likeThePool() : listenClient(listen);
    if (client === undefined) throw new Error("the pool does not say how it connects");
    return client;
  };
}

function listenClient(config: pg.ClientConfig): ListenClient {
  return new pg.Client({ ...config, keepAlive: true, application_name: "heddle listener" });
}

/** With the host's own kind of client: it knows how to reach the host's server. */
function likeThoseOf(pool: PgPool): ListenClient | undefined {
  const { Client, options } = pool as {
    readonly Client?: new (config: object) => ListenClient;
    readonly options?: object;
  };
  if (options === undefined) return undefined;
  return Client === undefined ? new pg.Client(options) : new Client(options);
}

import pg from "pg";

/** Names of schemas, a new one each time; the one before is dropped with all that is in it. */
export function numberedSchemas(url: string, name: string): () => Promise<string> {
  const prefix = `bench_${name}_${process.pid}`;
  let count = 0;
  return async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`set client_min_messages = warning; drop schema if exists ${prefix}_${count} cascade`);
    await client.end();
    return `${prefix}_${++count}`;
  };
}

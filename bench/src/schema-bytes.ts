import pg from "pg";

/** Of all tables of a schema, with their indexes and long texts. */
export async function schemaBytes(url: string, schema: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ bytes: string }>(
    `select sum(pg_total_relation_size(oid)) as bytes from pg_class
     where relkind = 'r' and relnamespace = $1::regnamespace`,
    [schema],
  );
  await client.end();
  return Number(rows[0]?.bytes);
}

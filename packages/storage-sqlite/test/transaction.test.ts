import { join } from "node:path";
import type { Storage } from "@heddle/core/storage";
import { StorageDriver } from "@heddle/core/testing";
import type { SqliteHost } from "@heddle/storage-sqlite";
import { describe, expect, test } from "vitest";
import { testDirectory } from "./support/directory.js";
import { newThread } from "./support/intents.js";
import { openStorage, realClock } from "./support/storage.js";

interface Host {
  orders: { id: string };
}

async function openWithOrders(): Promise<Storage<SqliteHost>> {
  const storage = await openStorage(join(testDirectory(), "agents.db"));
  await storage.transaction(async ({ host }) => {
    await host.kysely<Host>().schema.createTable("orders").addColumn("id", "text").execute();
  });
  return storage;
}

async function orders(storage: Storage<SqliteHost>): Promise<string[]> {
  const { result } = await storage.transaction(({ host }) =>
    host.kysely<Host>().selectFrom("orders").select("id").execute(),
  );
  return result.map(({ id }) => id);
}

describe("engine.transaction on SQLite", () => {
  test("the host's rows and Heddle's commit together", async () => {
    const storage = await openWithOrders();
    const { effects } = await storage.transaction(async (tx) => {
      await tx.host.kysely<Host>().insertInto("orders").values({ id: "o1" }).execute();
      tx.host.database.prepare("insert into orders values (?)").run("o2");
      await tx.apply(newThread("t"));
      await tx.apply({ kind: "update_thread", id: "t", title: "o1 and o2", maxMetadata: 100 });
    });
    expect(await orders(storage)).toEqual(["o1", "o2"]);
    expect(await storage.threads.get("t")).toMatchObject({ title: "o1 and o2" });
    expect(effects.map(({ type }) => type)).toEqual(["thread"]);
  });

  test("a body that throws undoes both, and its error comes out as it is", async () => {
    const storage = await openWithOrders();
    const mistake = new RangeError("no such order");
    const body = storage.transaction(async (tx) => {
      await tx.host.kysely<Host>().insertInto("orders").values({ id: "o1" }).execute();
      await tx.apply(newThread("t"));
      throw mistake;
    });
    await expect(body).rejects.toBe(mistake);
    expect(await orders(storage)).toEqual([]);
    expect(await storage.threads.get("t")).toBeUndefined();
  });

  test("a refused intent undoes only itself", async () => {
    const storage = await openWithOrders();
    await storage.transaction(async (tx) => {
      await tx.apply(newThread("t"));
      await expect(tx.apply(newThread("t"))).rejects.toMatchObject({ code: "THREAD_EXISTS" });
      await tx.apply(newThread("u"));
    });
    expect(await storage.threads.count({})).toBe(2);
  });

  test("an intent that breaks a constraint undoes only itself", async () => {
    const storage = await openWithOrders();
    const values = { id: "chk_1", encoding: "snapshot", body: "{}", valuesBytes: 2, changedKeys: [] } as const;
    await storage.transaction(async (tx) => {
      await tx.apply({ ...newThread("t"), values });
      await expect(tx.apply({ ...newThread("u"), values })).rejects.toMatchObject({ code: "STORAGE_ERROR" });
      await tx.apply(newThread("v"));
    });
    expect((await storage.threads.list({ sortBy: "createdAt", order: "asc", limit: 9 })).map(({ id }) => id)).toEqual([
      "t",
      "v",
    ]);
  });

  test("what the host changes behind our back in the same transaction is seen", async () => {
    const storage = await openWithOrders();
    await storage.transaction(async (tx) => {
      await tx.apply(newThread("t"));
      tx.host.database.prepare("update heddle_threads set title = 'by hand' where id = 't'").run();
      expect(await tx.apply({ kind: "update_thread", id: "t", archived: true, maxMetadata: 100 })).toMatchObject({
        title: "by hand",
      });
    });
  });

  test("the storage itself may not be used inside: it says so instead of waiting for ever", async () => {
    const storage = await openWithOrders();
    await storage.transaction(async () => {
      const misuse = expect.objectContaining({ code: "TRANSACTION_MISUSE" });
      await expect(storage.runs.get("x")).rejects.toEqual(misuse);
      await expect(storage.commit([newThread("t")])).rejects.toEqual(misuse);
      await expect(storage.transaction(async () => {})).rejects.toEqual(misuse);
      await expect(new StorageDriver(storage).due({ purge: true })).rejects.toEqual(misuse);
    });
    expect(await storage.threads.count({})).toBe(0);
  });

  test("what was begun inside but runs later may use the storage", async () => {
    const storage = await openWithOrders();
    let later: Promise<number> | undefined;
    await storage.transaction(async () => {
      later = (async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return storage.threads.count({});
      })();
    });
    expect(await later).toBe(0);
  });

  test("tx and its query builder end with the transaction", async () => {
    const storage = await openWithOrders();
    const { result: tx } = await storage.transaction(async (tx) => ({ ...tx, kysely: tx.host.kysely<Host>() }));
    const closed = expect.objectContaining({ code: "TRANSACTION_CLOSED" });
    await expect(tx.apply(newThread("t"))).rejects.toEqual(closed);
    await expect(tx.kysely.selectFrom("orders").selectAll().execute()).rejects.toEqual(closed);
    expect(await storage.threads.count({})).toBe(0);
  });

  test("the query builder begins no transaction of its own", async () => {
    const storage = await openWithOrders();
    const body = storage.transaction(({ host }) =>
      host
        .kysely<Host>()
        .transaction()
        .execute(async () => {}),
    );
    await expect(body).rejects.toMatchObject({ code: "TRANSACTION_MISUSE" });
  });

  test("a body that ends the transaction by hand is told", async () => {
    const storage = await openWithOrders();
    const body = storage.transaction(async ({ host }) => void host.database.exec("commit"));
    await expect(body).rejects.toMatchObject({ code: "TRANSACTION_MISUSE" });
    await new StorageDriver(storage).start();
  });

  test("time stands still in a transaction", async () => {
    const storage = await openWithOrders();
    const { result } = await storage.transaction(async (tx) => {
      const first = await tx.apply(newThread("t"));
      await new Promise((resolve) => setTimeout(resolve, 5));
      return [first, await tx.apply(newThread("u"))] as { createdAt: number }[];
    });
    expect(new Set(result.map(({ createdAt }) => createdAt)).size).toBe(1);
  });

  test("a long transaction holds up nobody else's turn order", async () => {
    const storage = await openWithOrders();
    const order: string[] = [];
    const long = storage.transaction(async () => {
      await realClock.turn();
      order.push("transaction");
    });
    await realClock.turn();
    await Promise.all([
      long,
      storage.commit([newThread("t")]).then(() => order.push("commit")),
      storage.threads.get("t").then((thread) => order.push(`read ${thread?.id}`)),
    ]);
    expect(order).toEqual(["transaction", "commit", "read t"]);
  });
});

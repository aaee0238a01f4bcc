// A second process on the same file. Its parent calls these by name; see child.ts.
import { sqliteStorage } from "@heddle/storage-sqlite";
import BetterSqlite3 from "better-sqlite3";

/** @type {import("@heddle/core/storage").Clock} */
const clock = {
  now: () => Date.now(),
  setTimer: (delay, fire) => {
    const timer = setTimeout(fire, delay);
    return () => clearTimeout(timer);
  },
  turn: () => new Promise((resolve) => setImmediate(resolve)),
};

/** @type {ReturnType<typeof sqliteStorage>} */
let storage;
/** @type {BetterSqlite3.Database} */
let database;

/** @type {Record<string, (...args: any[]) => unknown>} */
const commands = {
  async open(path) {
    storage = sqliteStorage(path);
    await storage.open({ clock });
  },
  close: () => storage.close(),
  async commit(intents) {
    const results = await storage.commit(intents);
    return results.map((result) => (result.ok ? { ok: true } : { ok: false, code: result.error.code }));
  },
  announce: (worker) => storage.work.announce(worker),
  findDead: (workers) => storage.work.findDead(workers),
  /** Adds one to `n` in the host's table, `times` times, reading before writing. */
  async count(times) {
    for (let i = 0; i < times; i++) {
      await storage.transaction(async ({ host }) => {
        const n = Number(host.database.prepare("select n from counter").pluck().get());
        await clock.turn();
        host.database.prepare("update counter set n = ?").run(n + 1);
      });
    }
  },
  /** Take the writer's lock with a connection of one's own and keep it. */
  lock(path) {
    database = new BetterSqlite3(path);
    database.exec("begin immediate");
  },
  unlock() {
    database.exec("commit");
    database.close();
  },
};

/** @param {{ call: number, value?: unknown, error?: unknown }} answer */
const answer = (answer) => process.send?.(answer);

process.on("message", async (/** @type {{ call: number, name: string, args: unknown[] }} */ { call, name, args }) => {
  try {
    answer({ call, value: await commands[name]?.(...args) });
  } catch (error) {
    const { code, message } = /** @type {Error & { code?: string }} */ (error);
    answer({ call, error: { code, message } });
  }
});
answer({ call: 0 });

/** The databases that are troubled, and what can go wrong with each. */

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "../../packages/storage-postgres/test/support/server.js";
import { fillDisk } from "../proofs/support/fill-disk.js";
import type { ChaosOptions } from "./options.js";

/** Answers how long it lasted, ms, or that it did not come to it. */
export interface Trouble {
  readonly kind: string;
  /** ms from one to the next. */
  readonly every: number;
  act(): Promise<number | undefined>;
}

export interface ChaosDatabase {
  /** For the programs: a URL, a path. */
  readonly address: string;
  readonly troubles: readonly Trouble[];
  /** Why some trouble is left out. */
  readonly without?: string;
  /** Keep what is in it for a look, where that can be. */
  keep(folder: string): void;
  stop(): Promise<void>;
}

/** @param folder an empty one for the database */
export async function startDatabase(options: ChaosOptions, folder: string): Promise<ChaosDatabase> {
  return options.storage === "postgres" ? startPostgres(options) : startSqlite(folder);
}

async function startPostgres({ restartEvery }: ChaosOptions): Promise<ChaosDatabase> {
  const server = await TestServer.start({ isOwn: true });
  const restart = async (): Promise<number> => {
    const from = performance.now();
    await server.crash();
    await server.start();
    return performance.now() - from;
  };
  /** The server may be down just now. */
  const disconnect = async (): Promise<number | undefined> => {
    const cut = await server
      .sql(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where pid <> pg_backend_pid() and backend_type = 'client backend' order by random() limit 3`,
      )
      .catch(() => []);
    return cut.length > 0 ? 0 : undefined;
  };
  return {
    address: server.url(),
    troubles: [
      { kind: "restart", every: restartEvery, act: restart },
      { kind: "disconnect", every: 1_500, act: disconnect },
    ],
    keep: () => {},
    stop: () => server.stop(),
  };
}

const megabytes = 128;
const fullFor = 1_500;

async function startSqlite(folder: string): Promise<ChaosDatabase> {
  const disk = join(folder, "disk");
  mkdirSync(disk);
  const without = mountSmallDisk(disk);
  const path = join(disk, "runs.db");
  const fill = async (): Promise<number> => {
    const from = performance.now();
    const free = fillDisk(disk);
    await sleep(fullFor);
    free();
    return performance.now() - from;
  };
  return {
    address: path,
    troubles: without === undefined ? [{ kind: "disk_full", every: 8_000, act: fill }] : [],
    ...(without !== undefined && { without: `no full disk: ${without}` }),
    keep(kept) {
      for (const suffix of ["", "-wal"]) {
        if (existsSync(path + suffix)) copyFileSync(path + suffix, join(kept, `runs.db${suffix}`));
      }
    },
    stop: async () => {
      if (without === undefined) execFileSync("umount", ["--lazy", disk]);
    },
  };
}

/** In this process's own mount namespace, see `main.ts`. Answers why it could not. */
function mountSmallDisk(folder: string): string | undefined {
  if (process.env[ownMounts] !== "1") return "it needs Linux, and the right to mount";
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** Set where mounts are the process's own. */
export const ownMounts = "HEDDLE_CHAOS_OWN_MOUNTS";

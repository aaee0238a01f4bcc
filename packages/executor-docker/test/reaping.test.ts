/**
 * A host that is killed leaves no container behind for longer than lease and grace, though what runs in it listens to
 * nothing; and whoever cleans up touches nothing that is not Heddle's.
 */

import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Agent, Engine } from "@heddle/core";
import { createEngine } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { containerAgent, docker, image, nodeAgent, untilEvent, withEngine } from "./support/engine.js";
import { minutes, sized } from "./support/size.js";

const lease = 2_000;
const grace = 1_000;
const kills = sized(4, 100);

const hostProgram = fileURLToPath(new URL("programs/host.mjs", import.meta.url));

/** A namespace of process ids of its own, as on another machine: there only the storage tells who is dead. */
const elsewhere = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
const canBeElsewhere = spawnSync(elsewhere[0] ?? "", [...elsewhere.slice(1), "true"]).status === 0;

withEngine("after a SIGKILL of the host", () => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-reaping-"));
  const database = join(folder, "runs.db");
  let next: Engine;
  beforeAll(async () => {
    const agent = { ...containerAgent({ command: ["node", "-e", "0"], reapEvery: 250 }), name: "deaf" } as Agent;
    next = createEngine({
      storage: sqliteStorage(database),
      agents: [agent],
      lease,
      heartbeat: 500,
      cancelGrace: grace,
    });
    await next.start();
  });
  afterAll(async () => {
    await next.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test(`${kills} times: no container is older than lease and grace`, { timeout: 20 * minutes }, async () => {
    const ages: number[] = [];
    for (let kill = 0; kill < kills; kill++) ages.push(await killOne(kill));
    ages.sort((a, b) => a - b);
    const [median, longest] = [ages[ages.length >> 1] ?? 0, ages.at(-1) ?? 0];
    console.log(`${kills} kills: gone after ${median.toFixed(0)} ms (median), ${longest.toFixed(0)} ms (longest)`);
    expect(longest).toBeLessThan(lease + grace);
  });

  /** How long the host's containers outlived it, ms. */
  async function killOne(kill: number): Promise<number> {
    const mark = randomUUID();
    const warm = kill % 4 >= 2 ? 1 : 0;
    const far = kill % 2 === 1 && canBeElsewhere;
    const own = async (): Promise<unknown[]> => {
      const all = await docker.listContainers({ all: true, filters: { label: [`test.host=${mark}`] } });
      // One that still waits for its run goes when it hears that its input ended, or minutes later; this one hears nothing.
      return far ? all.filter(({ Labels, Names }) => "heddle.run" in Labels || Names[0]?.startsWith("/heddle.")) : all;
    };
    const host = await startHost(far, { warm, labels: { "test.host": mark } });
    try {
      await sleep((kill * 37) % 300);
      expect((await own()).length).toBeGreaterThan(0);
    } finally {
      host.kill("SIGKILL");
    }
    const killedAt = performance.now();
    while ((await own()).length > 0 && performance.now() - killedAt < 30_000) await sleep(20);
    const age = performance.now() - killedAt;
    const rest = await docker.listContainers({ all: true, filters: { label: [`test.host=${mark}`] } });
    await Promise.all(rest.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })));
    return age;
  }

  async function startHost(far: boolean, options: object): Promise<ChildProcess> {
    const prefix = far ? elsewhere : [];
    const [command = "", ...args] = [
      ...prefix,
      process.execPath,
      hostProgram,
      database,
      image,
      JSON.stringify(options),
    ];
    const host = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    await once(createInterface({ input: host.stdout as NodeJS.ReadableStream }), "line");
    return host;
  }
});

withEngine("whoever cleans up", () => {
  const sleeper = { Image: image, Cmd: ["node", "-e", "setInterval(() => {}, 1000)"] };
  const foreign = {
    "no labels": {},
    "labels of others": { app: "shop" },
    "some of the labels": { "heddle.run": "run_1", "heddle.attempt": "1" },
    "all labels, of a run that this storage does not know": {
      "heddle.engine": "wrk_x",
      "heddle.token": "t",
      "heddle.run": "run_of_another_database",
      "heddle.attempt": "1",
      "heddle.process": "another-boot pid:[1] 1 1",
    },
  };

  test("leaves alone what is not its own, and what still works", async () => {
    const others = await Promise.all(
      Object.values(foreign).map((Labels) => docker.createContainer({ ...sleeper, Labels })),
    );
    const agent = nodeAgent(
      `await ctx.emit("ready"); await new Promise((r) => setTimeout(r, 1500)); return { output: 1 };`,
      {
        reapEvery: 50,
      },
    );
    const engine = createEngine({ storage: sqliteStorage(":memory:"), agents: [agent] });
    try {
      await engine.start();
      const run = await engine.runs.start(agent, null);
      await untilEvent(run, "ready");
      expect(await run.result()).toBe(1);
      for (const container of others) await container.inspect();
    } finally {
      await engine.close();
      for (const container of others) await container.remove({ force: true, v: true });
    }
  });
});

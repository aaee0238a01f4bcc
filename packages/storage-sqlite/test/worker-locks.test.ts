import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { Child } from "./support/child.js";
import { testDirectory } from "./support/directory.js";
import { newRun } from "./support/intents.js";
import { openDriver, openStorage } from "./support/storage.js";

const theirs = "wrk_01jd5q0000000000000000them";
const ours = "wrk_01jd5q000000000000000000us";

let path: string;
let workers: string;

beforeEach(() => {
  path = join(testDirectory(), "agents.db");
  workers = `${path}-workers`;
});

async function startWorker(): Promise<Child> {
  const child = await Child.start();
  await child.open(path);
  await child.announce(theirs);
  return child;
}

async function holdRun(child: Child, worker = theirs): Promise<void> {
  const claim = { worker, lease: 15_000, agents: ["worker"] };
  await child.commit([{ ...newRun("run_held"), claim }]);
}

describe("a worker's life is provable", () => {
  test("killed: dead at once, for every process that asks", async () => {
    const child = await startWorker();
    const storage = await openStorage(path);
    expect(await storage.work.findDead([theirs])).toEqual([]);
    await child.kill();
    expect(await storage.work.findDead([theirs])).toEqual([theirs]);
    const other = await startOther();
    expect(await other.findDead([theirs])).toEqual([theirs]);
  });

  test("stopped: alive, however often one asks; gone on: alive", async () => {
    const child = await startWorker();
    const storage = await openStorage(path);
    child.signal("SIGSTOP");
    for (let i = 0; i < 3; i++) expect(await storage.work.findDead([theirs])).toEqual([]);
    child.signal("SIGCONT");
    expect(await storage.work.findDead([theirs])).toEqual([]);
    await holdRun(child);
  });

  test("of this process: alive, and asking does not drop its lock", async () => {
    const storage = await openStorage(path);
    const neighbour = await openStorage(path);
    await storage.work.announce(ours);
    for (let i = 0; i < 3; i++) expect(await neighbour.work.findDead([ours])).toEqual([]);
    const other = await startOther();
    expect(await other.findDead([ours])).toEqual([]);
  });

  test("closed in order while it holds a run: dead for whoever is left", async () => {
    const child = await startWorker();
    await holdRun(child);
    const storage = await openStorage(path);
    await child.close();
    expect(await storage.work.findDead([theirs])).toEqual([theirs]);
  });

  test("without a file: not proved, its lease decides", async () => {
    const child = await startWorker();
    const storage = await openStorage(path);
    expect(await storage.work.findDead(["wrk_NEVER"])).toEqual([]);
    rmSync(workers, { recursive: true });
    expect(await storage.work.findDead([theirs])).toEqual([]);
    await child.kill();
    expect(await storage.work.findDead([theirs])).toEqual([]);
  });

  test("a worker whose id is no file name", async () => {
    const odd = ["../büro/Worker 1", "../büro/worker 1", ".", "%41", "é".repeat(255)];
    const storage = await openStorage(path);
    for (const worker of odd) await storage.work.announce(worker);
    expect(readdirSync(workers)).toHaveLength(odd.length);
    const other = await startOther();
    expect(await other.findDead(odd)).toEqual([]);
    await storage.close();
    expect(existsSync(workers)).toBe(false);
  });
});

describe("lock files come and go", () => {
  test("the last to close leaves nothing", async () => {
    const storage = await openStorage(path);
    await storage.work.announce(ours);
    expect(readdirSync(workers)).toEqual([ours]);
    await storage.close();
    expect(existsSync(workers)).toBe(false);
  });

  test("a dead worker's file stays while it holds runs, and goes with the next announcement after", async () => {
    const child = await startWorker();
    await holdRun(child);
    await child.kill();
    const driver = await openDriver(path);
    await driver.storage.work.announce(ours);
    expect(readdirSync(workers).sort()).toEqual([theirs, ours].sort());
    await driver.tend({ id: "run_held", threadId: null }, [theirs]);
    await driver.due({ purge: true });
    expect(readdirSync(workers)).toEqual([ours]);
  });

  test("nor does that of one whose name is too long for a file's", async () => {
    const long = "W".repeat(255);
    const child = await Child.start();
    await child.open(path);
    await child.announce(long);
    await holdRun(child, long);
    await child.kill();
    const driver = await openDriver(path);
    await driver.due({ purge: true });
    expect(await driver.storage.work.findDead([long])).toEqual([long]);
  });

  test("a strange file in the folder harms nobody", async () => {
    const driver = await openDriver(path);
    await driver.storage.work.announce(ours);
    writeFileSync(join(workers, "notes.txt"), "not a lock file, and more than a few bytes long");
    await driver.due({ purge: true });
    expect(readdirSync(workers)).toContain("notes.txt");
  });

  test("in memory there is nothing to announce", async () => {
    const storage = await openStorage(":memory:");
    await storage.work.announce(ours);
    expect(await storage.work.findDead([ours, theirs])).toEqual([]);
  });
});

async function startOther(): Promise<Child> {
  const child = await Child.start();
  await child.open(path);
  return child;
}

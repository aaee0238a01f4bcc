/** Files that an agent leaves are kept with its run, from a process as from a container; what is no file is refused. */

import type { Agent } from "@heddle/core";
import { defineAgent } from "@heddle/core";
import { processExecutor } from "@heddle/executor-process";
import { describe, expect, test } from "vitest";
import { hasEngine, helperUrl, nodeAgent, startEngine } from "./support/engine.js";

const imports = `const fs = await import("node:fs"); const at = (name) => ctx.artifacts + "/" + name;`;

const places: Readonly<Record<string, (body: string, limits?: { artifacts: number }) => Agent>> = {
  process: (body, limits = { artifacts: 4_000_000 }) => {
    const code = `import { serve } from ${JSON.stringify(helperUrl)}; serve(async (ctx) => { ${imports} ${body} });`;
    const args = ["--input-type=module", "-e", code];
    const executor = processExecutor({ command: process.execPath, args, limits });
    return defineAgent({ name: "process", executor }) as Agent;
  },
  docker: (body, limits = { artifacts: 4_000_000 }) => nodeAgent(`${imports} ${body}`, { limits }),
};

describe.each(Object.keys(places).filter((place) => place !== "docker" || hasEngine))("%s", (place) => {
  const agentOf = places[place] as (body: string, limits?: { artifacts: number }) => Agent;

  test("files and folders come back, byte by byte, large ones too", async () => {
    const agent = agentOf(`
      fs.writeFileSync(at("report.txt"), "ä😀");
      fs.writeFileSync(at("empty"), "");
      fs.mkdirSync(at("deep/er"), { recursive: true });
      fs.writeFileSync(at("deep/er/large.bin"), Buffer.alloc(1_300_000, 7));
      return { output: "done" };`);
    await using engine = await startEngine(agent);
    const run = await engine.runs.start(agent, null);
    expect(await run.result()).toBe("done");
    const artifacts = await run.artifacts();
    expect(artifacts.map(({ name, size }) => [name, size])).toEqual([
      ["deep/er/large.bin", 1_300_000],
      ["empty", 0],
      ["report.txt", 6],
    ]);
    expect(Buffer.from(artifacts[2]?.content ?? []).toString()).toBe("ä😀");
    expect(artifacts[0]?.content.every((byte) => byte === 7)).toBe(true);
    const announced = [];
    for await (const frame of run.events())
      if (frame.kind === "event" && frame.type === "artifact") announced.push(frame);
    expect(announced).toHaveLength(5);
    await run.delete();
    await expect(run.artifacts()).rejects.toThrow(/no run/i);
  });

  test.each([
    ["a symlink to a file of the host", `fs.symlinkSync("/etc/passwd", at("x"));`, "INVALID_ARTIFACT"],
    ["a symlink to a folder", `fs.symlinkSync("/etc", at("x"));`, "INVALID_ARTIFACT"],
    [
      "a named pipe",
      `(await import("node:child_process")).execFileSync("python3", ["-c", "import os, sys; os.mkfifo(sys.argv[1])", at("x")]);`,
      "INVALID_ARTIFACT",
    ],
    [
      "too many bytes",
      `fs.writeFileSync(at("x"), Buffer.alloc(70_000)); fs.writeFileSync(at("y"), Buffer.alloc(70_000));`,
      "TOO_LARGE",
    ],
    ["a file too large", `fs.writeFileSync(at("x"), Buffer.alloc(200_000));`, "TOO_LARGE"],
    ["too many files", `for (let i = 0; i < 1001; i++) fs.writeFileSync(at(String(i)), "");`, "TOO_LARGE"],
    ["a name that leads out", `await ctx.emit("artifact", { name: "../../x", data: "" });`, "INVALID_ARTIFACT"],
  ])("%s is refused", async (_name, body, code) => {
    const agent = agentOf(`${body} return { output: 1 };`, { artifacts: 100_000 });
    await using engine = await startEngine(agent);
    const run = await engine.runs.start(agent, null);
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code } });
  });
});

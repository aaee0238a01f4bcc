/** An image is built when it is first needed, for all who wait for it, and whoever reads a run's stream sees it happen. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isEvent } from "@heddle/core";
import { afterAll, expect, test } from "vitest";
import { containerAgent, docker, errorOf, image, startEngine, withEngine } from "./support/engine.js";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function contextWith(dockerfile: string, files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "heddle-image-"));
  folders.push(folder);
  for (const [name, text] of Object.entries({ Dockerfile: dockerfile, ...files }))
    writeFileSync(join(folder, name), text);
  return folder;
}

withEngine("an image", () => {
  test("is built once, with progress in every stream that waits for it", async () => {
    const text = `made at ${Date.now()}`;
    const files = { "answer.txt": text, "secret.txt": "no", ".dockerignore": "secret.txt\n" };
    const context = contextWith(`ARG BASE\nFROM \${BASE}\nCOPY . /app\n`, files);
    const code = "import json, os; print(json.dumps([open('/app/answer.txt').read(), sorted(os.listdir('/app'))]))";
    const agent = containerAgent({
      build: { context, args: { BASE: image } },
      command: ["python3", "-c", code],
      protocol: "json",
    });
    await using engine = await startEngine(agent);
    const runs = await Promise.all([engine.runs.start(agent, null), engine.runs.start(agent, null)]);
    for (const run of runs) {
      const frames = [];
      for await (const frame of run.events()) frames.push(frame);
      expect(await run.result()).toEqual([text, [".dockerignore", "Dockerfile", "answer.txt"]]);
      expect(frames.filter((frame) => isEvent(frame, "image_awaited"))).toMatchObject([{ payload: { how: "build" } }]);
    }
    const third = await engine.runs.start(agent, null);
    const types = [];
    for await (const frame of third.events()) types.push(frame.kind === "event" && frame.type);
    expect(types).not.toContain("image_awaited");
  });

  test("that cannot be built is IMAGE_UNAVAILABLE, and the log says why", async () => {
    const context = contextWith(`FROM ${image}\nRUN ["python3", "-c", "raise SystemExit('no luck')"]\n`);
    const error = await errorOf(containerAgent({ build: { context } }));
    expect(error.code).toBe("IMAGE_UNAVAILABLE");
    expect(JSON.stringify(error)).toContain("no luck");
  });

  test("secrets are not to be seen by inspecting the container", async () => {
    const secret = "s3cr3t-of-the-host";
    const code = `
      let text = "";
      process.stdin.on("data", (data) => { text += data; }).on("end", () => process.exit(0));
      setTimeout(() => process.stdout.write(JSON.stringify({ type: "event", event: "has", payload: text.includes("s3c" + "r3t") }) + "\\n"), 300);`;
    const agent = containerAgent({ command: ["node", "-e", code], secrets: { key: secret }, env: { OPEN: "yes" } });
    await using engine = await startEngine(agent);
    const run = await engine.runs.start(agent, null);
    for await (const frame of run.events()) {
      if (!isEvent(frame, "has")) continue;
      expect(frame.payload).toBe(true);
      break;
    }
    const [container] = await docker.listContainers({ filters: { label: [`heddle.run=${run.id}`] } });
    const seen = JSON.stringify(await docker.getContainer(container?.Id ?? "").inspect());
    expect(seen).toContain("OPEN=yes");
    expect(seen).not.toContain("s3cr3t");
    await run.cancel({ wait: true, grace: 0 });
  });
});

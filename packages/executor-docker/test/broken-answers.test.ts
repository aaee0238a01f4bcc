/** A container engine that dies in the middle of an answer. A server of our own: a real one cannot be made to do it. */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine, defineAgent, memoryStorage } from "@heddle/core";
import { dockerExecutor } from "@heddle/executor-docker";
import { expect, onTestFinished, test } from "vitest";

type Answer = (response: ServerResponse) => void;

const begin = (response: ServerResponse, status: number, body: string): void => {
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": 1_000 });
  response.write(body);
};

const ways: Record<string, Answer> = {
  "before the first byte of the body": (response) => response.writeHead(200).flushHeaders(),
  "in the middle of the body": (response) => begin(response, 200, '{"Id":'),
  "in the middle of what went wrong": (response) => begin(response, 500, '{"message":'),
};

test.each(Object.entries(ways))("which breaks off %s, fails the run", async (_, answer) => {
  const socketPath = await listen((response) => {
    answer(response);
    setTimeout(() => response.destroy(), 20);
  });
  const agent = defineAgent({ name: "far", executor: dockerExecutor({ image: "any", engine: { socketPath } }) });
  const engine = createEngine({ storage: memoryStorage(), agents: [agent] });
  engine.on("error", () => {});
  await engine.start();
  const outcome = await (await engine.runs.start(agent, {})).settled();
  expect(outcome).toMatchObject({ status: "failed", error: { code: "EXECUTOR_UNAVAILABLE" } });
  await engine.close();
});

async function listen(answer: Answer): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "heddle-broken-"));
  const path = join(folder, "engine.sock");
  const server = createServer((_request, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return path;
}

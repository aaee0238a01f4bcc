import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readWholeAnswers } from "./whole-answers.js";

describe("an engine that takes its time", () => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-answers-"));
  const socketPath = join(folder, "engine.sock");
  const server = createServer((request, response) => {
    if (request.url === "/_ping") return; // hangs
    response.writeHead(200).flushHeaders();
    setTimeout(() => response.end('{"StatusCode":3}'), 300);
  });
  const docker = new Docker({ socketPath });
  readWholeAnswers(docker, 100);

  beforeEach(() => new Promise<void>((resolve) => server.listen(socketPath, resolve)));
  afterEach(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("fails a call that it does not begin to answer, and waits as long as it takes for one that it has begun", async () => {
    await expect(docker.ping()).rejects.toThrow("it gave no answer within 0.1 s");
    expect(await docker.getContainer("any").wait()).toEqual({ StatusCode: 3 });
  });
});

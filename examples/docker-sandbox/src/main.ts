/**
 * Untrusted code from a run's input, in a container of its own: what it prints comes back, whatever else it tries is
 * contained, and its neighbours do not notice. The runner knows nothing of Heddle: it reads JSON and prints JSON.
 *
 * Needs a container engine. The image needs Python and nothing else; HEDDLE_EXAMPLE_IMAGE names another one.
 */

import { createEngine, defineAgent, memoryStorage } from "@heddle/core";
import { dockerExecutor } from "@heddle/executor-docker";
import { z } from "zod";

const image = process.env["HEDDLE_EXAMPLE_IMAGE"] ?? "python:3.13-alpine";

const runner = `
import contextlib, io, json, sys
code = json.load(sys.stdin)["code"]
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    exec(code, {"__name__": "__main__"})
print(json.dumps({"printed": printed.getvalue()}))`;

const sandbox = defineAgent({
  name: "sandbox",
  input: z.object({ code: z.string() }),
  output: z.object({ printed: z.string() }),
  attemptTimeout: 5_000,
  executor: dockerExecutor({
    image,
    command: ["python3", "-c", runner],
    protocol: "json",
    limits: { memory: 128 * 1024 ** 2, cpus: 0.5, pids: 32, output: 100_000 },
  }),
});

const snippets = {
  "the first primes": "print([n for n in range(2, 60) if all(n % d for d in range(2, n))])",
  "a mistake": "print(1 / 0)",
  "calling home": "import urllib.request; print(urllib.request.urlopen('http://192.0.2.1', timeout=5).read())",
  "reading the host's passwords": "print(open('/etc/shadow').read())",
  "planting a file": "open('/usr/planted', 'w').write('x')",
  "a fork bomb": "import os, time\nfor _ in range(1000): os.fork() or time.sleep(30)",
  "a memory hog": "hog = 'x' * 10**9",
  "endless output": "import sys\nwhile True: sys.stderr.write('x' * 1000)",
  "an endless loop": "while True: pass",
};

await using engine = createEngine({ storage: memoryStorage(), agents: [sandbox], concurrency: 4, cancelGrace: 500 });
await engine.start();

const runs = await Promise.all(Object.values(snippets).map((code) => engine.runs.start(sandbox, { code })));
for (const [index, name] of Object.keys(snippets).entries()) {
  const outcome = await runs[index]?.settled();
  if (outcome?.status === "succeeded") console.log(`${name}: ${outcome.output.printed.trim()}`);
  else if (outcome?.status === "failed") console.log(`${name}: ${outcome.error.code}: ${lastWords(outcome.error)}`);
}

function lastWords({ message, details }: { message: string; details?: Readonly<Record<string, unknown>> }): string {
  const log = details?.["log"];
  return Array.isArray(log) && log.length > 0 ? String(log.at(-1)).slice(0, 100) : message;
}

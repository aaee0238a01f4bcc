/**
 * Each safe default holds against a program that tries to get past it; and each of these tests fails where its protection
 * is taken away, which is what the second half shows: with that one option, the same program gets through.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DockerExecutorOptions } from "@heddle/executor-docker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { containerAgent, docker, image, startEngine, withEngine } from "./support/engine.js";

const MiB = 1024 * 1024;

interface Escape {
  /** Python. Prints what it could do; raises what it could not. */
  readonly code: string;
  /** Opened for both halves, so that only one protection is in the way. */
  readonly given?: Partial<DockerExecutorOptions>;
  /** What takes the protection away. */
  readonly opened: Partial<DockerExecutorOptions>;
  readonly contained: RegExp;
}

const escapes: Readonly<Record<string, Escape>> = {
  "no network": {
    code: `
import json, socket, struct, sys
routes = [line.split() for line in open("/proc/net/route")][1:]
gateways = [socket.inet_ntoa(struct.pack("<L", int(route[2], 16))) for route in routes if route[1] == "00000000"]
socket.create_connection(((gateways + ["172.17.0.1"])[0], json.load(sys.stdin)), 3).recv(2)
print(1)`,
    opened: { network: "bridge" },
    contained: /unreachable/,
  },
  "a read-only root": {
    code: "open('/planted', 'w').write('x'); print(1)",
    given: { user: "0:0" },
    opened: { writableRoot: true },
    contained: /Read-only file system/,
  },
  "a small folder in memory": {
    code: `open('/tmp/much', 'wb').write(b'x' * ${100 * MiB}); print(1)`,
    opened: { tmpfs: { "/tmp": 200 * MiB } },
    contained: /No space left/,
  },
  "no capabilities": {
    code: "import os; os.chroot('/'); print(1)",
    given: { user: "0:0" },
    opened: { capabilities: ["SYS_CHROOT"] },
    contained: /Operation not permitted/,
  },
  "no new privileges": {
    code: "import subprocess; subprocess.run(['/setuid-python', '-c', 'import os; os.seteuid(0) if os.geteuid() else print(1)'], check=True)",
    given: { pull: "never" },
    opened: { newPrivileges: true },
    contained: /Operation not permitted/,
  },
  "a user that is not root": {
    code: "import os\nif os.getuid() != 0: raise PermissionError('nobody')\nprint(1)",
    opened: { user: "0:0" },
    contained: /nobody/,
  },
  "limited memory": {
    code: `hog = [b'x' * ${10 * MiB} for _ in range(70)]; print(1)`,
    opened: { limits: { memory: 1500 * MiB } },
    contained: /more memory than it may/,
  },
  "limited CPU": {
    code: `
import os, time
def throttled():
    for path in ("/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat", "/sys/fs/cgroup/cpu,cpuacct/cpu.stat"):
        if os.path.exists(path):
            return int(dict(line.split()[:2] for line in open(path))["nr_throttled"])
began = throttled()
end = time.process_time() + 0.3
while time.process_time() < end:
    if throttled() - began >= 3: raise TimeoutError("throttled")
print(1)`,
    given: { limits: { cpus: 0.1 } },
    opened: { limits: { cpus: 2 } },
    contained: /throttled/,
  },
  "limited processes": {
    code: `
import os, time
for count in range(200):
    if os.fork() == 0:
        time.sleep(60)
print(1)`,
    opened: { limits: { pids: 400 } },
    contained: /temporarily unavailable/,
  },
  "limited output": {
    code: `import sys; sys.stderr.write('x' * ${3 * MiB}); print(1)`,
    given: { limits: { output: MiB } },
    opened: { limits: { output: 10 * MiB } },
    contained: /more than 1048576 bytes/,
  },
};

withEngine("escapes", () => {
  const server = createServer((socket) => socket.end("hi"));
  let setuidImage = "";
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
    setuidImage = await buildSetuidImage();
  });
  afterAll(() => server.close());

  const tryIt = async ({ code, given = {} }: Escape, opened: Partial<DockerExecutorOptions>): Promise<unknown> => {
    const limits = { ...given.limits, ...opened.limits };
    const options = { image: code.includes("setuid") ? setuidImage : image, protocol: "json", limits } as const;
    const agent = containerAgent({ ...given, ...opened, ...options, command: ["python3", "-c", code] });
    await using engine = await startEngine(agent);
    const { port } = server.address() as AddressInfo;
    const outcome = await (await engine.runs.start(agent, port)).settled();
    return outcome.status === "failed" ? JSON.stringify(outcome.error) : outcome.status;
  };

  // Some of them take all that there is, and the machine may be busy with other tests.
  describe.each(Object.entries(escapes))("%s", { timeout: 60_000 }, (_name, attack) => {
    test("holds", async () => expect(await tryIt(attack, {})).toMatch(attack.contained));
    test("is what holds", async () => expect(await tryIt(attack, attack.opened)).toBe("succeeded"));
  });

  test("no socket of the container engine: not itself, not in a folder, not through a link", async () => {
    for (const source of ["/var/run/docker.sock", "/run", "/", "/var/run/"]) {
      const mounts = [{ source, target: "/mnt" }];
      expect(() => containerAgent({ mounts }), source).toThrow(/socket/);
    }
    const mounts = [{ source: "/var/run/docker.sock", target: "/engine.sock" }];
    const code = "import socket; socket.socket(socket.AF_UNIX).connect('/engine.sock'); print(1)";
    const opened = { mounts, engineSocket: true, user: "0:0" };
    expect(await tryIt({ code, opened, contained: /./ }, opened)).toBe("succeeded");
  });
});

/** A Python that runs as root, whoever starts it. */
async function buildSetuidImage(): Promise<string> {
  const context = mkdtempSync(join(tmpdir(), "heddle-setuid-"));
  const script =
    "import os, shutil, sys; shutil.copy(sys.executable, '/setuid-python'); os.chmod('/setuid-python', 0o4755)";
  writeFileSync(join(context, "Dockerfile"), `FROM ${image}\nRUN ["python3", "-c", ${JSON.stringify(script)}]\n`);
  try {
    const stream = await docker.buildImage({ context, src: ["."] }, { t: "heddle-test-setuid" });
    await new Promise((resolve, reject) =>
      docker.modem.followProgress(stream, (error, lines) => (error ? reject(error) : resolve(lines))),
    );
    return "heddle-test-setuid";
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

/** Whoever has the container engine's socket is root on its host: no mount may hold it unless the options say so. */

import { realpathSync } from "node:fs";
import { resolve, sep } from "node:path";
import type { EngineConnection } from "./connection.js";
import type { Mount } from "./options.js";
import { invalid } from "./options.js";

const wellKnown = [
  "/var/run/docker.sock",
  "/run/docker.sock",
  "/run/containerd/containerd.sock",
  "/run/podman/podman.sock",
];

/** @throws HeddleError INVALID_ARGUMENT */
export function refuseEngineSocket(mounts: readonly Mount[], engine: EngineConnection | undefined): void {
  const sockets = socketPaths(engine).flatMap(pathsOf);
  for (const { source } of mounts) {
    const held = pathsOf(source).some((path) => sockets.some((socket) => holds(path, socket)));
    if (held)
      throw invalid("mounts", `must not hold the container engine's socket (${source}), unless "engineSocket" is true`);
  }
}

function socketPaths(engine: EngineConnection | undefined): string[] {
  const own = engine !== undefined && "socketPath" in engine ? [engine.socketPath] : [];
  const { DOCKER_HOST = "", XDG_RUNTIME_DIR } = process.env;
  const named = DOCKER_HOST.startsWith("unix://") ? [DOCKER_HOST.slice("unix://".length)] : [];
  const rootless =
    XDG_RUNTIME_DIR === undefined ? [] : [`${XDG_RUNTIME_DIR}/docker.sock`, `${XDG_RUNTIME_DIR}/podman/podman.sock`];
  return [...own, ...named, ...rootless, ...wellKnown];
}

/** As written, and where its links lead on this host. */
function pathsOf(path: string): string[] {
  try {
    return [resolve(path), realpathSync(path)];
  } catch {
    return [resolve(path)];
  }
}

function holds(folder: string, file: string): boolean {
  return folder === file || file.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

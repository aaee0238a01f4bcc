/** The options as the engine's API takes them. Pure: what a container may do is decided here and nowhere else. */

import type { ContainerCreateOptions } from "dockerode";
import { artifactsMount } from "./artifacts-volume.js";
import type { ContainerLimits, DockerExecutorOptions, Labels, Mount } from "./options.js";
import { defaultTmpfs, defaultUser } from "./options.js";

export function containerConfig(
  options: DockerExecutorOptions,
  image: string,
  limits: ContainerLimits,
  labels: Labels,
): ContainerCreateOptions {
  const { command, workdir, env = {}, user = defaultUser, network = "none" } = options;
  return {
    Image: image,
    Labels: { ...options.labels, ...labels },
    User: user,
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ...(command === undefined ? {} : { Cmd: [...command] }),
    ...(workdir === undefined ? {} : { WorkingDir: workdir }),
    OpenStdin: true,
    // With the host's connection its input ends: a program that listens knows at once that nobody is there any more.
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    NetworkDisabled: network === "none",
    HostConfig: { ...isolation(options, network), ...resources(limits), Mounts: mounts(options, limits, labels) },
  };
}

function isolation(options: DockerExecutorOptions, network: string): ContainerCreateOptions["HostConfig"] {
  const { writableRoot = false, capabilities = [], newPrivileges = false, tmpfs = defaultTmpfs } = options;
  return {
    NetworkMode: network,
    ReadonlyRootfs: !writableRoot,
    Tmpfs: Object.fromEntries(Object.entries(tmpfs).map(([folder, size]) => [folder, tmpfsOptions(size)])),
    CapDrop: ["ALL"],
    CapAdd: [...capabilities],
    SecurityOpt: newPrivileges ? [] : ["no-new-privileges"],
    Privileged: false,
    // A first process that hands signals on and buries the dead; a program need not know that it is alone.
    Init: true,
    // What the program says goes to the attempt and nowhere else: an endless output must not fill the engine's disk.
    LogConfig: { Type: "none", Config: {} },
  };
}

/** A plain command is over before its files could be read. */
function mounts({ mounts: own = [], protocol }: DockerExecutorOptions, limits: ContainerLimits, labels: Labels) {
  return [...own.map(bind), ...(protocol === "json" ? [] : [artifactsMount(limits.artifacts, labels)])];
}

function resources({ memory, cpus, pids }: ContainerLimits): ContainerCreateOptions["HostConfig"] {
  return {
    Memory: memory,
    // Together with swap: so there is none.
    MemorySwap: memory,
    NanoCpus: Math.round(cpus * 1e9),
    PidsLimit: pids,
    Ulimits: [{ Name: "core", Soft: 0, Hard: 0 }],
  };
}

function tmpfsOptions(size: number): string {
  return `rw,nosuid,nodev,size=${size},mode=1777`;
}

function bind({ source, target, writable = false }: Mount) {
  return { Type: "bind", Source: source, Target: target, ReadOnly: !writable } as const;
}

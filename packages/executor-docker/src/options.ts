/** What a host says about the containers of an agent. Whatever is left out is closed. */

import { HeddleError } from "@heddle/core";
import type { ProgramLimits, SecretsSource } from "@heddle/executor-process/protocol";
import { defaultLimits } from "@heddle/executor-process/protocol";
import type { EngineConnection } from "./connection.js";

export interface DockerExecutorOptions {
  /** Pulled where it is missing, see `pull`. This or `build`. */
  readonly image?: string;
  /** Builds the image when it is first needed. This or `image`. */
  readonly build?: ImageBuild;
  /** `missing` (default), `never`, or `always`: once, when it is first needed. */
  readonly pull?: "missing" | "never" | "always";
  /** For a registry that asks who pulls. */
  readonly registry?: RegistryLogin;
  /** In place of the image's own. */
  readonly command?: readonly string[];
  /** Inside of the container. Default: the image's own. */
  readonly workdir?: string;
  /**
   * `heddle` (default): the command speaks the protocol of docs/executors.md. `json`: any command; it reads the run's input
   * as JSON from standard input and prints the output as JSON.
   */
  readonly protocol?: "heddle" | "json";
  /** Visible to everyone who may inspect containers: not for secrets. */
  readonly env?: Readonly<Record<string, string>>;
  /** Given to the agent in its first frame, and nowhere else. Only with `heddle`. */
  readonly secrets?: SecretsSource;
  readonly limits?: Partial<ContainerLimits>;
  /** `none` (default), `bridge`, or the name of a network. */
  readonly network?: string;
  /** Folders or files of the engine's host. Read-only unless told otherwise. */
  readonly mounts?: readonly Mount[];
  /** Let the mounts hold the container engine's own socket, which is as good as root on its host. Default false. */
  readonly engineSocket?: boolean;
  /** May the image's files be written to? They are gone with the container either way. Default false. */
  readonly writableRoot?: boolean;
  /** Folders in memory that can be written to, and their sizes in bytes. Default `{ "/tmp": 64 MiB }`. */
  readonly tmpfs?: Readonly<Record<string, number>>;
  /** Linux capabilities to keep, e.g. `["NET_BIND_SERVICE"]`. Default: none. */
  readonly capabilities?: readonly string[];
  /** May a program gain rights that its parent has not, as with setuid? Default false. */
  readonly newPrivileges?: boolean;
  /** `uid:gid` or a name that the image knows. Default `65534:65534`, which is nobody. */
  readonly user?: string;
  /** The host's own labels. Those that begin with `heddle.` are taken. */
  readonly labels?: Labels;
  /** Containers that wait, started, for the next runs; each is used for one. Default 0. */
  readonly warm?: number;
  /** Default: what `DOCKER_HOST` says, else `/var/run/docker.sock`. */
  readonly engine?: EngineConnection;
  /** ms between looks for containers whose host died. Default 2,000. */
  readonly reapEvery?: number;
}

export type Labels = Readonly<Record<string, string>>;

export interface ImageBuild {
  /** A folder with a Dockerfile; `.dockerignore` is obeyed. */
  readonly context: string;
  /** Default `Dockerfile`. */
  readonly dockerfile?: string;
  readonly args?: Readonly<Record<string, string>>;
}

export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
  /** Default: Docker Hub. */
  readonly serveraddress?: string;
}

export interface Mount {
  readonly source: string;
  /** Absolute, inside of the container. */
  readonly target: string;
  readonly writable?: boolean;
}

export interface ContainerLimits extends ProgramLimits {
  /** Bytes, swap included. Folders in memory count. Default 512 MiB. */
  readonly memory: number;
  /** Default 1. */
  readonly cpus: number;
  /** Processes and threads at once. Default 128. */
  readonly pids: number;
}

const MiB = 1024 * 1024;

export const defaultContainerLimits: ContainerLimits = { ...defaultLimits, memory: 512 * MiB, cpus: 1, pids: 128 };
export const defaultTmpfs: Readonly<Record<string, number>> = { "/tmp": 64 * MiB };
/** Nobody, on every system. */
export const defaultUser = "65534:65534";
export const defaultReapEvery = 2_000;

/** @throws HeddleError INVALID_ARGUMENT naming the field */
export function checkOptions(options: DockerExecutorOptions): void {
  requireRecord("options", options);
  const { image, build, protocol, secrets, pull, warm, mounts, tmpfs, labels, reapEvery } = options;
  if ((image === undefined) === (build === undefined)) throw invalid("image", 'or "build" is needed, and not both');
  if (build === undefined) requireText("image", image);
  else requireRecord("build", build);
  if (build !== undefined) requireText("build.context", build.context);
  requireOneOf("protocol", protocol, ["heddle", "json"]);
  requireOneOf("pull", pull, ["missing", "never", "always"]);
  if (protocol === "json" && secrets !== undefined) throw invalid("secrets", 'need the protocol "heddle"');
  if (warm !== undefined && !(Number.isInteger(warm) && warm >= 0)) throw invalid("warm", "must be a whole number");
  if (Object.keys(labels ?? {}).some((name) => name.startsWith("heddle."))) {
    throw invalid("labels", 'must not begin with "heddle."');
  }
  if (reapEvery !== undefined && !isPositive(reapEvery)) throw invalid("reapEvery", "must be a positive number of ms");
  if (mounts !== undefined && !Array.isArray(mounts)) throw invalid("mounts", "must be a list");
  for (const mount of [...(mounts ?? [])]) checkMount(mount);
  checkTexts(options);
  for (const size of Object.values(tmpfs ?? {})) {
    if (!isPositive(size)) throw invalid("tmpfs", "gives each folder a positive size in bytes");
  }
}

function isPositive(value: unknown): boolean {
  return typeof value === "number" && value > 0;
}

function checkMount(mount: Mount): void {
  requireRecord("mounts", mount);
  requireText("mounts", mount.source);
  requireText("mounts", mount.target);
}

function checkTexts(options: DockerExecutorOptions): void {
  for (const field of ["workdir", "network", "user"] as const) {
    if (options[field] !== undefined) requireText(field, options[field]);
  }
  for (const field of ["command", "capabilities"] as const) {
    const list: unknown = options[field] ?? [];
    if (!Array.isArray(list) || [...list].some((item) => typeof item !== "string")) {
      throw invalid(field, "must be a list of texts");
    }
  }
  for (const field of ["env", "labels"] as const) {
    const record: unknown = options[field] ?? {};
    requireRecord(field, record);
    if (Object.values(record as object).some((value) => typeof value !== "string"))
      throw invalid(field, "must be of texts");
  }
  if (options.engine !== undefined) requireRecord("engine", options.engine);
  if (options.registry !== undefined) requireRecord("registry", options.registry);
}

function requireRecord(field: string, value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(field, "must be an object");
}

function requireText(field: string, value: unknown): void {
  if (typeof value !== "string" || value === "") throw invalid(field, "must be a text");
}

function requireOneOf(field: string, value: unknown, values: readonly string[]): void {
  if (value === undefined || values.includes(value as string)) return;
  throw invalid(field, `is one of ${values.join(", ")}`);
}

export function invalid(field: string, what: string): HeddleError {
  return new HeddleError("INVALID_ARGUMENT", `"${field}" ${what}.`, { details: { field } });
}

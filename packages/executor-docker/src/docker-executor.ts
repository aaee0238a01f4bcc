/** Runs each attempt in a container of its own, which shares nothing with others and is gone at the end. */

import type { Attempt, AttemptResult, AttemptSession, Executor, ExecutorHost } from "@heddle/core";
import { HeddleError } from "@heddle/core";
import type { ArtifactFile } from "@heddle/executor-process/protocol";
import { converse, LiveAttempts, readSecrets, resolveLimits, runPlainCommand } from "@heddle/executor-process/protocol";
import type Docker from "dockerode";
import { artifactFiles, artifactsPath } from "./artifacts-volume.js";
import { connect } from "./connection.js";
import { containerConfig } from "./container-config.js";
import type { ContainerProgram } from "./container-program.js";
import { startContainer } from "./container-program.js";
import { refuseEngineSocket } from "./engine-socket.js";
import type { ImageListener } from "./image.js";
import { ImageSource } from "./image.js";
import type { ContainerLimits, DockerExecutorOptions } from "./options.js";
import { checkOptions, defaultContainerLimits, defaultReapEvery } from "./options.js";
import { claim, ownershipLabels } from "./ownership.js";
import { Reaper } from "./reaper.js";
import { WarmPool } from "./warm-pool.js";

/**
 * An executor that gives each attempt a container of its own. Unless the options open it: no network, a read-only root
 * with a small folder in memory, no capabilities, no new privileges, nobody's user, limited memory, CPU, processes and
 * output.
 *
 * @example
 * ```ts
 * const analyst = defineAgent({
 *   name: "analyst",
 *   executor: dockerExecutor({ image: "my-analyst:3", limits: { memory: 1024 ** 3 }, secrets: { apiKey } }),
 * });
 * ```
 * @throws HeddleError INVALID_ARGUMENT
 */
export function dockerExecutor(options: DockerExecutorOptions): Executor {
  checkOptions(options);
  if (options.engineSocket !== true) refuseEngineSocket(options.mounts ?? [], options.engine);
  return new DockerExecutor(options, resolveLimits(defaultContainerLimits, options.limits));
}

class DockerExecutor implements Executor {
  readonly name = "docker";
  readonly sharesMemory = false;
  readonly #options: DockerExecutorOptions;
  readonly #limits: ContainerLimits;
  readonly #docker: Docker;
  readonly #image: ImageSource;
  readonly #reaper: Reaper;
  readonly #pool: WarmPool;
  readonly #live = new LiveAttempts();

  constructor(options: DockerExecutorOptions, limits: ContainerLimits) {
    this.#options = options;
    this.#limits = limits;
    this.#docker = connect(options.engine);
    this.#image = new ImageSource(this.#docker, options);
    this.#reaper = new Reaper(this.#docker, options.reapEvery ?? defaultReapEvery);
    this.#pool = new WarmPool(options.warm ?? 0, () => this.#start(undefined, nobody));
  }

  async open(host: ExecutorHost): Promise<void> {
    this.#reaper.open(host);
    this.#pool.open();
  }

  async close(host: ExecutorHost): Promise<void> {
    await this.#reaper.close(host);
    if (!this.#reaper.isOpen) await this.#pool.close();
    await this.#live.fencedOff();
  }

  execute(attempt: Attempt, session: AttemptSession): Promise<AttemptResult> {
    return this.#live.track(attempt, this.#execute(attempt, session));
  }

  async #execute(attempt: Attempt, session: AttemptSession): Promise<AttemptResult> {
    attempt.signal.throwIfAborted();
    const secrets = await readSecrets(this.#options.secrets);
    const program = (await this.#takeWarm(attempt)) ?? (await this.#start(attempt, tell(session, this.#options)));
    const limits = this.#limits;
    const files = (): AsyncIterable<ArtifactFile> => artifactFiles(program.container, limits.artifacts);
    try {
      if (this.#options.protocol === "json")
        return await runPlainCommand(program, attempt, session, { limits, secrets });
      return await converse(program, attempt, session, { limits, secrets, artifacts: { path: artifactsPath, files } });
    } catch (error) {
      throw isCommandMissing(error) ? commandMissing(this.#options, error) : error;
    }
  }

  async #takeWarm(attempt: Attempt): Promise<ContainerProgram | undefined> {
    const program = await this.#pool.take();
    // Before it hears of its run: whatever it then does, the run's end finds it.
    if (program !== undefined) await claim(program.container, attempt);
    return program;
  }

  async #start(attempt: Attempt | undefined, listener: ImageListener): Promise<ContainerProgram> {
    const image = await unlessAborted(attempt?.signal, this.#image.ready(listener));
    const labels = ownershipLabels(this.#reaper.engine, attempt);
    try {
      const config = containerConfig(this.#options, image, this.#limits, labels);
      return await startContainer(this.#docker, config, (container) => this.#reaper.removeLater(container));
    } catch (error) {
      this.#image.forget();
      throw error;
    }
  }
}

const nobody: ImageListener = { begun: () => {}, progress: () => {} };

/** Whoever reads the run's stream sees what it waits for. */
function tell(session: AttemptSession, { image, build }: DockerExecutorOptions): ImageListener {
  const name = image ?? build?.context;
  return {
    begun: (how) => void session.emit("image_awaited", { image: name, how }).catch(() => {}),
    progress: (line) => session.delta("image_progress", { line }),
  };
}

/** Nobody waits for a long pull on behalf of a run that was canceled. The pull goes on, for the next. */
async function unlessAborted<Result>(signal: AbortSignal | undefined, promise: Promise<Result>): Promise<Result> {
  if (signal === undefined) return promise;
  promise.catch(() => {});
  let stop = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    signal.throwIfAborted();
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The container's first process is ours (`Init`): that there is no command, it says in its log and its exit code. */
function isCommandMissing(error: unknown): error is HeddleError {
  if (!HeddleError.is(error, "AGENT_EXITED")) return false;
  const { exitCode, log } = error.details as { readonly exitCode?: unknown; readonly log?: readonly string[] };
  return (exitCode === 127 || exitCode === 126) && (log ?? []).some((line) => /\bexec\b.*failed/i.test(line));
}

function commandMissing({ command, image }: DockerExecutorOptions, cause: HeddleError): HeddleError {
  const name = command?.[0] ?? "the image's command";
  return new HeddleError("COMMAND_NOT_FOUND", `${name} cannot be run in ${image ?? "the image"}.`, {
    details: { ...cause.details, command: name },
    cause,
  });
}

/** The image of an agent's containers: looked for, pulled or built when it is first needed. */

import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { HeddleError } from "@heddle/core";
import type Docker from "dockerode";
import { hasStatus, messageOf, unavailable } from "./connection.js";
import type { DockerExecutorOptions, ImageBuild } from "./options.js";

/** Hears of a pull or a build while it waits for it. */
export interface ImageListener {
  /** It must be pulled or built: this takes a while. */
  begun(how: "pull" | "build"): void;
  progress(line: string): void;
}

/** What the engine says while it pulls or builds. */
interface ProgressLine {
  readonly stream?: string;
  readonly status?: string;
  readonly id?: string;
  readonly progress?: string;
  readonly error?: string;
  readonly aux?: { readonly ID?: string };
}

/** What the end of a failed pull's or build's output is cut to. */
const tailLines = 50;

export class ImageSource {
  readonly #docker: Docker;
  readonly #options: DockerExecutorOptions;
  readonly #listeners = new Set<ImageListener>();
  #how: "pull" | "build" | undefined;
  #ready: Promise<string> | undefined;

  constructor(docker: Docker, options: DockerExecutorOptions) {
    this.#docker = docker;
    this.#options = options;
  }

  /**
   * Its name or id. What failed is tried again by the next who asks.
   * @throws HeddleError IMAGE_UNAVAILABLE, EXECUTOR_UNAVAILABLE
   */
  async ready(listener: ImageListener): Promise<string> {
    this.#ready ??= this.#prepare().catch((error: unknown) => {
      this.forget();
      throw error;
    });
    if (this.#how !== undefined) listener.begun(this.#how);
    this.#listeners.add(listener);
    try {
      return await this.#ready;
    } finally {
      this.#listeners.delete(listener);
    }
  }

  /** It was there and is gone. */
  forget(): void {
    this.#ready = undefined;
  }

  async #prepare(): Promise<string> {
    const { image, build, pull = "missing" } = this.#options;
    try {
      if (build !== undefined) return await this.#build(build);
      if (image === undefined) throw new Error("an executor without an image");
      if (pull === "always" || !(await this.#isThere(image))) await this.#pull(image);
      return image;
    } finally {
      this.#how = undefined;
    }
  }

  async #isThere(image: string): Promise<boolean> {
    try {
      await this.#docker.getImage(image).inspect();
      return true;
    } catch (error) {
      if (!hasStatus(error, 404)) throw unavailable("look for an image", error);
      if (this.#options.pull === "never") throw imageUnavailable(image, `it is not there, and "pull" is "never"`, []);
      return false;
    }
  }

  async #pull(image: string): Promise<void> {
    this.#begin("pull");
    const { registry } = this.#options;
    const auth =
      registry === undefined ? {} : { authconfig: { serveraddress: "https://index.docker.io/v1/", ...registry } };
    await this.#follow(image, () => this.#docker.pull(withTag(image), auth));
  }

  async #build({ context, dockerfile = "Dockerfile", args = {} }: ImageBuild): Promise<string> {
    const src = await filesIn(context).catch((cause: Error) => {
      throw imageUnavailable(`of ${context}`, cause.message, [], cause);
    });
    this.#begin("build");
    const lines = await this.#follow(`of ${context}`, () =>
      this.#docker.buildImage({ context, src }, { dockerfile, buildargs: { ...args }, rm: true, forcerm: true }),
    );
    const id = lines.findLast((line) => line.aux?.ID !== undefined)?.aux?.ID;
    if (id === undefined) throw imageUnavailable(`of ${context}`, "the build named none", textsOf(lines));
    return id;
  }

  #begin(how: "pull" | "build"): void {
    this.#how = how;
    for (const listener of this.#listeners) listener.begun(how);
  }

  /** To its end, told to everyone who waits. */
  async #follow(image: string, open: () => Promise<NodeJS.ReadableStream>): Promise<ProgressLine[]> {
    const lines: ProgressLine[] = [];
    try {
      const stream = await open();
      await new Promise<void>((resolve, reject) => {
        const done = (error: Error | null): void => (error === null ? resolve() : reject(error));
        this.#docker.modem.followProgress(stream, done, (line: ProgressLine) => {
          lines.push(line);
          this.#tell(line);
        });
      });
    } catch (error) {
      throw this.#failure(image, error, lines);
    }
    const failed = lines.find((line) => line.error !== undefined);
    if (failed !== undefined) throw imageUnavailable(image, failed.error ?? "", textsOf(lines));
    return lines;
  }

  #failure(image: string, error: unknown, lines: readonly ProgressLine[]): HeddleError {
    const noAnswer = (error as { readonly code?: unknown }).code !== undefined && lines.length === 0;
    const failedConnection = noAnswer && (error as { readonly statusCode?: unknown }).statusCode === undefined;
    if (failedConnection) return unavailable("be reached", error);
    return imageUnavailable(image, messageOf(error), textsOf(lines), error);
  }

  #tell(line: ProgressLine): void {
    const text = textOf(line);
    if (text !== "") for (const listener of this.#listeners) listener.progress(text);
  }
}

/** Each by its name, so that the client leaves out what `.dockerignore` says. */
async function filesIn(context: string): Promise<string[]> {
  const names = await readdir(context, { recursive: true });
  const isFile = await Promise.all(names.map(async (name) => !(await lstat(join(context, name))).isDirectory()));
  return names.filter((_name, index) => isFile[index]);
}

function textsOf(lines: readonly ProgressLine[]): string[] {
  return lines
    .map(textOf)
    .filter((text) => text !== "")
    .slice(-tailLines);
}

function textOf({ stream, status, id, progress, error }: ProgressLine): string {
  return [id, status, progress, stream, error]
    .filter((part) => part !== undefined)
    .join(" ")
    .trim();
}

/** Without a tag, the engine would pull them all. */
function withTag(image: string): string {
  const name = image.slice(image.lastIndexOf("/") + 1);
  return /[:@]/.test(name) ? image : `${image}:latest`;
}

function imageUnavailable(image: string, why: string, log: readonly string[], cause?: unknown): HeddleError {
  return new HeddleError("IMAGE_UNAVAILABLE", `There is no image ${image}: ${why}`, { details: { image, log }, cause });
}

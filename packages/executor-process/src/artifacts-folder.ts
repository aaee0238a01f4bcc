/** A folder of this machine that a program may leave files in, for one attempt. */

import { constants } from "node:fs";
import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArtifactFile } from "./artifacts.js";
import { invalidArtifact, tooMany } from "./artifacts.js";

export class ArtifactsFolder implements AsyncDisposable {
  readonly path: string;
  readonly #limit: number;

  private constructor(path: string, limit: number) {
    this.path = path;
    this.#limit = limit;
  }

  static async create(limit: number): Promise<ArtifactsFolder> {
    return new ArtifactsFolder(await mkdtemp(join(tmpdir(), "heddle-artifacts-")), limit);
  }

  /** @throws HeddleError INVALID_ARTIFACT, TOO_LARGE */
  async *files(below = ""): AsyncGenerator<ArtifactFile> {
    const entries = await readdir(join(this.path, below), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) yield* this.files(name);
      else if (entry.isFile()) yield { name, content: await this.#read(name) };
      else throw invalidArtifact(name, "is no regular file");
    }
  }

  /** Without following a link that took the file's place meanwhile. */
  async #read(name: string): Promise<Uint8Array> {
    const file = await open(join(this.path, name), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      if ((await file.stat()).size > this.#limit) throw tooMany(this.#limit);
      return await file.readFile();
    } finally {
      await file.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/**
 * The files that a program left in its container. They are in a volume of their own, in memory and as large as the limit,
 * so that they cannot fill the engine's disk; it lives as long as the container runs, so they are read before its end.
 */

import type { Readable } from "node:stream";
import type { ArtifactFile } from "@heddle/executor-process/protocol";
import { invalidArtifact, tooMany } from "@heddle/executor-process/protocol";
import type { Container, MountSettings } from "dockerode";
import { extract } from "tar-stream";
import { ask } from "./connection.js";
import type { Labels } from "./options.js";

export const artifactsPath = "/artifacts";

/** Room for what the file system itself takes. */
const overhead = 1024 * 1024;

/** Without a name: the engine removes it with the container. */
export function artifactsMount(limit: number, labels: Labels): MountSettings {
  const options = { type: "tmpfs", device: "tmpfs", o: `size=${limit + overhead},mode=1777,nosuid,nodev` };
  const driver = { Name: "local", Options: options };
  return {
    Type: "volume",
    Source: "",
    Target: artifactsPath,
    VolumeOptions: { NoCopy: true, Labels: { ...labels }, DriverConfig: driver },
  } as MountSettings;
}

/** @throws HeddleError INVALID_ARTIFACT, TOO_LARGE, EXECUTOR_UNAVAILABLE */
export async function* artifactFiles(container: Container, limit: number): AsyncGenerator<ArtifactFile> {
  const archive = (await ask("read the artifacts", container.getArchive({ path: artifactsPath }))) as Readable;
  const entries = extract();
  archive.on("error", (error) => entries.destroy(error));
  archive.pipe(entries);
  for await (const entry of entries) {
    const { name, type, size = 0 } = entry.header;
    const below = name.slice(name.indexOf("/") + 1);
    if (type !== "file" && type !== "directory") throw invalidArtifact(below, "is no regular file");
    if (size > limit) throw tooMany(limit);
    const content = await contentOf(entry as AsyncIterable<Uint8Array>);
    if (type === "file") yield { name: below, content };
  }
}

async function contentOf(entry: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry) chunks.push(chunk);
  return Buffer.concat(chunks);
}

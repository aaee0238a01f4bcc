/** What an agent leaves in its artifacts folder, as events of its run. */

import type { AttemptSession } from "@heddle/core";
import { HeddleError } from "@heddle/core";

export interface ArtifactFile {
  /** Below the folder, with `/` between folders. */
  readonly name: string;
  readonly content: Uint8Array;
}

/** Looks when the agent has said its result, and is still there. */
export type ArtifactSource = () => AsyncIterable<ArtifactFile>;

/** Of a file, so that the event that carries it stays below the limit of events. */
const partSize = 512 * 1024;
const mostFiles = 1_000;

/** @throws HeddleError TOO_LARGE, INVALID_ARTIFACT, and what the session says */
export async function announceArtifacts(
  session: AttemptSession,
  files: AsyncIterable<ArtifactFile>,
  limit: number,
): Promise<void> {
  let count = 0;
  let bytes = 0;
  for await (const { name, content } of files) {
    bytes += content.length;
    if (++count > mostFiles || bytes > limit) throw tooMany(limit);
    await announce(session, { name: checkName(name), content });
  }
}

async function announce(session: AttemptSession, { name, content }: ArtifactFile): Promise<void> {
  const size = content.length;
  const parts = Math.max(1, Math.ceil(size / partSize));
  for (let part = 1; part <= parts; part++) {
    const piece = content.subarray((part - 1) * partSize, part * partSize);
    const data = Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString("base64");
    await session.emit("artifact", { name, size, data, ...(parts === 1 ? {} : { part, parts }) });
  }
}

/** Whoever writes the file elsewhere later must not be led astray. @throws HeddleError INVALID_ARTIFACT */
export function checkName(name: string): string {
  const steps = name.split("/");
  const leadsOut = steps.some((step) => step === "" || step === "." || step === "..");
  if (leadsOut || name.includes("\0") || name.length > 1_000) throw invalidArtifact(name, "is no name in the folder");
  return name;
}

export function invalidArtifact(name: string, what: string): HeddleError {
  const shown = name.slice(0, 200);
  return new HeddleError("INVALID_ARTIFACT", `The artifact "${shown}" ${what}.`, { details: { name: shown } });
}

export function tooMany(limit: number): HeddleError {
  return new HeddleError("TOO_LARGE", `The artifacts are more than ${mostFiles} files or ${limit} bytes.`, {
    details: { what: "artifacts", limit },
  });
}

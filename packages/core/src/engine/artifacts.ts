/**
 * The files that a run left. They live in its `artifact` events, large ones in several: so they are committed, rolled
 * back and deleted with the run, on every storage, and whoever can read a run can read them.
 */

import type { EventRecord } from "../model/event.js";
import { streamOf } from "../model/event.js";
import { parseJson } from "../model/json.js";
import type { RunRecord } from "../model/run.js";
import type { Core } from "./core.js";
import type { AgentEvents } from "./frames.js";

export interface Artifact {
  readonly name: string;
  readonly contentType?: string;
  /** In bytes. */
  readonly size: number;
  readonly content: Uint8Array;
}

type ArtifactEvent = AgentEvents["artifact"];

const pageSize = 100;

/** By name; where several attempts left one of that name, the last one's. Those that are not whole yet are left out. */
export async function readArtifacts(core: Core, run: RunRecord): Promise<Artifact[]> {
  const artifacts = new Map<string, Artifact>();
  let parts: string[] = [];
  for await (const { name, data, part = 1, parts: count = 1, contentType } of artifactEvents(core, run)) {
    if (typeof data !== "string") continue;
    parts = part === 1 ? [data] : [...parts, data];
    if (part !== count || parts.length !== count) continue;
    const content = Buffer.concat(parts.map((text) => Buffer.from(text, "base64")));
    artifacts.set(name, { name, size: content.length, content, ...(contentType === undefined ? {} : { contentType }) });
  }
  return [...artifacts.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function* artifactEvents(core: Core, run: RunRecord): AsyncGenerator<ArtifactEvent> {
  const query = { stream: streamOf(run), runId: run.id, limit: pageSize };
  for (let after = 0; ; ) {
    const page: readonly EventRecord[] = await core.storage.events.read({ ...query, after });
    for (const { type, payload } of page) {
      if (type === "artifact" && payload !== null)
        yield parseJson(payload, "event artifact") as unknown as ArtifactEvent;
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = last.seq;
  }
}

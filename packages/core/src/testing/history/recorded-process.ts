/** A real process that takes part in a recorded history: its agents and clients note what they see in its file. */

import { setMaxListeners } from "node:events";
import { join } from "node:path";
import type { Agent } from "../../engine/agent.js";
import { requireOptions } from "../../engine/check-input.js";
import type { Engine } from "../../engine/engine.js";
import { requireText } from "../check-arguments.js";
import type { Caller } from "./call.js";
import { Client } from "./client.js";
import type { Answer, HistoryEntry } from "./history.js";
import { HistoryFile } from "./history-file.js";
import { type Place, thisProcess } from "./place.js";
import type { Recorder, Untimed } from "./recorder.js";
import { codeOf, scriptedAgent } from "./scripted-agent.js";
import { fillSlots, slotFiller } from "./slot-filler.js";

export interface RecordedProcessOptions {
  /** Where the files of all processes are: nothing else, and not on a disk that a test fills. */
  readonly folder: string;
  /** Of no other process of this history, one that takes a dead one's place included. */
  readonly name: string;
  /** Hears each entry as it is noted. */
  readonly onEntry?: (entry: Untimed<HistoryEntry>) => void;
}

/**
 * @example
 * ```ts
 * const recorded = new RecordedProcess({ folder: "history", name: `worker-${process.pid}` });
 * const engine = createEngine({ storage, agents: [recorded.agent("weaver"), recorded.slotFiller(4)], concurrency: 4 });
 * recorded.join(engine);
 * await engine.start();
 * ```
 */
export class RecordedProcess {
  readonly recorder: Recorder;
  readonly #place: Place;
  readonly #runIds: string[] = [];
  readonly #askers: string[] = [];
  readonly #newest = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #open = new Set<number>();
  #attempts = 0;

  /** @throws HeddleError INVALID_ARGUMENT */
  constructor(options: RecordedProcessOptions) {
    requireOptions("options", options);
    const { folder, name, onEntry } = options;
    requireText("folder", folder);
    requireText("name", name);
    const file = new HistoryFile(join(folder, `${name}.jsonl`));
    this.recorder = {
      nextCall: () => file.nextCall(),
      note(entry) {
        file.note(entry);
        onEntry?.(entry);
      },
    };
    this.#place = thisProcess(name);
    // One per reader, and there may be many.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Runs that its clients know to be accepted. */
  get accepted(): number {
    return this.#runIds.length;
  }

  /** Agent code that has not returned. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Calls that are not answered, waiters and readers included. */
  get openCalls(): number {
    return this.#open.size;
  }

  /** An agent that does what its input says: a {@link ScriptedInput}. */
  agent(name: string): Agent {
    const note = this.recorder.note.bind(this.recorder);
    return scriptedAgent(name, this.#place, {
      note,
      hangs: () => () => {},
      crash: () => {
        note({ type: "fault", kind: "agent_crash", worker: this.#place.name, port: "", ms: 0 });
        process.kill(process.pid, "SIGKILL");
      },
      runs: () => {
        this.#attempts++;
        return () => void this.#attempts--;
      },
    });
  }

  /** For {@link fillSlots}: the engine must have it. @param slots the engine's `concurrency` */
  slotFiller(slots: number): Agent {
    return slotFiller(this.#place.name, slots);
  }

  /** Note that this process takes part from now on, and what its engine reports. Before the engine is started. */
  join(engine: Engine): void {
    const worker = this.#place.name;
    engine.on("error", ({ error, during }) => {
      const message = error instanceof Error ? error.message : String(error);
      this.recorder.note({ type: "trouble", worker, code: codeOf(error), message, during });
    });
    this.recorder.note({ type: "worker_started", worker });
  }

  client(name: string, engine: Engine): Client {
    const connection = { engine, process: this.#place, isOpen: true };
    return new Client(this.#caller(name), {
      connect: async () => connection,
      sleep: (ms) => this.#place.sleep(ms),
      runIds: this.#runIds,
      askers: this.#askers,
      newest: this.#newest,
      stop: this.#stop.signal,
    });
  }

  /** In the end, when nothing is left to do: as many runs at once as there are slots, or a slot has leaked. */
  fillSlots(engine: Engine, slots: number): Promise<Answer> {
    return fillSlots(this.#caller("operator"), { engine, process: this.#place, isOpen: true }, slots);
  }

  /** Readers of streams that do not end by themselves leave now. */
  stopReaders(): void {
    this.#stop.abort();
  }

  #caller(name: string): Caller {
    return { name, recorder: this.recorder, open: this.#open };
  }
}

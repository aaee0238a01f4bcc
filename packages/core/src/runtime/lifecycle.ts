/**
 * Engine-wide lifecycle hooks. A listener that throws or rejects is reported as `error` and never harms a run; an
 * `error` that nobody listens to is not fatal.
 */

import { EventEmitter } from "eventemitter3";
import type { Run } from "../model/run-view.js";
import { shown } from "../model/shown.js";
import type { Thread } from "../model/thread-view.js";

/** Lifecycle events, told after the commit that made them true, by the engine whose commit it was. */
export interface LifecycleEvents {
  run_accepted: { readonly run: Run };
  run_started: { readonly run: Run };
  run_retrying: { readonly run: Run };
  run_cancel_requested: { readonly run: Run };
  run_succeeded: { readonly run: Run };
  run_failed: { readonly run: Run };
  run_canceled: { readonly run: Run };
  run_interrupted: { readonly run: Run };
  run_deleted: { readonly runId: string };
  thread_updated: { readonly thread: Thread };
  thread_deleted: { readonly threadId: string };
  /** An attempt's code did not stop within its grace: it is fenced off, and holds its slot until it returns. */
  attempt_abandoned: { readonly runId: string; readonly attempt: number };
  /** An attempt of this engine lost its lease. */
  lease_lost: { readonly runId: string; readonly attempt: number };
  /** The event loop was blocked for `delay` ms: heartbeats were late. */
  loop_delayed: { readonly delay: number };
  /** Something failed in the background: a poll, a heartbeat, a listener. */
  error: { readonly error: unknown; readonly during: string };
}

export type LifecycleType = keyof LifecycleEvents;

/** As an object, so that the compiler misses a type that is not in it. */
const types: Readonly<Record<LifecycleType, true>> = {
  run_accepted: true,
  run_started: true,
  run_retrying: true,
  run_cancel_requested: true,
  run_succeeded: true,
  run_failed: true,
  run_canceled: true,
  run_interrupted: true,
  run_deleted: true,
  thread_updated: true,
  thread_deleted: true,
  attempt_abandoned: true,
  lease_lost: true,
  loop_delayed: true,
  error: true,
};

export const lifecycleTypes = Object.keys(types) as readonly LifecycleType[];

/** What it returns is not used; a promise that rejects is reported. */
export type LifecycleListener<Type extends LifecycleType> = (event: LifecycleEvents[Type]) => unknown;

export class Lifecycle {
  readonly #emitter = new EventEmitter<string>();
  readonly #warned = new Set<string>();

  /** Returns its undo. */
  on<Type extends LifecycleType>(type: Type, listener: LifecycleListener<Type>): () => void {
    const guarded = (event: LifecycleEvents[Type]): void => this.#call(type, listener, event);
    this.#emitter.on(type, guarded);
    return () => this.#emitter.off(type, guarded);
  }

  emit<Type extends LifecycleType>(type: Type, event: LifecycleEvents[Type]): void {
    this.#emitter.emit(type, event);
  }

  /** Whether building the event is worth its while. */
  heard(type: LifecycleType): boolean {
    return this.#emitter.listenerCount(type) > 0;
  }

  /** Report a failure in the background; where nobody listens for `error`, as a process warning, once per occasion. */
  report(error: unknown, during: string): void {
    if (this.heard("error")) return this.emit("error", { error, during });
    if (this.#warned.has(during) || this.#warned.size > 100) return;
    this.#warned.add(during);
    process.emitWarning(`${during} failed: ${shown(error)} (engine.on("error", …) hears of all)`, "HeddleWarning");
  }

  #call<Type extends LifecycleType>(type: Type, listener: LifecycleListener<Type>, event: LifecycleEvents[Type]): void {
    try {
      const returned: unknown = listener(event);
      if (returned instanceof Promise) returned.catch((error: unknown) => this.#blame(type, error));
    } catch (error) {
      this.#blame(type, error);
    }
  }

  #blame(type: LifecycleType, error: unknown): void {
    if (type !== "error") this.report(error, `a listener of ${type}`);
  }
}

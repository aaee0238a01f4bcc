/**
 * Time. The runtime, the engine and the memory storage await only ports: with a manual clock a test or a simulation
 * decides when, and in which order, things happen.
 */
export interface Clock {
  /**
   * Present on the machine's own clock. A storage that is shared between machines uses its server's clock instead of
   * this one; any other clock, a test's, counts for the storage too.
   */
  readonly isSystemClock?: true;
  /** Epoch ms. May jump: nothing durable may depend on two readings of one process being ordered. */
  now(): number;
  /**
   * Call `fire` once, after `delay` ms (0 = as soon as possible, but never inside this call). Returns its undo.
   *
   * `work`: a run waits for this. `upkeep`: heartbeats and polls; virtual time never advances for their sake alone.
   */
  setTimer(delay: number, fire: () => void, purpose: TimerPurpose): () => void;
  /** Let everything else that is ready go first: a turn of the event loop. */
  turn(): Promise<void>;
}

export type TimerPurpose = "work" | "upkeep";

/** A bug that is put in on purpose, to see that the simulation finds it. */

import type { SimulatedDatabase } from "@heddle/core/testing";

export interface PlantedBug {
  readonly name: string;
  /** In the database that the workers share. */
  readonly database?: () => SimulatedDatabase;
  /** In the engine's own classes. Returns its undo. */
  readonly install?: () => () => void;
}

/** Put something else in place of a method. Returns its undo. */
export function patch<Of extends object, Name extends keyof Of>(
  prototype: Of,
  name: Name,
  replace: (original: Of[Name]) => Of[Name],
): () => void {
  const original = prototype[name];
  prototype[name] = replace(original);
  return () => {
    prototype[name] = original;
  };
}

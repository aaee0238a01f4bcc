import { initial } from "./001-initial.js";
import type { Migration } from "./migration.js";

/** All steps of the schema, in order. Append only. */
export const migrations: readonly Migration[] = [initial];

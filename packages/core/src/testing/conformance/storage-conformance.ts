import { acceptCases } from "./accept-cases.js";
import { adoptCases } from "./adopt-cases.js";
import { batchCases } from "./batch-cases.js";
import { busyCases } from "./busy-cases.js";
import { cancelCases } from "./cancel-cases.js";
import { checkpointCases } from "./checkpoint-cases.js";
import { childCases } from "./child-cases.js";
import { claimCases } from "./claim-cases.js";
import { concurrencyCases } from "./concurrency-cases.js";
import type { ConformanceCase } from "./conformance-case.js";
import { eventCases } from "./event-cases.js";
import { fenceCases } from "./fence-cases.js";
import { listCases } from "./list-cases.js";
import { memoCases } from "./memo-cases.js";
import { questionCases } from "./question-cases.js";
import { rollbackCases } from "./rollback-cases.js";
import { settleCases } from "./settle-cases.js";
import { steerCases } from "./steer-cases.js";
import { tendCases } from "./tend-cases.js";
import { textCases } from "./text-cases.js";
import { threadCases } from "./thread-cases.js";
import { transactionCases } from "./transaction-cases.js";
import { travelCases } from "./travel-cases.js";
import { workCases } from "./work-cases.js";

/** What every storage must pass: one case or more for each guarantee on the contract. */
export const storageConformance: readonly ConformanceCase[] = [
  ...acceptCases,
  ...claimCases,
  ...fenceCases,
  ...settleCases,
  ...cancelCases,
  ...busyCases,
  ...rollbackCases,
  ...steerCases,
  ...tendCases,
  ...childCases,
  ...memoCases,
  ...questionCases,
  ...threadCases,
  ...checkpointCases,
  ...travelCases,
  ...eventCases,
  ...listCases,
  ...textCases,
  ...workCases,
  ...batchCases,
  ...transactionCases,
  ...adoptCases,
  ...concurrencyCases,
];

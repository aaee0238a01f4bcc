import { prepare } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";

await runSteps("build", prepare);

// The agents of the executor conformance suite, as a program.
import { serve } from "@heddle/agent-node";
import { executorAgents } from "@heddle/core/testing";

/** @type {unknown} */
const agents = executorAgents;
serve(/** @type {Parameters<typeof serve>[0]} */ (agents));

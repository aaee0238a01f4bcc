/**
 * Is there a container engine, and has it the image that the tests run in? Where none answers, the tests that need one
 * are left out, and whoever runs them is told; in CI that is a failure.
 */

import Docker from "dockerode";
import { ensureBaseImage } from "../../../../scripts/lib/base-image.mjs";
import { imageVariable } from "./engine.js";

export default async function setUp(): Promise<void> {
  const trouble = await whyNoEngine();
  if (trouble === undefined) process.env[imageVariable] = ensureBaseImage();
  else if (process.env["HEDDLE_TEST_TOOLS"] === "required")
    throw new Error(`the tests need a container engine: ${trouble}`);
  else console.warn(`\nLeft out: packages/executor-docker/test, since no container engine answers (${trouble}).\n`);
}

async function whyNoEngine(): Promise<string | undefined> {
  try {
    await new Docker().ping();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The memory storage keeps every guarantee of the contract; also when it reads only what `needsOf` named. */

import { memoryFixture, preloadingFixture, storageConformance } from "@heddle/core/testing";
import { describe, test } from "vitest";

const forms = { "memory storage": memoryFixture, "memory storage that preloads": preloadingFixture };

for (const [name, fixture] of Object.entries(forms)) {
  describe(name, () => {
    for (const { group, name, run } of storageConformance) {
      test(`${group}: ${name}`, async (context) => {
        const outcome = await run(fixture());
        if (outcome !== undefined) context.skip(outcome.skipped);
      });
    }
  });
}

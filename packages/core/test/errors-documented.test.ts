import { readFileSync } from "node:fs";
import { errorCodes, HeddleError } from "@heddle/core";
import { describe, expect, test } from "vitest";

const page = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [title = "", ...lines] = section.split("\n");
      return [title, lines.join("\n")] as const;
    }),
);

test("docs/errors.md has a section for each code, in the same order, and no other", () => {
  expect([...sections.keys()]).toEqual([...errorCodes]);
});

describe("each section has status, meaning, cause and cure", () => {
  test.each(errorCodes)("%s", (code) => {
    const section = sections.get(code) ?? "";
    expect(section).toContain(`\nHTTP ${new HeddleError(code, "").status}\n`);
    const parts = [...section.matchAll(/^\*\*(\w+)\.\*\* +\S/gm)].map(([, part]) => part);
    expect(parts).toEqual(["Meaning", "Cause", "Cure"]);
  });
});

import { describe, expect, it } from "vitest";
import { Library } from "../src/library/library.js";
import { passagesOf } from "../src/library/read-documents.js";
import { terms } from "../src/library/words.js";
import { fixtureLibrary } from "./library.js";

const library = await fixtureLibrary();

function best(question: string, packages?: readonly string[]) {
  const [hit] = library.search({ terms: terms(question), ...(packages ? { packages } : {}) });
  return hit?.passage.titles.at(-1);
}

describe("search", () => {
  it.each([
    ["retries", "Retries"],
    ["pause worker", "worker.pause()"],
    ["redis backplane", "Choosing a backplane"],
    ["send in a transaction", "Transactions"],
    ["disconnected", "Errors"],
  ])("%s finds the section about it", (question, title) => {
    expect(best(question)).toBe(title);
  });

  it("prefers the passage that goes by the name to those that mention it more", () => {
    const often = "The `limit` of a limit is its limit. Limits limit. ".repeat(3);
    const passages = passagesOf(
      { package: "p", path: "p/README.md" },
      `# p\n\n## Background\n\n${often}\n\n## limit\n\nHow many jobs run.\n`,
    );
    return Library.of(passages).then((made) => {
      expect(made.search({ terms: ["limit"] })[0]?.passage.titles.at(-1)).toBe("limit");
    });
  });

  it("forgives typing errors in words that nobody uses", () => {
    expect(best("transacton")).toBe("Transactions");
    expect(best("backplne")).toBe("Choosing a backplane");
  });

  it("stays in the packages it is told", () => {
    const found = library.search({ terms: terms("errors"), packages: ["kiln"] });
    expect(new Set(found.map(({ passage }) => passage.package))).toEqual(new Set(["kiln"]));
  });

  it("leaves out what was shown", () => {
    const [first] = library.search({ terms: ["job"] });
    const others = library.search({ terms: ["job"], exclude: new Set([first?.passage.id ?? ""]) });
    expect(others.map(({ passage }) => passage.id)).not.toContain(first?.passage.id);
    expect(others.length).toBeGreaterThan(0);
  });

  it("tells how much of the question a passage speaks about", () => {
    const [whole] = library.search({ terms: terms("redis backplane") });
    const [part] = library.search({ terms: terms("redis elephants") });
    expect(whole?.coverage).toBe(1);
    expect(part?.coverage).toBeLessThan(0.6);
    expect(library.search({ terms: ["elephant"] })).toEqual([]);
  });
});

it("weighs rare words more than common ones, and unknown ones most", () => {
  expect(library.weight("redis")).toBeGreaterThan(library.weight("job"));
  expect(library.weight("elephant")).toBeGreaterThan(library.weight("redis"));
});

it("knows what follows a passage in its file", () => {
  const passage = library.of("kiln").find(({ titles }) => titles.at(-1) === "Choosing a backplane");
  if (passage === undefined) throw new Error("fixture changed");
  expect(library.after(passage).map(({ titles }) => titles.at(-1))).toEqual(["Errors"]);
});

it("reports its progress and takes an empty library", async () => {
  const seen: number[] = [];
  await Library.of(library.passages, (indexed) => seen.push(indexed));
  expect(seen.at(-1)).toBe(library.passages.length);
  expect((await Library.of([])).search({ terms: ["x"] })).toEqual([]);
});

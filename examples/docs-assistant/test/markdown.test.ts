import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sections } from "../src/markdown/sections.js";
import { fixtures } from "./library.js";

const readme = await readFile(join(fixtures, "kiln/README.md"), "utf8");

function section(markdown: string, title: string) {
  const found = sections(markdown).find(({ titles }) => titles.at(-1) === title);
  if (found === undefined) throw new Error(`No section ${title}`);
  return found;
}

function texts(markdown: string): string[] {
  return sections(markdown).flatMap(({ blocks }) => blocks.map(({ text }) => text));
}

describe("sections", () => {
  it("carry the headings above them and the line they stand on", () => {
    const found = section(readme, "Turning stale values off");
    expect(found.titles).toEqual(["kiln", "Options", "Turning stale values off"]);
    expect(readme.split("\n")[found.line - 1]).toBe("### Turning stale values off");
  });

  it("give every paragraph its line", () => {
    const lines = readme.split("\n");
    const paragraphs = sections(readme).flatMap(({ blocks }) => blocks.filter(({ kind }) => kind === "prose"));
    for (const { text, line } of paragraphs.filter((block) => !block.text.startsWith("Note:"))) {
      expect(lines[line - 1]).toContain(text.slice(0, 12));
    }
  });

  it("keep code whole, with its language", () => {
    const code = section(readme, "Usage").blocks.find(({ kind }) => kind === "code");
    expect(code).toMatchObject({ language: "js" });
    expect(code?.text).toMatch(/^import \{ Kiln \}[\s\S]*loadUser\(42\)\);$/u);
  });

  it("do not take a # inside code for a heading", () => {
    expect(sections("# Real\n\n```sh\n# not a heading\nls\n```\n")).toHaveLength(1);
  });

  it("make a fact of each table row", () => {
    expect(section(readme, "Options").blocks.map(({ text }) => text)).toContain(
      "`stale` — default: `true` — Serve an expired value while a new one is computed.",
    );
  });

  it("leave out badges, tables of contents, sponsors and licences", () => {
    const titles = sections(readme).map((found) => found.titles.at(-1));
    expect(titles).not.toContain("Table of Contents");
    expect(titles).not.toContain("Sponsors");
    expect(titles).not.toContain("License");
    expect(texts(readme).join("\n")).not.toContain("badge");
  });

  it("read headings and text that are HTML", () => {
    const html = '<h1 align="center">Clay</h1>\n\n<p align="center">\nA <b>modest</b> material for pots.\n</p>\n';
    expect(sections(html)).toMatchObject([{ titles: ["Clay"], blocks: [{ text: "A modest material for pots." }] }]);
  });

  it("keep the words of links, not their addresses", () => {
    expect(texts("See the [guide to pots](https://example.test/pots), then `fire(pot)`.")).toEqual([
      "See the guide to pots, then `fire(pot)`.",
    ]);
  });

  it("turn alerts into notes", () => {
    expect(section(readme, "Events").blocks.map(({ text }) => text)).toContain(
      "Note: Listeners run after the value is gone.",
    );
  });

  it("cut long sections between blocks and keep code with the words before it", () => {
    const paragraph = `${"All about pots. ".repeat(40).trim()}\n\n`;
    const parts = sections(`# Pots\n\n${paragraph.repeat(4)}Like this:\n\n\`\`\`js\nfire();\n\`\`\`\n`);
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.every(({ titles }) => titles[0] === "Pots")).toBe(true);
    expect(
      parts
        .at(-1)
        ?.blocks.slice(-2)
        .map(({ text }) => text),
    ).toEqual(["Like this:", "fire();"]);
    expect(new Set(parts.map(({ line }) => line)).size).toBe(parts.length);
  });

  it("survive anything", () => {
    for (const text of ["", "#", "```", "| a |\n|---|", "<h1>", "- \n- ", "\u0000", "[a](", "> > >", "# # #\n\n***"]) {
      expect(() => sections(text)).not.toThrow();
    }
  });
});

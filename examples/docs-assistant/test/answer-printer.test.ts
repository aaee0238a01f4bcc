import { describe, expect, it } from "vitest";
import { AnswerPrinter } from "../src/terminal/answer-printer.js";
import { textWidth } from "../src/terminal/text-width.js";

const ANSWER = `**worker.pause()** [1] — Stops taking new jobs, while \`jobs under way\` go on until they have come to their end.

- The first item is so long that it has to be wrapped once or twice before it ends
- The second is short

\`\`\`ts
await worker.pause(); // a line of code that is much longer than the paper is wide and stays whole

  indented();
\`\`\`

The end.`;

function printed(text: string, { width = 40, cut = text.length }: { width?: number; cut?: number } = {}): string {
  let output = "";
  const printer = new AnswerPrinter({
    write: (more) => {
      output += more;
    },
    paint: (_, plain) => plain,
    width,
    indent: "  ",
  });
  for (let at = 0; at < text.length; at += cut) printer.print(text.slice(at, at + cut));
  printer.end();
  return output;
}

describe("a printed answer", () => {
  it("has wrapped paragraphs, hanging lists and untouched code", () => {
    expect(printed(ANSWER)).toBe(`  worker.pause() [1] — Stops taking new
  jobs, while \`jobs under way\` go on
  until they have come to their end.

  • The first item is so long that it
    has to be wrapped once or twice
    before it ends
  • The second is short

  │ await worker.pause(); // a line of code that is much longer than the paper is wide and stays whole
  │
  │   indented();

  The end.
`);
  });

  it("is the same however it arrives", () => {
    for (let cut = 1; cut < 40; cut += 1) expect(printed(ANSWER, { cut })).toBe(printed(ANSWER));
  });

  it.each([20, 33, 72])("keeps to %i columns", (width) => {
    const prose = printed(ANSWER, { width })
      .split("\n")
      .filter((line) => !line.includes("│"));
    expect(Math.max(...prose.map(textWidth))).toBeLessThanOrEqual(width);
  });

  it("counts the columns of wide characters", () => {
    expect(textWidth("🔥 日本 é")).toBe(9);
    expect(textWidth("e\u0301")).toBe(1);
  });

  it("numbers lists as they are, and starts headings on their own line", () => {
    expect(printed("Steps:\n1. Stop\n2. Go\n# Then\nwait")).toBe("  Steps:\n  1. Stop\n  2. Go\n  Then\n  wait\n");
  });

  it("lets no document move the cursor or rename the window", () => {
    expect(printed("a\u001b]0;title\u0007b \u001b[2Jc")).toBe("  a]0;titleb [2Jc\n");
  });

  it("closes what the answer left open", () => {
    expect(printed("See\n\n```js\nlet a = 1")).toBe("  See\n\n  │ let a = 1\n");
    expect(printed("")).toBe("");
  });
});

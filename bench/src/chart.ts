/** The report as one SVG: a bar per system and row, as long as its first figure is large. */

import { numberText, type Report } from "./report.js";

const width = 760;
const labels = 250;
const bars = 380;
const line = 20;

/** Readable on light and on dark pages; Heddle's own bars stand out. */
const style = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; }
  .bar { fill: #8c959f; }
  .own { fill: #0969da; }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .bar { fill: #6e7681; } .own { fill: #4493f8; } }`;

export function chartOf(reports: readonly Report[], caption: string): string {
  let y = 24;
  const parts = [text(0, y, caption)];
  for (const { title, lines } of reports) {
    const [first] = Object.keys(lines[0]?.figures ?? {});
    if (first === undefined) continue;
    y += line * 1.8;
    parts.push(text(0, y, `${title} (${first})`, "title"));
    const values = lines.map(({ figures }) => figures[first] ?? 0);
    const most = Math.max(...values);
    for (const [index, { system }] of lines.entries()) {
      y += line;
      parts.push(bar(y, system, values[index] ?? 0, most));
    }
  }
  const height = y + 16;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">\n` +
    `<title>${escaped(caption)}</title>\n<style>${style}\n</style>\n${parts.join("\n")}\n</svg>\n`
  );
}

function bar(y: number, system: string, value: number, most: number): string {
  const length = most > 0 ? Math.max(1, Math.round((value / most) * bars)) : 1;
  const kind = system.startsWith("Heddle") ? "bar own" : "bar";
  return [
    text(12, y, system),
    `<rect class="${kind}" x="${labels}" y="${y - 11}" width="${length}" height="14" rx="2"/>`,
    text(labels + length + 6, y, numberText(value, value < 10 ? 2 : 0)),
  ].join("\n");
}

function text(x: number, y: number, content: string, kind = ""): string {
  return `<text x="${x}" y="${y}"${kind === "" ? "" : ` class="${kind}"`}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** Cuts a Markdown file into sections: what stands under one heading, in parts that are not too long to read. */
import { marked, type Token, type Tokens } from "marked";
import { type Block, blocksOf } from "./blocks.js";
import { newlines } from "./newlines.js";
import { textOf, textOfHtml } from "./text.js";

export interface Section {
  /** The headings above it, outermost first. */
  readonly titles: readonly string[];
  readonly line: number;
  readonly blocks: readonly Block[];
}

interface Heading {
  readonly depth: number;
  readonly title: string;
}

const SECTION_LENGTH = 1_600;
const WORTH_READING = 12;
/** Sections that are about the project, not about what it does. */
const NOISE = new RegExp(
  `^(?:${[
    "(?:table of )?contents|toc|badges|build status|stargazers",
    "licen[cs]e|changelog|release notes|(?:code of conduct|security)(?: .*)?|running tests",
    "(?:.* )?sponsors?(?:hip)?|backers?|donations?|support(?: us| (?:this|the) project)?|help this project.*|powered by.*",
    "(?:core )?team(?: members)?|maintainers?|authors?|credits?|about|(?:top )?contributors?|(?:other )?contribut(?:ing|ors|ions).*",
    "acknowledge?ments?|(?:special )?thanks|honou?rable mentions|used by.*|community|join the discussion.*",
    "related(?: projects| packages)?|see also|also",
  ].join("|")})$`,
  "iu",
);

export function sections(markdown: string): Section[] {
  const found: Section[] = [];
  const headings: Heading[] = [];
  let blocks: Block[] = [];
  let start = 1;
  let line = 1;
  const finish = (): void => {
    const titles = headings.map(({ title }) => title);
    found.push(...partsOf({ titles, line: start, blocks }));
    blocks = [];
  };
  for (const token of marked.lexer(withoutFrontMatter(markdown))) {
    const heading = headingOf(token);
    if (heading === undefined) {
      blocks.push(...blocksOf(token, line));
    } else {
      finish();
      while ((headings.at(-1)?.depth ?? 0) >= heading.depth) headings.pop();
      headings.push(heading);
      start = line;
    }
    line += newlines(token.raw);
  }
  finish();
  return found;
}

/** Front matter goes, its lines stay, so that line numbers hold. */
function withoutFrontMatter(markdown: string): string {
  const front = /^---\r?\n[\s\S]*?\n---\r?\n/u.exec(markdown)?.[0];
  return front === undefined ? markdown : "\n".repeat(newlines(front)) + markdown.slice(front.length);
}

function headingOf(token: Token): Heading | undefined {
  if (token.type === "heading") return titled(token.depth as number, textOf((token as Tokens.Heading).tokens));
  const html = token.type === "html" ? /<h([1-6])[^>]*>([\s\S]*?)<\/h\1>/iu.exec(token.raw) : null;
  return html === null ? undefined : titled(Number(html[1]), textOfHtml(html[2] ?? ""));
}

/** Emoji around a heading help nobody to find it. */
function titled(depth: number, text: string): Heading | undefined {
  const words = text.replace(/\p{Extended_Pictographic}|\uFE0F|\u200D|\u2800/gu, "");
  const title = words.replace(/\s+/gu, " ").trim();
  return title === "" ? undefined : { depth, title };
}

function partsOf(section: Section): Section[] {
  const { titles, line, blocks } = section;
  if (titles.some((title) => NOISE.test(title)) || !blocks.some(({ text }) => text.length >= WORTH_READING)) return [];
  return split(blocks).map((part, index) => ({
    titles,
    line: index === 0 ? line : (part[0]?.line ?? line),
    blocks: part,
  }));
}

/** Long sections are cut between blocks; code stays with the words before it. */
function split(blocks: readonly Block[]): Block[][] {
  const parts: Block[][] = [[]];
  let length = 0;
  for (const block of blocks) {
    if (length > 0 && length + block.text.length > SECTION_LENGTH && block.kind !== "code") {
      parts.push([]);
      length = 0;
    }
    parts.at(-1)?.push(block);
    length += block.text.length;
  }
  return parts;
}

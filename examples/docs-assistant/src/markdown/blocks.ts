/** The blocks of a page that can be quoted. Each stands on a line and is never cut. */
import type { Token, Tokens } from "marked";
import { newlines } from "./newlines.js";
import { oneLine, textOf, textOfHtml } from "./text.js";

export interface Block {
  readonly kind: "prose" | "item" | "code";
  readonly text: string;
  readonly line: number;
  /** Of code, where the page names it. */
  readonly language?: string;
}

/** Wider tables are matrices. */
const COLUMNS = 5;
/** From this part on, what consists of links is navigation. */
const NAVIGATION = 0.6;

export function blocksOf(token: Token, line: number): Block[] {
  switch (token.type) {
    case "paragraph":
      return prose((token as Tokens.Paragraph).tokens, line);
    case "text":
      return prose((token as Tokens.Text).tokens ?? [token], line);
    case "code":
      return code(token as Tokens.Code, line);
    case "list":
      return list(token as Tokens.List, line);
    case "table":
      return table(token as Tokens.Table, line);
    case "blockquote":
      return inside((token as Tokens.Blockquote).tokens, line).map(withoutAlertMark);
    case "html":
      return html(token.raw, line);
    default:
      return [];
  }
}

function inside(tokens: readonly Token[], start: number): Block[] {
  let line = start;
  return tokens.flatMap((token) => {
    const blocks = blocksOf(token, line);
    line += newlines(token.raw);
    return blocks;
  });
}

function prose(tokens: readonly Token[], line: number): Block[] {
  const text = oneLine(textOf(tokens));
  return text === "" || isRowOfLinks(tokens, text) ? [] : [{ kind: "prose", text, line }];
}

/** A row of links is navigation: nothing in it answers anything. */
function isRowOfLinks(tokens: readonly Token[], text: string): boolean {
  const links = tokens.filter((token) => token.type === "link");
  return links.length > 1 && letters(textOf(links)) > letters(text) * NAVIGATION;
}

function letters(text: string): number {
  return text.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
}

function code(token: Tokens.Code, line: number): Block[] {
  const text = token.text.replace(/\s+$/u, "");
  const language = token.lang?.split(/\s/u)[0];
  return text.trim() === "" ? [] : [{ kind: "code", text, line, ...(language ? { language } : {}) }];
}

function list(token: Tokens.List, start: number): Block[] {
  if (token.items.filter(isLink).length > token.items.length * NAVIGATION) return [];
  let line = start;
  return token.items.flatMap((item) => {
    const [first, ...rest] = inside(item.tokens, line);
    line += newlines(item.raw);
    return first === undefined ? [] : [first.kind === "prose" ? { ...first, kind: "item" as const } : first, ...rest];
  });
}

/** `- [Usage](#usage)`: an entry of a table of contents, or of a list of pages elsewhere. */
function isLink(item: Tokens.ListItem): boolean {
  return /^[-*+\d.\s]*(?:\*\*)?\[[^\n]*\]\([^)\s]*\)(?:\*\*)?\s*(?:\n|$)/u.test(item.raw);
}

/** Each row is a fact, its cells named by the header. Wide tables are measurements, and say nothing row by row. */
function table(token: Tokens.Table, line: number): Block[] {
  if (token.header.length > COLUMNS) return [];
  const names = token.header.map((cell) => oneLine(textOf(cell.tokens)).toLowerCase());
  return token.rows.flatMap((row, index) => {
    const cells = row.map((cell) => oneLine(textOf(cell.tokens)));
    const text = cells.flatMap((cell, column) => fact(cell, column === 0 ? "" : (names[column] ?? ""))).join(" — ");
    return text === "" ? [] : [{ kind: "item" as const, text, line: line + 2 + index }];
  });
}

function fact(cell: string, name: string): string[] {
  if (cell === "" || cell === "-") return [];
  return [name === "" || name === "description" || name === "meaning" ? cell : `${name}: ${cell}`];
}

/** HTML blocks in documentation are mostly layout; of the rest the text is kept. */
function html(raw: string, line: number): Block[] {
  if (/<(?:img|table|picture|script|style|svg)\b/iu.test(raw)) return [];
  const text = oneLine(textOfHtml(raw));
  return text.split(" ").length < 4 || (raw.match(/<a\b/giu)?.length ?? 0) > 1 ? [] : [{ kind: "prose", text, line }];
}

function withoutAlertMark(block: Block): Block {
  if (block.kind === "code") return block;
  return { ...block, text: block.text.replace(/^\[!(\w+)\]\s*/u, (_, mark: string) => `${capital(mark)}: `) };
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
}

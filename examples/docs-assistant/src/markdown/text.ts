/** Markdown tokens as readable text: links become their words, code keeps its backticks, images go. */
import type { Token, Tokens } from "marked";

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  nbsp: " ",
  mdash: "—",
  ndash: "–",
  "#39": "'",
};

export function textOf(tokens: readonly Token[]): string {
  return tokens.map(textOfToken).join("");
}

function textOfToken(token: Token): string {
  switch (token.type) {
    case "codespan":
      return `\`${(token as Tokens.Codespan).text}\``;
    case "image":
      return "";
    case "html":
      return /^<br/iu.test(token.raw) ? " " : "";
    case "br":
      return "\n";
    case "escape":
      return (token as Tokens.Escape).text;
    default:
      return "tokens" in token && token.tokens !== undefined ? textOf(token.tokens) : plain(token);
  }
}

/** Links by reference whose target is missing are left as they were written: `[text][target]`. */
function plain(token: Token): string {
  const text = "text" in token ? String(token.text) : "";
  return decoded(text.replace(/\[([^\]]+)\]\[[^\]]*\]/gu, "$1"));
}

export function textOfHtml(html: string): string {
  return decoded(html.replace(/<!--[\s\S]*?-->/gu, "").replace(/<[^>]+>/gu, " ")).trim();
}

function decoded(text: string): string {
  return text.replace(/&(#?\w+);/gu, (entity, name: string) => ENTITIES[name] ?? (name.startsWith("#") ? "" : entity));
}

/** One line: soft breaks become spaces, and those before `Type: …` or `Default: …` the ends of sentences. */
export function oneLine(text: string): string {
  return text
    .trim()
    .replace(/([\w`)])[ \t]*\n(?=[A-Z][a-z]+: )/gu, "$1. ")
    .replace(/\s+/gu, " ")
    .replace(/ ([.,;:!?])(?= |$)/gu, "$1");
}

/**
 * Writes an answer out of the passages' own sentences and code: nothing in it is invented.
 */

import type { Library } from "../library/library.js";
import type { Passage } from "../library/read-documents.js";
import type { Relevance } from "../library/relevance.js";
import { stem } from "../library/words.js";
import type { Block } from "../markdown/blocks.js";
import { chooseCode } from "./choose-code.js";
import { type Choice, chooseUnits, type Unit } from "./choose-units.js";
import type { Retrieval } from "./retrieve.js";
import { shortenCode } from "./shorten-code.js";

export interface Extract {
  /** Markdown; `[1]` cites the first of `passages`. */
  readonly text: string;
  readonly passages: readonly Passage[];
}

const MAIN_LENGTH = 480;
const SIDE_LENGTH = 240;

/** Each passage gives an excerpt; one of them may show code. Those that have nothing to quote are left out. */
export function extract({ question, passages, reservation }: Retrieval, library: Library): Extract {
  const { terms: asked, memory, packages: about } = question;
  const remembered = question.remembered.map(stem);
  const relevance = library.relevance({ terms: asked, remembered, memory, packages: about });
  const code = chooseCode(passages, relevance, question.kind === "lookup" ? question.wants : "example");
  const isGenerous = question.kind !== "lookup";
  const written = passages
    .map((passage, index) => ({
      passage,
      paragraphs: excerpt(passage, { length: index === 0 ? MAIN_LENGTH : SIDE_LENGTH, relevance, code, isGenerous }),
    }))
    .filter(({ paragraphs }) => paragraphs.length > 0);
  const excerpts = written.map(({ passage, paragraphs }, index) => headed(passage, index + 1, paragraphs));
  const caveat = caveatOf(reservation);
  return {
    text: [...(caveat === undefined || excerpts.length === 0 ? [] : [caveat]), ...excerpts].join("\n\n"),
    passages: written.map(({ passage }) => passage),
  };
}

function caveatOf(reservation: Retrieval["reservation"]): string | undefined {
  if (reservation === null) return undefined;
  const { kind, words, packages } = reservation;
  if (kind === "elsewhere")
    return `The pages of ${packages.join(" and ")} say nothing about ${quoted(words)}. Others do:`;
  return `Nothing speaks about all of that. What comes closest, without ${quoted(words)}:`;
}

export function quoted(words: readonly string[]): string {
  return words.map((word) => `“${word}”`).join(", ");
}

function excerpt(passage: Passage, choice: Choice): string[] {
  const paragraphs: string[] = [];
  let previous: Unit | undefined;
  for (const unit of chooseUnits(passage, choice)) {
    const isJoined = previous !== undefined && previous.block.kind === unit.block.kind && unit.block.kind !== "code";
    const separator = unit.block.kind === "item" ? "\n" : " ";
    const text = written(unit, choice.relevance);
    paragraphs.push(isJoined ? `${stopped(paragraphs.pop() ?? "", unit)}${separator}${text}` : text);
    previous = unit;
  }
  return paragraphs;
}

/** "Default: `1`" needs its full stop before the next sentence. */
function stopped(text: string, next: Unit): string {
  return next.block.kind === "prose" && /[\w`)]$/u.test(text) ? `${text}.` : text;
}

function written({ block, text }: Unit, relevance: Relevance): string {
  if (block.kind === "item") return `- ${text}`;
  return block.kind === "code" ? fenced(block, relevance) : text;
}

function fenced(block: Block, relevance: Relevance): string {
  return `\`\`\`${block.language ?? ""}\n${shortenCode(block.text, (lines) => relevance.score(lines))}\n\`\`\``;
}

/** The heading first: sentences of reference pages do not repeat what they are about. */
function headed(passage: Passage, number: number, paragraphs: readonly string[]): string {
  const heading = `**${passage.titles.at(-1) ?? passage.package}** [${number}]`;
  const [first, ...rest] = paragraphs;
  if (first === undefined || /^(?:- |```)/u.test(first)) return [heading, ...paragraphs].join("\n\n");
  return [`${heading} — ${first}`, ...rest].join("\n\n");
}

/** What of a passage is quoted: sentences, list items and at most one block of code, in the order of the page. */

import { itemName, nameMatch } from "../library/rank.js";
import type { Passage } from "../library/read-documents.js";
import type { Relevance } from "../library/relevance.js";
import type { Block } from "../markdown/blocks.js";

export interface Unit {
  readonly block: Block;
  readonly text: string;
}

export interface Choice {
  /** Characters. */
  readonly length: number;
  readonly relevance: Relevance;
  /** The one code block that the answer shows. */
  readonly code: Block | undefined;
  /** Take what stands there, also where it does not speak about the question. */
  readonly isGenerous: boolean;
}

interface WeighedUnit extends Unit {
  readonly score: number;
}

const NEIGHBOUR_LENGTH = 160;

export function chooseUnits(passage: Passage, choice: Choice): Unit[] {
  const units = unitsOf(passage, choice.relevance);
  const chosen = withWholeIntroductions(units, choose(units, choice));
  return units.filter((unit) => chosen.has(unit));
}

/** The opening, what says most about the question as far as the length allows, and the code. */
function choose(units: readonly WeighedUnit[], { length, code, isGenerous }: Choice): Set<WeighedUnit> {
  const readable = units.filter(({ block }) => block.kind !== "code");
  const lead = readable.find(({ block, text }) => block.kind === "prose" && !isFact(text));
  const neighbour = lead === undefined ? undefined : readable[readable.indexOf(lead) + 1];
  const telling = readable.filter(({ score }) => isGenerous || score > 0).sort((a, b) => b.score - a.score);
  const chosen = new Set<WeighedUnit>();
  let left = length;
  const take = (unit: WeighedUnit | undefined, room: number): void => {
    if (unit === undefined || chosen.has(unit) || (chosen.size > 0 && unit.text.length > room)) return;
    chosen.add(unit);
    left -= unit.text.length;
  };
  for (const unit of [lead, ...telling]) take(unit, left);
  take(neighbour, Math.min(left, NEIGHBOUR_LENGTH));
  if (chosen.size === 0) take(readable[0], left);
  for (const unit of units) if (unit.block === code) chosen.add(unit);
  return chosen;
}

/** "For example:" stays if, and only if, what it announces is there. */
function withWholeIntroductions(units: readonly WeighedUnit[], chosen: Set<WeighedUnit>): Set<WeighedUnit> {
  for (const [index, unit] of units.entries()) {
    const next = units[index + 1];
    if (unit.block.kind !== "prose" || !isAnnouncement(unit.text)) continue;
    if (next !== undefined && chosen.has(next) && next.block !== unit.block) chosen.add(unit);
    else chosen.delete(unit);
  }
  return chosen;
}

function isAnnouncement(text: string): boolean {
  return text.endsWith(":") || /^(?:params|parameters|options|examples?|usage|returns|arguments)$/iu.test(text);
}

/** "Type: `number`. Default: `1`": worth showing, but not to begin with. */
function isFact(text: string): boolean {
  return /^(?:type|default|returns|since|required|minimum|maximum)\b:/iu.test(text);
}

function unitsOf(passage: Passage, relevance: Relevance): WeighedUnit[] {
  return passage.blocks.flatMap((block) => {
    const naming = 1 + nameMatch(itemName(block), relevance.asked);
    const texts = block.kind === "prose" ? sentences(block.text) : [block.text];
    return texts.map((text) => ({ block, text, score: relevance.score(text) * naming }));
  });
}

const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });

function sentences(text: string): string[] {
  return [...segmenter.segment(text)].map(({ segment }) => segment.trim()).filter((sentence) => sentence !== "");
}

/**
 * Prints Markdown while it arrives, piece by piece: paragraphs wrapped to the width, lists hanging, code untouched.
 * Outside code it works word by word, inside line by line; nothing that was printed is ever changed.
 */
import type { Paint } from "./paint.js";
import { WordPainter } from "./paint-word.js";
import { harmless, textWidth } from "./text-width.js";

export interface PrinterOptions {
  readonly write: (text: string) => void;
  readonly paint: Paint;
  readonly width: number;
  readonly indent: string;
}

type Block = "none" | "paragraph" | "item" | "heading" | "code";

const FENCE = "```";
const ITEM = /^(?:[-*+]|\d{1,3}[.)])$/u;
const HEADING = /^#{1,6}$/u;

export class AnswerPrinter {
  readonly #options: PrinterOptions;
  readonly #words: WordPainter;
  #block: Block = "none";
  #isInCode = false;
  /** The word, or in code the line, that has not ended yet. */
  #pending = "";
  /** Line breaks of the source since the last word. */
  #breaks = 0;
  /** Columns written in this line; 0 where it has not begun. */
  #column = 0;
  #needsSpace = false;
  /** What wrapped lines of an item begin with. */
  #hanging = "";

  constructor(options: PrinterOptions) {
    this.#options = options;
    this.#words = new WordPainter(options.paint);
  }

  print(text: string): void {
    for (const character of harmless(text)) {
      if (this.#isInCode) this.#takeCode(character);
      else this.#takeText(character);
    }
  }

  /** Prints what is left and ends the last line. */
  end(): void {
    if (!this.#isInCode) this.#word();
    else if (this.#pending !== "") this.#codeLine();
    this.#endLine();
  }

  #takeText(character: string): void {
    if (!/\s/u.test(character)) {
      this.#pending += character;
      return;
    }
    this.#word();
    if (character === "\n" && this.#block !== "none") this.#breaks += 1;
  }

  #takeCode(character: string): void {
    if (character === "\n") this.#codeLine();
    else this.#pending += character;
  }

  #word(): void {
    const word = this.#pending;
    this.#pending = "";
    if (word === "") return;
    const isFirst = this.#block === "none" || this.#breaks > 0;
    if (isFirst && word.startsWith(FENCE)) this.#startCode();
    else if (isFirst && HEADING.test(word)) this.#startBlock("heading");
    else if (isFirst && ITEM.test(word)) this.#startItem(/\d/u.test(word) ? word : "•");
    else this.#text(word);
  }

  #text(word: string): void {
    const isNext = this.#breaks > 1 || (this.#breaks === 1 && (this.#block === "heading" || this.#block === "code"));
    if (this.#block === "none" || isNext) this.#startBlock("paragraph");
    this.#breaks = 0;
    this.#put(word);
  }

  #startCode(): void {
    this.#startBlock("code");
    this.#isInCode = true;
  }

  #startItem(marker: string): void {
    this.#startBlock("item");
    this.#put(marker);
    this.#hanging = " ".repeat(textWidth(marker) + 1);
  }

  /** Ends the block before, with an empty line where the source has one. */
  #startBlock(block: Block): void {
    this.#endLine();
    const isApart = this.#breaks > 1 || block === "code" || this.#block === "code";
    if (isApart && this.#block !== "none") this.#options.write("\n");
    this.#block = block;
    this.#breaks = 0;
    this.#hanging = "";
    this.#words.reset(block === "heading");
  }

  #put(word: string): void {
    const { width, indent, write } = this.#options;
    const { text, columns } = this.#words.paint(word);
    if (this.#needsSpace && this.#column + 1 + columns > width) this.#endLine();
    const before = this.#column === 0 ? indent + this.#hanging : this.#needsSpace ? " " : "";
    write(before + text);
    this.#column += before.length + columns;
    this.#needsSpace = true;
  }

  #endLine(): void {
    if (this.#column > 0) this.#options.write("\n");
    this.#column = 0;
    this.#needsSpace = false;
  }

  #codeLine(): void {
    const line = this.#pending;
    this.#pending = "";
    const isRestOfFence = this.#breaks === 0;
    this.#breaks = 1;
    if (isRestOfFence) return;
    if (line.trim() === FENCE) this.#isInCode = false;
    else this.#writeCode(line);
  }

  #writeCode(line: string): void {
    const { write, paint, indent } = this.#options;
    const bar = indent + paint("dim", "│");
    write(line === "" ? `${bar}\n` : `${bar} ${paint("cyan", line)}\n`);
  }
}

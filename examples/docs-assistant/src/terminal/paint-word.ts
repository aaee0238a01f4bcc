/** Paints inline Markdown word by word: what one word opens, a later one may close. */
import type { Paint } from "./paint.js";
import { textWidth } from "./text-width.js";

const PARTS = /\*\*|`|\[\d+\]|[^*`[]+|./gu;

export class WordPainter {
  readonly #paint: Paint;
  /** Without colours the backticks stay: they are then all that marks code. */
  readonly #keepsTicks: boolean;
  #isBold = false;
  #isCode = false;

  constructor(paint: Paint) {
    this.#paint = paint;
    this.#keepsTicks = paint("cyan", "`") === "`";
  }

  /** At the beginning of a block nothing is open. */
  reset(isBold: boolean): void {
    this.#isBold = isBold;
    this.#isCode = false;
  }

  paint(word: string): { readonly text: string; readonly columns: number } {
    let text = "";
    let columns = 0;
    for (const part of word.match(PARTS) ?? []) {
      const shown = this.#read(part);
      text += shown === "" ? "" : this.#painted(shown);
      columns += textWidth(shown);
    }
    return { text, columns };
  }

  /** What is shown of a part; marks switch the style and are not shown. */
  #read(part: string): string {
    if (part === "`") this.#isCode = !this.#isCode;
    else if (part === "**" && !this.#isCode) this.#isBold = !this.#isBold;
    else return part;
    return part === "`" && this.#keepsTicks ? part : "";
  }

  #painted(text: string): string {
    if (this.#isCode) return this.#paint("cyan", text);
    if (/^\[\d+\]$/u.test(text)) return this.#paint("yellow", text);
    return this.#isBold ? this.#paint("bold", text) : text;
  }
}

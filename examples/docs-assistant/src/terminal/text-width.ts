/** Columns that a text takes in a terminal. Emoji and East Asian characters take two, combining marks none. */
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u;
const NONE = /^[\p{Mark}\p{Format}]$/u;

export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += NONE.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

/** Shortened from the left, where headings begin alike. */
export function tail(text: string, width: number): string {
  return textWidth(text) <= width ? text : `…${[...text].slice(1 - width).join("")}`;
}

/** Shortened from the right, where sentences may end. */
export function head(text: string, width: number): string {
  return textWidth(text) <= width ? text : `${[...text].slice(0, width - 1).join("")}…`;
}

/** Documents are foreign text: without control characters they cannot move the cursor or rename the window. */
export function harmless(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu, "");
}

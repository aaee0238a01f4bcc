import type { Source } from "../answer/conversation.js";
import type { Screen } from "./screen.js";
import { harmless, tail, textWidth } from "./text-width.js";

/** `[1] kysely/README.md:120   Getting started › Installation`, paths aligned. */
export function sourceLines(sources: readonly Source[], { paint, width }: Pick<Screen, "paint" | "width">): string[] {
  const places = sources.map(({ path, line }) => harmless(`${path}:${line}`));
  const column = Math.max(0, ...places.map(textWidth));
  return sources.map(({ number, heading }, index) => {
    const place = places[index] ?? "";
    const gap = " ".repeat(column - textWidth(place) + 2);
    const room = width - 8 - column;
    return `  ${paint("yellow", `[${number}]`)} ${place}${gap}${paint("dim", room > 10 ? tail(harmless(heading), room) : "")}`.trimEnd();
  });
}

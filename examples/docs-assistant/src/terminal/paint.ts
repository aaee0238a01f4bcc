/** Colours, where the terminal has them and the user wants them (https://no-color.org). */
import { styleText } from "node:util";

export type Style = Parameters<typeof styleText>[0];
export type Paint = (style: Style, text: string) => string;

export function painter(stream: { readonly isTTY?: boolean }, environment: NodeJS.ProcessEnv = process.env): Paint {
  const { NO_COLOR, FORCE_COLOR, TERM } = environment;
  const forced = FORCE_COLOR !== undefined && FORCE_COLOR !== "0";
  const colors = !NO_COLOR && (forced || (stream.isTTY === true && TERM !== "dumb"));
  return (style, text) => (colors ? styleText(style, text, { validateStream: false }) : text);
}

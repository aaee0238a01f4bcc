/** Where text goes, how wide it may be, in which colours and at which pace. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Paint, painter } from "./paint.js";

export interface Screen {
  readonly width: number;
  readonly paint: Paint;
  write(text: string): void;
  line(text: string): void;
  /** On a terminal, time to read along; elsewhere none. */
  pace(): Promise<void>;
}

const WIDEST = 96;
const NARROWEST = 40;
const READING_PACE = 12;

export function screenOn(stream: NodeJS.WriteStream): Screen {
  const write = (text: string): void => void stream.write(text);
  return {
    width: Math.min(WIDEST, Math.max(NARROWEST, (stream.columns ?? WIDEST) - 2)),
    paint: painter(stream),
    write,
    line: (text) => write(`${text}\n`),
    pace: async () => {
      if (stream.isTTY) await sleep(READING_PACE);
    },
  };
}

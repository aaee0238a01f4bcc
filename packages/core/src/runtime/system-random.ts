/** Real randomness and ids. Ids are ULIDs: 48 bits of time, 80 random bits, Crockford base 32, lower case. */

import { randomFillSync } from "node:crypto";
import type { Random } from "../ports/random.js";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const pool = new Uint8Array(4096);
let used = pool.length;
let lastTime = 0;
let lastRandom = new Uint8Array(16);

export const systemRandom: Random = {
  fraction: () => Math.random(),
  id: (prefix) => `${prefix}_${time(tick())}${tail()}`,
};

/** Never goes back within this process, so ids sort by creation. */
function tick(): number {
  const now = Date.now();
  if (now > lastTime) {
    lastTime = now;
    lastRandom = draw();
  } else increment(lastRandom);
  return lastTime;
}

function draw(): Uint8Array<ArrayBuffer> {
  if (used + 16 > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const digits = pool.slice(used, used + 16).map((byte) => byte & 31);
  used += 16;
  return digits;
}

/** Within one millisecond the random part counts up, as the ULID specification's monotonic form does. */
function increment(digits: Uint8Array): void {
  for (let index = digits.length - 1; index >= 0; index--) {
    const digit = (digits[index] as number) + 1;
    digits[index] = digit & 31;
    if (digit < 32) return;
  }
}

function time(now: number): string {
  let text = "";
  let rest = now;
  for (let index = 0; index < 10; index++) {
    text = alphabet.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function tail(): string {
  let text = "";
  for (const digit of lastRandom) text += alphabet.charAt(digit);
  return text;
}

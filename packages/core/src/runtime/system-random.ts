/** Real randomness and ids. Ids are ULIDs: 48 bits of time, 80 random bits, Crockford base 32, lower case. */

import { randomFillSync } from "node:crypto";
import type { Random } from "../ports/random.js";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
/** The random part: 16 digits, of which the last two count up within a millisecond as one, so that an id is put together from three texts. */
const headDigits = 14;
const tails = Array.from(alphabet, (first) => Array.from(alphabet, (second) => first + second)).flat();
const pool = new Uint8Array(4096);
let used = pool.length;
let lastTime = 0;
/** Time and random part, less the last two digits. */
let head = "";
const headRandom = new Uint8Array(headDigits);
let tail = 0;

export const systemRandom: Random = {
  fraction: () => Math.random(),
  id: (prefix) => {
    tick();
    return `${prefix}_${head}${tails[tail] as string}`;
  },
};

/** Never goes back within this process, so ids sort by creation. */
function tick(): void {
  const now = Date.now();
  if (now > lastTime) {
    lastTime = now;
    draw();
  } else if (tail + 1 < tails.length) {
    tail++;
    return;
  } else {
    tail = 0;
    increment(headRandom);
  }
  head = time(lastTime) + textOf(headRandom);
}

function draw(): void {
  if (used + headDigits + 2 > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  for (let index = 0; index < headDigits; index++) headRandom[index] = nextDigit();
  tail = nextDigit() * 32 + nextDigit();
}

function nextDigit(): number {
  return (pool[used++] as number) & 31;
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

function textOf(digits: Uint8Array): string {
  let text = "";
  for (const digit of digits) text += alphabet.charAt(digit);
  return text;
}

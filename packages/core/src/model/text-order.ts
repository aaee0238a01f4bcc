/**
 * Binary order of text: by UTF-8 bytes, which is by code point, as SQLite (BINARY) and Postgres (COLLATE "C") compare.
 * JavaScript's own `<` compares UTF-16 units and puts an emoji before U+FF01.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const difference = rank(a.charCodeAt(at)) - rank(b.charCodeAt(at));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** UTF-16 units in the order of the code points they stand for: surrogates behind everything else. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

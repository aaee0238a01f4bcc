import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alignArrays, type Hole } from "./align.js";
import type { Json } from "./json.js";

const pool = new Map([..."abcdefghsxyeX"].map((name) => [name, Object.freeze({ name }) as Json]));
const items = (names: string): Json[] => [...names].map((name) => pool.get(name) as Json);

function hole(from: number, fromEnd: number, to: number, toEnd: number): Hole {
  return { from, fromEnd, to, toEnd };
}

/** The new array, made of the old one's elements and, inside holes, the new one's. */
function rebuild(base: readonly Json[], next: readonly Json[], holes: readonly Hole[]): Json[] {
  const result: Json[] = [];
  let from = 0;
  for (const each of holes) {
    result.push(...base.slice(from, each.from), ...next.slice(each.to, each.toEnd));
    from = each.fromEnd;
  }
  return [...result, ...base.slice(from)];
}

describe("alignArrays", () => {
  it.each([
    ["unchanged", "abc", "abc", []],
    ["append", "abc", "abcde", [hole(3, 3, 3, 5)]],
    ["prepend", "abc", "xabc", [hole(0, 0, 0, 1)]],
    ["window", "abcd", "cdx", [hole(0, 2, 0, 0), hole(4, 4, 2, 3)]],
    ["window behind a fixed head", "sabcd", "scdx", [hole(1, 3, 1, 1), hole(5, 5, 3, 4)]],
    ["summary in place of the front, and one more", "abcdef", "Xefg", [hole(0, 4, 0, 1), hole(6, 6, 3, 4)]],
    ["edit", "abc", "axc", [hole(1, 2, 1, 2)]],
    ["two edits", "abcde", "xbcdy", [hole(0, 1, 0, 1), hole(4, 5, 4, 5)]],
    ["edit at the end and append", "abc", "abxy", [hole(2, 3, 2, 4)]],
    ["removals", "abcdef", "bdf", [hole(0, 1, 0, 0), hole(2, 3, 1, 1), hole(4, 5, 2, 2)]],
    ["all new", "abc", "xy", [hole(0, 3, 0, 2)]],
    ["emptied", "abc", "", [hole(0, 3, 0, 0)]],
    ["one of several equal ones gone", "aaa", "aa", [hole(2, 3, 2, 2)]],
    ["one more of several equal ones", "aa", "aaa", [hole(2, 2, 2, 3)]],
    ["the last stays the last, though it is there twice", "bcb", "xb", [hole(0, 2, 0, 1)]],
    ["what stays at the end is not looked for before it", "xbyb", "ghb", [hole(0, 3, 0, 2)]],
    ["nor does a stretch that stayed go on into it", "abs", "xbsys", [hole(0, 1, 0, 1), hole(2, 2, 2, 4)]],
    ["nor on the other side", "xbsys", "abs", [hole(0, 1, 0, 1), hole(2, 4, 2, 2)]],
    ["nor is it found where nothing was missed so far", "abs", "bsys", [hole(0, 1, 0, 0), hole(2, 2, 1, 3)]],
    ["the first old one behind a new one", "abcd", "xabe", [hole(0, 0, 0, 1), hole(2, 4, 3, 4)]],
    ["the later of two equal ones", "acdaf", "xcag", [hole(0, 1, 0, 1), hole(2, 3, 2, 2), hole(4, 5, 3, 4)]],
  ])("%s", (_name, base, next, holes) => {
    expect(alignArrays(items(base), items(next), true)).toEqual(holes);
    const clone = JSON.parse(JSON.stringify(items(next))) as Json[];
    expect(alignArrays(items(base), clone, false)).toEqual(holes);
  });

  it("always rebuilds the new array", () => {
    const some = () => fc.array(fc.constantFrom(...items("abcdefgh"), 1, "x", null), { maxLength: 30 });
    fc.assert(
      fc.property(some(), some(), fc.boolean(), (base, next, identity) => {
        expect(rebuild(base, next, alignArrays(base, next, identity))).toEqual(next);
      }),
    );
  });

  it("stays linear when nothing matches", () => {
    const make = () => Array.from({ length: 50_000 }, (_, id) => ({ id }));
    expect(alignArrays(make(), make(), true)).toEqual([hole(0, 50_000, 0, 50_000)]);
  });
});

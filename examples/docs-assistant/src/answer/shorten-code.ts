const LINES = 24;

/** Long code keeps its beginning and the groups of lines that speak most about the question; "…" stands for the rest. */
export function shortenCode(code: string, weigh: (lines: string) => number): string {
  const text = code.replaceAll("\t", "  ");
  if (text.split("\n").length <= LINES) return text;
  const groups = text.split(/\n\s*\n/u);
  const kept = chooseGroups(groups, weigh);
  return groups
    .map((group, index) => (kept.has(index) ? firstLines(group) : "…"))
    .filter((group, index, all) => group !== "…" || all[index - 1] !== "…")
    .join("\n\n");
}

function chooseGroups(groups: readonly string[], weigh: (lines: string) => number): Set<number> {
  const ranked = groups.map((group, index) => ({ index, lines: group.split("\n").length + 1, score: weigh(group) }));
  const [first, ...others] = ranked;
  others.sort((a, b) => b.score - a.score || a.index - b.index);
  const kept = new Set<number>();
  let left = LINES;
  for (const { index, lines } of first === undefined ? [] : [first, ...others]) {
    if (lines > left && kept.size > 0) continue;
    kept.add(index);
    left -= lines;
  }
  return kept;
}

function firstLines(group: string): string {
  const lines = group.split("\n");
  return lines.length <= LINES ? group : [...lines.slice(0, LINES), "…"].join("\n");
}

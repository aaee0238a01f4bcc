import { plantedBugs, findBug } from "/work/main/packages/core/test/simulation/self-test.ts";
const only = process.argv[2];
for (const bug of plantedBugs) {
  if (only && !bug.name.includes(only)) continue;
  const t = performance.now();
  const found = await findBug(bug, 500);
  console.log(bug.name.padEnd(62), String(found?.seed ?? "-").padStart(4), ((performance.now()-t)/1000).toFixed(1).padStart(5)+"s", found?.rule ?? "NOT FOUND", "|", (found?.message ?? "").slice(0, 110));
}

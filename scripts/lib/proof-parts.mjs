/**
 * @typedef {object} Part
 * @property {string} id
 * @property {string} title
 * @property {string} script of package.json
 * @property {string[]} full its arguments
 * @property {string[]} short to see that it works
 * @property {Record<string, string>} [env]
 * @property {(lines: string[]) => string | undefined} [judge] what its exit code does not tell: why it failed
 */

/** All that is too long for CI. @type {Part[]} */
export const proofParts = [
  {
    id: "simulate",
    title: "10,000 seeds of the simulation",
    script: "simulate",
    full: ["--seeds", "10000"],
    short: ["--seeds", "50"],
  },
  {
    id: "self-test",
    title: "Planted bugs, each found within 500 seeds",
    script: "simulate",
    full: ["--self-test"],
    short: ["--seeds", "5"],
  },
  ...["sqlite", "postgres"].map((storage) => ({
    id: `chaos-${storage}`,
    title: `Real processes killed and stopped under load, ${storage}`,
    script: "chaos",
    full: ["--storage", storage, "--minutes", "10", "--runs", "0"],
    short: ["--storage", storage, "--minutes", "0.2"],
  })),
  ...["sqlite", "postgres"].map((storage) => ({
    id: `soak-${storage}`,
    title: `An hour of steady load, ${storage}`,
    script: "soak",
    full: ["--storage", storage, "--minutes", "60"],
    short: ["--storage", storage, "--minutes", "1"],
  })),
  {
    id: "kills-and-races",
    title: "Kills, races and random commands, in numbers too large for CI",
    script: "test",
    full: ["tests/proofs", "tests/same-on", "tests/storages-agree", "tests/children-at-random", "tests/fuzz.test"],
    short: ["tests/proofs/one-answer"],
    env: { HEDDLE_TEST_SIZE: "long" },
  },
  {
    id: "mutation",
    title: "Changes to the model and the engine's writer, noticed by the tests",
    script: "mutate",
    full: [],
    short: ["--only", "retry"],
  },
  {
    id: "peers",
    title: "Speed beside the peers",
    script: "bench:peers",
    full: [],
    short: ["--tiny"],
    judge: unmetBounds,
  },
];

/** @param {string[]} lines */
function unmetBounds(lines) {
  const unmet = lines.filter((line) => line.startsWith("  NOT MET"));
  if (unmet.length === 0) return undefined;
  return unmet.length === 1 ? "1 bound is not met" : `${unmet.length} bounds are not met`;
}

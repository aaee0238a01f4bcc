// Who may import whom (DESIGN.md, "Layers"). `npm run check` enforces it, type-only imports included.

/** The layers of packages/core/src from the bottom up; a layer imports only those before it. */
const LAYERS = ["errors", "model", "ports", "runtime", "engine", "create-engine", "index"];

/** Where the default adapters are wired in. */
const WIRING = ["create-engine", "index"];

/** What the code beside the layers may import from core; nothing in the layers imports it. */
const BESIDE = {
  adapters: ["errors", "model", "ports", "adapters"],
  testing: [...LAYERS, "adapters", "testing"],
  storage: ["errors", "model", "ports"],
};

/** A layer is a folder or a file of that name. @param {string[]} layers */
const core = (...layers) => `^packages/core/src/(${layers.join("|")})(/|\\.ts$)`;

const TEST_FILE = "\\.test\\.ts$";

const layerRules = LAYERS.map((layer, height) => ({
  name: `core-${layer}`,
  comment: `${layer} imports only ${LAYERS.slice(0, height).join(", ") || "nothing of core"}`,
  severity: "error",
  from: { path: core(layer), pathNot: TEST_FILE },
  to: {
    path: "^packages/core/src/",
    pathNot: core(...LAYERS.slice(0, height + 1), ...(WIRING.includes(layer) ? ["adapters"] : [])),
  },
}));

const besideRules = Object.entries(BESIDE).map(([part, allowed]) => ({
  name: `core-${part}`,
  comment: `${part} imports only ${allowed.join(", ")}`,
  severity: "error",
  from: { path: core(part), pathNot: TEST_FILE },
  to: { path: "^packages/core/src/", pathNot: core(...allowed) },
}));

/** Which packages a package may import; by name, so the target is that package's dist/. */
const PACKAGES = {
  core: [],
  "storage-sql": ["core"],
  "storage-sqlite": ["core", "storage-sql"],
  "storage-postgres": ["core", "storage-sql"],
  "agent-node": [],
  "agent-python": [],
  "executor-process": ["core"],
  "executor-docker": ["core", "executor-process"],
};

const packageRules = Object.entries(PACKAGES).map(([name, allowed]) => ({
  name: `package-${name}`,
  comment: `${name} imports only ${allowed.join(", ") || "no other package"}`,
  severity: "error",
  from: { path: `^packages/${name}/src/`, pathNot: TEST_FILE },
  to: { path: "^packages/", pathNot: `^packages/(${[name, ...allowed].join("|")})/` },
}));

export default {
  forbidden: [
    {
      name: "no-cycles",
      comment: "A cycle, even of types, means that two files are one",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "known-core-layer",
      comment: "Every file of core belongs to a layer",
      severity: "error",
      from: { path: "^packages/core/src/", pathNot: core(...LAYERS, ...Object.keys(BESIDE)) },
      to: {},
    },
    ...layerRules,
    ...besideRules,
    ...packageRules,
    {
      name: "known-package",
      comment: "Every package says which others it may import",
      severity: "error",
      from: { path: "^packages/", pathNot: `^packages/(${Object.keys(PACKAGES).join("|")})/` },
      to: {},
    },
    {
      name: "packages-by-name",
      comment: "Other packages are imported by name, as users do",
      severity: "error",
      from: { path: "^(packages/[^/]+|examples|tests|bench)/" },
      to: { path: "^packages/[^/]+/src/", pathNot: "^$1/" },
    },
    {
      name: "resolvable",
      comment:
        "An import that leads nowhere would slip past every rule above. What is installed on demand may not be there yet",
      severity: "error",
      from: { pathNot: "^(bench/peers|tests/mutation)/" },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: ["node_modules", "^packages/[^/]+/dist/"] },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["types", "import", "node", "default"],
    },
  },
};

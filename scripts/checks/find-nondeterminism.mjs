import ts from "typescript";

/**
 * @typedef {object} Finding
 * @property {number} line counted from 1
 * @property {number} column counted from 1
 * @property {string} message
 *
 * @typedef {(node: ts.Identifier) => boolean} IsAllowed
 */

const CLOCK = "use the clock port";
const RANDOM = "use the ids and randomness port";

const GLOBAL_OBJECTS = new Set(["globalThis", "global", "window", "self"]);

/** @param {string[]} names @returns {IsAllowed} */
const onlyMembers = (names) => (node) => {
  const member = memberOf(node);
  return member !== undefined && names.includes(member);
};

/** @param {string[]} names @returns {IsAllowed} */
const anyMemberBut = (names) => (node) => {
  const member = memberOf(node);
  return member !== undefined && !names.includes(member);
};

/**
 * Globals that read the time, wait or roll dice, and the uses of them that do not. Microtasks (promises and
 * `queueMicrotask`) are free: they run in the order they were made, so a simulation repeats them.
 * @type {Map<string, { isAllowed?: IsAllowed, instead: string }>}
 */
const RESTRICTED_GLOBALS = new Map([
  ["Date", { isAllowed: isPureDate, instead: CLOCK }],
  ["performance", { instead: CLOCK }],
  ["setTimeout", { instead: CLOCK }],
  ["setInterval", { instead: CLOCK }],
  ["setImmediate", { instead: CLOCK }],
  ["AbortSignal", { isAllowed: isPureAbortSignal, instead: CLOCK }],
  ["Math", { isAllowed: anyMemberBut(["random"]), instead: RANDOM }],
  ["crypto", { isAllowed: onlyMembers(["subtle"]), instead: RANDOM }],
  ["globalThis", { isAllowed: anyMemberBut([]), instead: "name the global itself" }],
  ["process", { isAllowed: anyMemberBut(["hrtime", "nextTick", "uptime"]), instead: CLOCK }],
]);

const RANDOM_SOURCES = [
  "generateKey",
  "generateKeySync",
  "getRandomValues",
  "randomBytes",
  "randomFill",
  "randomFillSync",
  "randomInt",
  "randomUUID",
  "webcrypto",
];

/**
 * Node modules that offer the same things; `names` are the forbidden exports, without them the whole module is.
 * @type {Map<string, { names?: string[], instead: string }>}
 */
const RESTRICTED_MODULES = new Map([
  ["timers", { instead: CLOCK }],
  ["timers/promises", { instead: CLOCK }],
  ["perf_hooks", { instead: CLOCK }],
  ["crypto", { names: RANDOM_SOURCES, instead: RANDOM }],
]);

/**
 * Finds what makes code run differently from one time to the next: clocks, timers and randomness taken from anywhere
 * but the ports. It looks at syntax alone, so a local variable that is named like a restricted global is reported too.
 * @param {string} fileName @param {string} text
 * @returns {Finding[]}
 */
export function findNondeterminism(fileName, text) {
  const source = ts.createSourceFile(fileName, text, ts.ScriptTarget.Latest, true);
  /** @type {Finding[]} */
  const findings = [];
  const visit = (/** @type {ts.Node} */ node) => {
    const message = judge(node);
    if (message !== undefined) findings.push({ ...positionOf(source, node), message });
    ts.forEachChild(node, visit);
  };
  visit(source);
  return findings;
}

/** @param {ts.Node} node @returns {string | undefined} */
function judge(node) {
  if (ts.isIdentifier(node)) return judgeGlobal(node);
  if (ts.isImportDeclaration(node)) return judgeImport(node);
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return judgeModule(node.arguments[0]);
  return undefined;
}

/** @param {ts.Identifier} node */
function judgeGlobal(node) {
  const rule = RESTRICTED_GLOBALS.get(node.text);
  if (rule === undefined || !isValueOfGlobal(node) || rule.isAllowed?.(node)) return undefined;
  return `${describeUse(node)}: ${rule.instead}`;
}

/** @param {ts.ImportDeclaration} node */
function judgeImport(node) {
  const clause = node.importClause;
  if (clause?.phaseModifier === ts.SyntaxKind.TypeKeyword) return undefined;
  const bindings = clause?.namedBindings;
  const imported =
    bindings && ts.isNamedImports(bindings) && clause?.name === undefined
      ? bindings.elements.map((element) => (element.propertyName ?? element.name).text)
      : undefined;
  return judgeModule(node.moduleSpecifier, imported);
}

/** @param {ts.Node | undefined} specifier @param {string[]} [imported] the names, when only names are imported */
function judgeModule(specifier, imported) {
  if (specifier === undefined || !ts.isStringLiteral(specifier)) return undefined;
  const name = specifier.text.replace(/^node:/, "");
  const rule = RESTRICTED_MODULES.get(name);
  if (rule === undefined) return undefined;
  if (rule.names === undefined) return `import of node:${name}: ${rule.instead}`;
  if (imported === undefined) return `import of all of node:${name}: import only the functions you need, by name`;
  const forbidden = imported.filter((each) => rule.names?.includes(each));
  return forbidden.length > 0 ? `import of ${forbidden.join(", ")} from node:${name}: ${rule.instead}` : undefined;
}

/** @param {ts.Identifier} node whether it is read as a value, and not a type, a property's name or a declaration's */
function isValueOfGlobal(node) {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return isGlobalObject(parent.expression);
  if (isNameOf(parent, node)) return false;
  return !ts.isPartOfTypeNode(node) && !ts.isTypeQueryNode(parent) && !ts.isQualifiedName(parent);
}

/** @param {ts.Expression} node */
function isGlobalObject(node) {
  return ts.isIdentifier(node) && GLOBAL_OBJECTS.has(node.text);
}

/** @param {ts.Node} parent @param {ts.Identifier} node */
function isNameOf(parent, node) {
  if (ts.isShorthandPropertyAssignment(parent) || ts.isExportSpecifier(parent)) return false;
  if (ts.isBindingElement(parent)) return parent.name === node || parent.propertyName === node;
  return "name" in parent && parent.name === node;
}

/** `new Date(ms)`, `Date.parse`, `Date.UTC` and `instanceof Date` compute; everything else reads the clock. @type {IsAllowed} */
function isPureDate(node) {
  const use = wholeUse(node).parent;
  if (ts.isNewExpression(use)) return (use.arguments?.length ?? 0) > 0;
  if (ts.isBinaryExpression(use)) return use.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword;
  return onlyMembers(["parse", "UTC", "prototype"])(node);
}

/** @type {IsAllowed} */
function isPureAbortSignal(node) {
  const use = wholeUse(node).parent;
  if (ts.isBinaryExpression(use)) return use.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword;
  return onlyMembers(["abort", "any", "prototype"])(node);
}

/** The global with what leads to it: `Date` or `globalThis.Date`. @param {ts.Identifier} node @returns {ts.Node} */
function wholeUse(node) {
  return ts.isPropertyAccessExpression(node.parent) && node.parent.name === node ? node.parent : node;
}

/** The member read from a global, as `random` in `Math.random`. @param {ts.Identifier} node */
function memberOf(node) {
  const whole = wholeUse(node);
  const { parent } = whole;
  return ts.isPropertyAccessExpression(parent) && parent.expression === whole ? parent.name.text : undefined;
}

/** @param {ts.Identifier} node */
function describeUse(node) {
  const member = memberOf(node);
  const { parent } = wholeUse(node);
  if (member !== undefined) return `${node.text}.${member}`;
  return ts.isNewExpression(parent) ? `new ${node.text}()` : node.text;
}

/** @param {ts.SourceFile} source @param {ts.Node} node */
function positionOf(source, node) {
  const { line, character } = source.getLineAndCharacterOfPosition(node.getStart());
  return { line: line + 1, column: character + 1 };
}

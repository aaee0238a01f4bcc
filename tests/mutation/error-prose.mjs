import { declareValuePlugin, PluginKind } from "@stryker-mutator/api/plugin";

/**
 * What we look at of Babel's nodes.
 * @typedef {{ type: string, name?: string, id?: Node, callee?: Node, arguments?: Node[] }} Node
 * @typedef {{ node: Node, parent?: Node | null, parentPath?: Path | null }} Path
 */

/** Which argument of an error is its text. Its code and details are what programs read: they are mutated. */
const places = new Map([
  ["Error", 0],
  ["HeddleError", 1],
]);

/** The text of an error is for people, and free to change: no test should compare it word for word. */
const errorProse = {
  shouldIgnore(/** @type {object} */ path) {
    let { node, parent, parentPath } = /** @type {Path} */ (path);
    if (node.type !== "StringLiteral" && node.type !== "TemplateLiteral") return undefined;
    // Long texts are put together with a plus.
    while (parentPath && parent?.type === "BinaryExpression") ({ node, parent, parentPath } = parentPath);
    return isTextOfError(node, parent ?? undefined) ? "the text of an error" : undefined;
  },
};

/** @param {Node} node @param {Node | undefined} parent */
function isTextOfError(node, parent) {
  if (parent?.type === "VariableDeclarator") return parent.id?.name === "message";
  if (parent?.type !== "NewExpression") return false;
  const place = places.get(parent.callee?.name ?? "");
  return place !== undefined && parent.arguments?.[place] === node;
}

export const strykerPlugins = [declareValuePlugin(PluginKind.Ignore, "error-prose", errorProse)];

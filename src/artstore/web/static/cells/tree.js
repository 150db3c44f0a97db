// @ts-check
// Dictionaries and lists as a tree that folds.
import { grouped, h } from "../dom.js";
import { drawAny, lineOf } from "./any.js";

const OPEN_DEPTH = 2;

/**
 * @param {any} cell
 * @param {import("./registry.js").Context} context
 * @param {number} depth
 * @returns {Node}
 */
function branch(cell, context, depth) {
  if (cell?.$ !== "list" && cell?.$ !== "dict") return h("span", { class: "leaf" }, drawAny(cell, context));
  /** @type {[string|number, any][]} */
  const pairs = cell.$ === "dict" ? cell.v : cell.v.map((/** @type {any} */ value, /** @type {number} */ at) => [at, value]);
  const left = cell.length - pairs.length;
  return h(
    "details",
    { class: "tree", open: depth < OPEN_DEPTH },
    h("summary", null, cell.$ === "dict" ? `{ ${pairs.length} }` : `[ ${grouped(cell.length)} ]`),
    h(
      "ul",
      null,
      ...pairs.map(([name, value]) => h("li", null, h("span", { class: "key" }, `${name}: `), branch(value, context, depth + 1))),
      left > 0 ? h("li", { class: "quiet" }, `… ${grouped(left)} more`) : null,
    ),
  );
}

/** @type {import("./registry.js").Renderer} */
export const tree = {
  name: "tree",
  label: "Tree",
  kinds: ["dict", "list", "mixed"],
  width: 260,
  draw: (cell, context) => (context.enlarged ? branch(cell, context, 0) : h("span", { class: "mono" }, lineOf(cell))),
};

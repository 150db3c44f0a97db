// @ts-check
// A cell of several tables: numbers as one bar each, what is equal once, all else with its side.
import { h } from "../dom.js";
import { numberText } from "./number.js";

/** Stands for a cell of a table that has not the row. */
export const ABSENT = { $: "absent" };

/** @param {number} side */
export const badge = (side) => h("b", { class: `side side-${side % 6}` }, String(side));

/** @param {any} one @param {any} two */
function isSame(one, two) {
  if (one?.$ === "image" && two?.$ === "image" && one.digest) return one.digest === two.digest;
  return JSON.stringify(one) === JSON.stringify(two);
}

/** @param {any[]} cells */
export const areSame = (cells) => cells.every((cell) => isSame(cell, cells[0]));

/**
 * The renderer of a column that several tables have, made of the one for each of them.
 * @param {import("./registry.js").Renderer} renderer
 * @param {any[]} parts the columns
 * @param {boolean} isBar
 * @returns {import("./registry.js").Renderer}
 */
export function sided(renderer, parts, isBar) {
  /** @param {any} cell @param {any} context */
  const drawn = (cell, context) => {
    if (cell === null) return h("span", { class: "null" }, "null");
    if (cell === ABSENT) return h("span", { class: "quiet", title: "no such row" }, "—");
    return renderer.draw(cell, context);
  };
  /** @param {any} cell @param {number} side @param {any} context */
  const line = (cell, side, context) => {
    if (!isBar || typeof cell !== "number") return h("span", { class: "side-line", "data-side": side }, badge(side), h("span", { class: "side-value" }, drawn(cell, context)));
    const [low, high] = context.range ?? [0, 1];
    const least = Math.min(low, 0);
    const share = high > least ? Math.min(Math.max((cell - least) / (high - least), 0), 1) : 0;
    const bar = h("span", { class: `side-bar fill-${side % 6}` });
    bar.style.width = `${share * 100}%`;
    return h("span", { class: "side-line", "data-side": side }, badge(side), h("span", { class: "side-track" }, bar), h("span", { class: "number" }, numberText(cell)));
  };
  return {
    ...renderer,
    name: isBar ? "bar" : renderer.name,
    isRight: false,
    width: renderer.height ? (renderer.width ?? 110) + 50 * (parts.length - 1) : Math.min((renderer.width ?? 160) + 60, 260),
    height: renderer.height ?? 18 * parts.length + 8,
    draw: (cells, context) =>
      areSame(cells)
        ? h("span", { class: "side-same", "data-side": parts[0].side }, drawn(cells[0], context))
        : h("span", { class: renderer.height ? "side-row" : "side-cell" }, ...cells.map((/** @type {any} */ cell, /** @type {number} */ at) => line(cell, parts[at].side, context))),
  };
}

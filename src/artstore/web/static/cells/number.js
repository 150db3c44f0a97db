// @ts-check
import { h, short } from "../dom.js";

const NAMES = /** @type {Record<string, string>} */ ({ nan: "NaN", inf: "∞", "-inf": "−∞", "-0": "−0" });

/** @param {any} cell */
export function numberText(cell) {
  if (typeof cell === "number") return short(cell);
  return typeof cell === "object" ? (NAMES[cell.v] ?? String(cell.v)) : String(cell);
}

/** @type {import("./registry.js").Renderer} */
export const number = {
  name: "number",
  label: "Number",
  kinds: ["number"],
  width: 120,
  isRight: true,
  draw: (cell, context) =>
    h("span", { class: "number", title: typeof cell === "number" ? String(cell) : null }, context.enlarged && typeof cell === "number" ? String(cell) : numberText(cell)),
};

/** @type {import("./registry.js").Renderer} */
export const bar = {
  name: "bar",
  label: "Number with a bar",
  kinds: ["number"],
  width: 140,
  isRight: true,
  draw: (cell, context) => {
    const [low, high] = context.range ?? [0, 1];
    const least = Math.min(low, 0);
    const share = typeof cell === "number" && high > least ? Math.min(Math.max((cell - least) / (high - least), 0), 1) : 0;
    return h("span", { class: "bar-cell" }, h("span", { class: "bar", style: { width: `${share * 60}%` } }), h("span", { class: "number" }, numberText(cell)));
  },
};

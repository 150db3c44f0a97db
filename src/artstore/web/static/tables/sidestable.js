// @ts-check
// One row of compared tables: a property a line, a table a column, and what differs is marked.

import { areSame, badge } from "../cells/bars.js";
import { h } from "../dom.js";

const PANEL_WIDTH = 1100;

/**
 * @param {any} comparing
 * @param {{column: any, cell: any}[]} cells of all columns of the row
 * @param {(column: any, cell: any, most: number) => Node} drawn
 * @returns {Node[]}
 */
export function sidesTable(comparing, cells, drawn) {
  const { sides } = comparing;
  const isIn = sides.map((/** @type {any} */ _, /** @type {number} */ side) => cells.find(({ column }) => column.part === "in" && column.side === side)?.cell !== false);
  /** @type {Map<string, any[]>} */
  const bases = new Map();
  for (const one of cells) if (one.column.part === "cell") bases.set(one.column.base, [...(bases.get(one.column.base) ?? []), one]);
  const most = Math.max(Math.min(PANEL_WIDTH, innerWidth) / sides.length - 120, 110);
  let different = 0;
  const lines = [...bases].map(([base, parts]) => {
    const bySide = sides.map((/** @type {any} */ _, /** @type {number} */ side) => parts.find(({ column }) => column.side === side));
    const known = bySide.filter((/** @type {any} */ one, /** @type {number} */ side) => one && isIn[side]);
    const differs = !areSame(known.map(({ cell }) => cell));
    if (differs) different += 1;
    const { column } = parts[0];
    return h("tr", { class: differs ? "differs" : null },
      h("th", { scope: "row" }, differs ? h("span", { class: "mark", role: "img", "aria-label": "differs: ", title: "differs" }, "≠ ") : null, base, " ", h("small", null, column.type.length > 24 ? column.kind : column.type)),
      ...bySide.map((/** @type {any} */ one, /** @type {number} */ side) => {
        if (!one || !isIn[side]) return h("td", { class: "quiet" }, one ? "no such row" : "no column");
        return h("td", null, drawn(one.column, one.cell, most));
      }));
  });
  if (!lines.length) return [];
  const told = `${different} of ${lines.length} ${lines.length === 1 ? "property differs" : "properties differ"}`;
  const table = h("table", { class: "groups" }, h("thead", null, h("tr", null, h("th", { scope: "col" }, "property"), ...sides.map((/** @type {any} */ side, /** @type {number} */ at) => h("th", { scope: "col", title: side.name }, badge(at), ` ${side.label}`)))), h("tbody", null, ...lines));
  table.style.minWidth = `${6 + 7 * sides.length}rem`;
  return [
    h("p", { class: "quiet" }, told),
    h("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": "The row in each table" }, table),
  ];
}

// @ts-check
// One histogram with a series for each table: lines and bars differ by dashes and outlines too.

import { lineOf } from "../cells/any.js";
import { quoted } from "../conditions.js";
import { grouped, s } from "../dom.js";
import { choosable, HEIGHT } from "./facets.js";

const COLUMN = "artstore_compared_column";

/**
 * @param {any[]} facets of the sides, which have the same edges; null where there is none
 * @param {any[]} parts the columns
 * @param {number} width
 * @param {(condition: string) => void} choose
 * @returns {SVGSVGElement|null}
 */
export function sidesPicture(facets, parts, width, choose) {
  const known = facets.filter(Boolean);
  const kind = known[0]?.kind;
  if (known.length < facets.length || !["histogram", "values"].includes(kind) || known.some((facet) => facet.kind !== kind)) return null;
  const shared = kind === "histogram" ? known[0] : { kind, values: together(known) };
  const count = kind === "histogram" ? shared.all.length : shared.values.length;
  if (!count || known.some((facet) => kind === "histogram" && facet.all.length !== count)) return null;
  const rows = known.map((facet) => (kind === "histogram" ? facet.all.map((/** @type {number} */ all, /** @type {number} */ at) => ({ all, selected: facet.selected[at] })) : shared.values.map((/** @type {any} */ one) => valueOf(facet, one.value))));
  const highest = Math.max(...rows.flat().map((/** @type {any} */ one) => one.all), 1);
  const step = width / count;
  const { base } = parts[0];
  const svg = s("svg", { class: "facet", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": `${base} in ${parts.length} tables` });
  const y = (/** @type {number} */ n) => (HEIGHT - 1 - (n / highest) * (HEIGHT - 2)).toFixed(2);
  for (let at = 0; at < count; at += 1) {
    const told = kind === "histogram" ? `${lineOf(shared.edges[at])} to ${lineOf(shared.edges[at + 1])}` : lineOf(shared.values[at].value).slice(0, 80);
    const lines = rows.map((row, side) => `${parts[side].side}: ${grouped(row[at].selected)} of ${grouped(row[at].all)}`);
    const group = s("g", null, s("title", null, `${told}\n${lines.join("\n")}`));
    const all = Math.max(...rows.map((row) => row[at].all));
    group.append(bar("all", at * step, step - 1, all));
    if (kind === "values") rows.forEach((row, side) => group.append(bar(`series-bar bar-${parts[side].side % 6}`, at * step + ((step - 1) * side) / rows.length, (step - 1) / rows.length, row[at].selected)));
    group.append(s("rect", { class: "hit", x: (at * step).toFixed(2), y: 0, width: step.toFixed(2), height: HEIGHT }));
    svg.append(group);
  }
  if (kind === "histogram") {
    rows.forEach((row, side) => {
      const path = row.map((/** @type {any} */ one, /** @type {number} */ at) => `${at ? "L" : "M"}${(at * step).toFixed(1)} ${y(one.selected)}H${((at + 1) * step).toFixed(1)}`).join("");
      svg.append(s("path", { class: `series line-${parts[side].side % 6}`, d: path }));
    });
  }
  choosable(svg, { ...shared, column: COLUMN }, count, step, (condition) => choose(condition.replaceAll(COLUMN, `*.${quoted(base)}`)));
  return svg;

  /** @param {string} name @param {number} x @param {number} wide @param {number} n */
  function bar(name, x, wide, n) {
    const height = n ? Math.max((n / highest) * (HEIGHT - 2), 1) : 0;
    return s("rect", { class: name, x: x.toFixed(2), y: (HEIGHT - height).toFixed(2), width: Math.max(wide, 0.5).toFixed(2), height: height.toFixed(2) });
  }
}

/** @param {any[]} facets */
function together(facets) {
  const found = new Map();
  for (const facet of facets) for (const one of facet.values) found.set(JSON.stringify(one.value), one);
  const all = [...found.values()];
  if (all.every((one) => typeof one.value === "number")) all.sort((one, two) => one.value - two.value);
  return all;
}

/** @param {any} facet @param {any} value */
function valueOf(facet, value) {
  const text = JSON.stringify(value);
  const one = facet.values.find((/** @type {any} */ other) => JSON.stringify(other.value) === text);
  return { all: one?.count ?? 0, selected: one?.selected ?? 0 };
}

// @ts-check
// The picture in the head of a column: grey for all rows, coloured for the selected ones. A click
// on a bar, or a range that is dragged, becomes a condition.

import { grouped, s } from "../dom.js";
import { lineOf } from "../cells/any.js";
import { between, equals } from "../conditions.js";

export const HEIGHT = 34;

/** @param {any} facet */
function bars(facet) {
  if (facet.kind === "histogram") {
    return facet.all.map((/** @type {number} */ all, /** @type {number} */ at) => ({
      all,
      selected: facet.selected[at],
      told: rangeText(facet, at, at),
    }));
  }
  return facet.values.map((/** @type {any} */ one) => ({ all: one.count, selected: one.selected, told: lineOf(one.value).slice(0, 80) }));
}

/** @param {any} facet @returns {string} one line of what it says */
export function summaryOf(facet) {
  const parts = [];
  if (facet.kind === "histogram") parts.push(`${lineOf(facet.edges[0])} – ${lineOf(facet.edges[facet.edges.length - 1])}`);
  else if (facet.distinct !== null) parts.push(`${facet.rest.all ? "≈ " : ""}${grouped(facet.distinct)} ${facet.distinct === 1 ? "value" : "values"}`);
  if (facet.nulls.all) parts.push(`${grouped(facet.nulls.selected)} null`);
  const special = Object.entries(facet.special.selected).filter(([, count]) => count);
  if (special.length) parts.push(special.map(([name, count]) => `${grouped(Number(count))} ${name}`).join(", "));
  if (facet.sampled) parts.push(`from a sample of ${grouped(facet.sampled)} rows`);
  return parts.join(" · ");
}

/**
 * @param {any} facet as /table-facets gives it
 * @param {number} width
 * @param {(condition: string) => void} [choose]
 * @returns {SVGSVGElement|null}
 */
export function facetPicture(facet, width, choose) {
  const all = (facet.kind === "histogram" || facet.kind === "values") ? bars(facet) : [];
  if (!all.length) return null;
  const highest = Math.max(...all.map((/** @type {any} */ bar) => bar.all), 1);
  const step = width / all.length;
  const svg = s("svg", { class: "facet", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": `${facet.column}: ${summaryOf(facet)}` });
  all.forEach((/** @type {any} */ bar, /** @type {number} */ at) => {
    const group = s("g", { "data-bar": at }, s("title", null, `${bar.told}: ${grouped(bar.selected)} of ${grouped(bar.all)} rows`));
    for (const name of /** @type {const} */ (["all", "selected"])) {
      const share = bar[name] / highest;
      const height = share ? Math.max(share * HEIGHT, 1) : 0;
      group.append(s("rect", { class: name, x: (at * step).toFixed(2), y: (HEIGHT - height).toFixed(2), width: Math.max(step - 1, 0.5).toFixed(2), height: height.toFixed(2) }));
    }
    group.append(s("rect", { class: "hit", x: (at * step).toFixed(2), y: 0, width: step.toFixed(2), height: HEIGHT }));
    svg.append(group);
  });
  if (choose) choosable(svg, facet, all.length, step, choose);
  return svg;
}

/**
 * @param {SVGSVGElement} svg
 * @param {any} facet
 * @param {number} count
 * @param {number} step
 * @param {(condition: string) => void} choose
 */
export function choosable(svg, facet, count, step, choose) {
  svg.classList.add("choosable");
  /** @param {PointerEvent} event */
  const barAt = (event) => Math.min(Math.max(Math.floor((event.clientX - svg.getBoundingClientRect().left) / step), 0), count - 1);
  let from = -1;
  /** @param {number} a @param {number} b */
  const mark = (a, b) => svg.querySelectorAll("g").forEach((group, at) => group.classList.toggle("chosen", at >= Math.min(a, b) && at <= Math.max(a, b)));
  svg.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    from = barAt(event);
    svg.setPointerCapture(event.pointerId);
    mark(from, from);
    event.preventDefault();
  });
  svg.addEventListener("pointermove", (event) => {
    if (from >= 0) mark(from, facet.kind === "histogram" ? barAt(event) : from);
  });
  reachable(svg, facet, count, mark, (first, last) => {
    const condition = conditionOf(facet, first, last);
    if (condition) choose(condition);
  });
  svg.addEventListener("pointercancel", () => {
    from = -1;
    mark(-1, -1);
  });
  svg.addEventListener("pointerup", (event) => {
    if (from < 0) return;
    const to = facet.kind === "histogram" ? barAt(event) : from;
    const [first, last] = [Math.min(from, to), Math.max(from, to)];
    from = -1;
    mark(-1, -1);
    const condition = conditionOf(facet, first, last);
    if (condition) choose(condition);
  });
}

let made = 0;

/**
 * The bars by keyboard: a list of choices, which says of each what the pointer shows.
 * @param {SVGSVGElement} svg
 * @param {any} facet
 * @param {number} count
 * @param {(a: number, b: number) => void} mark
 * @param {(first: number, last: number) => void} choose
 */
function reachable(svg, facet, count, mark, choose) {
  const id = (made += 1);
  const bars = [...svg.querySelectorAll("g")];
  let [from, at] = [0, 0];
  for (const [name, value] of Object.entries({ role: "listbox", tabindex: "0", "aria-orientation": "horizontal", "aria-multiselectable": String(facet.kind === "histogram") })) svg.setAttribute(name, value);
  bars.forEach((bar, place) => {
    bar.setAttribute("role", "option");
    bar.setAttribute("aria-selected", "false");
    bar.id = `bar-${id}-${place}`;
    bar.setAttribute("aria-label", bar.querySelector("title")?.textContent?.replace("\n", ": ").replaceAll("\n", "; ") ?? "");
  });
  /** The line below says what the bar is, for who sees and has no pointer. @type {string|null} */
  let before = null;
  const below = () => (svg.nextElementSibling?.classList.contains("head-summary") ? svg.nextElementSibling : null);
  const show = () => {
    const [first, last] = [Math.min(from, at), Math.max(from, at)];
    mark(first, last);
    bars.forEach((bar, place) => bar.setAttribute("aria-selected", String(place >= first && place <= last)));
    svg.setAttribute("aria-activedescendant", bars[at].id);
    const line = below();
    if (!line) return;
    before ??= line.textContent;
    line.textContent = first === last ? bars[at].getAttribute("aria-label") : rangeText(facet, first, last);
  };
  svg.addEventListener("focus", () => svg.matches(":focus-visible") && show());
  svg.addEventListener("blur", () => {
    mark(-1, -1);
    const line = below();
    if (line && before !== null) line.textContent = before;
    before = null;
  });
  svg.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: count - 1 }[event.key];
    if (to !== undefined) {
      at = Math.min(Math.max(to, 0), count - 1);
      if (!event.shiftKey || facet.kind !== "histogram") from = at;
      show();
    } else if (event.key === "Enter" || event.key === " ") choose(Math.min(from, at), Math.max(from, at));
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

/** @param {any} facet @param {number} first @param {number} last */
function rangeText(facet, first, last) {
  return `${lineOf(facet.edges[first])} to ${lineOf(facet.edges[last + 1])}`;
}

/**
 * The condition that a cell lies in bars.
 * @param {any} facet
 * @param {number} first
 * @param {number} last
 */
export function conditionOf(facet, first, last) {
  if (facet.kind === "values") return equals(facet.column, facet.values[first].value);
  return between(facet.column, facet.edges[first], facet.edges[last + 1], last + 2 === facet.edges.length);
}

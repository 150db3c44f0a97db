// @ts-check
// The names of what is drawn: each sets its line apart; many are folded.

import { grouped, h, s } from "../dom.js";
import { DASHES, SHAPES } from "./palette.js";

const OPEN_MAX = 6;

export class Legend {
  /**
   * @param {HTMLElement} host
   * @param {string} noun of one
   * @param {(id: string|null) => void} choose what is set apart
   */
  constructor(host, noun, choose) {
    this.noun = noun;
    this.choose = choose;
    this.made = "";
    this.isTouched = false;
    this.list = h("ul", { class: "chart-names" });
    this.summary = h("summary", { onclick: () => (this.isTouched = true) });
    this.element = h("details", { class: "chart-legend", ontoggle: () => this.fill() }, this.summary, this.list);
    /** @type {{id: string, label: string, colour: number|string, dash?: number, shape?: number}[]} */
    this.entries = [];
    /** @type {string|null} */
    this.focus = null;
    host.append(this.element);
  }

  /**
   * @param {{id: string, label: string, colour: number|string, dash?: number, shape?: number}[]} entries
   * @param {string|null} focus
   * @param {string} [title] in place of how many there are
   */
  show(entries, focus, title) {
    const made = JSON.stringify([entries, title]);
    [this.entries, this.focus] = [entries, focus];
    this.element.hidden = !entries.length;
    if (made !== this.made) {
      this.made = made;
      this.list.replaceChildren();
      this.summary.textContent = title ?? `${grouped(entries.length)} ${this.noun}${entries.length === 1 ? "" : /s$/.test(this.noun) ? "es" : "s"}`;
      if (!this.isTouched) this.element.open = entries.length <= OPEN_MAX;
      this.fill();
    }
    for (const button of this.list.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.id === focus));
  }

  fill() {
    if (!this.element.open || this.list.childElementCount) return;
    this.list.append(...this.entries.map((one) =>
      h("li", null, one.id === "" ? h("span", null, swatch(one), one.label) : h("button", { type: "button", "data-id": one.id, "aria-pressed": String(one.id === this.focus), onclick: () => this.choose(this.focus === one.id ? null : one.id) }, swatch(one), h("bdi", null, one.label)))));
  }
}

/** @param {{colour: number|string, dash?: number, shape?: number}} one a slot, or the name of a colour */
export function swatch(one) {
  const colour = typeof one.colour === "number" ? `var(--series-${one.colour})` : one.colour;
  const style = { stroke: colour, fill: colour };
  const points = SHAPES[one.shape ?? 0];
  let mark = s("line", { x1: 0, x2: 24, y1: 5, y2: 5, "stroke-width": 2.5, "stroke-dasharray": DASHES[one.dash ?? 0].join(" ") || null, style });
  if (one.shape !== undefined) mark = points.length ? s("polygon", { points: points.map(([x, y]) => `${12 + x * 4},${5 + y * 4}`).join(" "), style }) : s("circle", { cx: 12, cy: 5, r: 4, style });
  return s("svg", { class: "chart-swatch", width: 24, height: 10, "aria-hidden": "true" }, mark);
}

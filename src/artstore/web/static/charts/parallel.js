// @ts-check
// Many values of each thing side by side: a line through all axes, ranges of axes as a filter.

import { grouped, h } from "../dom.js";
import { FONT, fitted, roomy, scaleOf } from "./axes.js";
import { areNumbers, groupsOf, isMissing } from "./groups.js";
import { Legend } from "./legend.js";
import { csvOf, Plot } from "./plot.js";
import { ticksOf, told } from "./ticks.js";
import { ValueTable } from "./valuetable.js";

const KEYS = "Left and right go from axis to axis. Enter puts a range on an axis: up and down move it, with Shift they change its size, Delete takes it away. Escape takes all away.";
export const LOG_FROM = 1000;
const TIGHT = 110;
const NEAR = 10;
const STEP = 8;
const TEXTS_MAX = 40;
const TABLE_MAX = 200;

export class ParallelCoordinates extends Plot {
  /**
   * @param {HTMLElement} host
   * @param {any} [options] title, height, colourBy the name of an axis, noun, onSelect(indices or null), onPick(index)
   */
  constructor(host, options = {}) {
    super(host, { height: 320, noun: "run", colourBy: null, ...options }, KEYS);
    this.frame.classList.add("chart-choosing");
    /** @type {any[]} axes as they came, with `isText`, `isLog`, `texts`, `places` (0 the bottom, 1 the top; NaN: missing) */
    this.axes = [];
    /** @type {any[]} */
    this.labels = [];
    this.count = 0;
    this.groups = groupsOf(null, 0);
    /** Ranges by the names of axes, as shares of their length. @type {Map<string, [number, number]>} */
    this.ranges = new Map();
    /** @type {number|null} the line under the pointer */
    this.cursor = null;
    /** The axis of the keyboard. */
    this.axis = 0;
    this.isByKey = false;
    this.plot = { top: 0, bottom: 1, xs: /** @type {number[]} */ ([]) };
    this.choice = h("select", { "aria-label": "Colour by", onchange: () => this.configure({ colourBy: this.choice.value || null }) });
    this.clear = h("button", { type: "button", hidden: true, onclick: () => this.limit(null) }, "All ranges away");
    this.told = h("span", { class: "quiet" });
    this.below.append(h("div", { class: "chart-tools" }, h("label", null, "Colour by ", this.choice), this.clear, this.told));
    this.names = new Legend(this.below, "class", () => {});
    this.values = new ValueTable(this.below, () => this.rows(TABLE_MAX));
  }

  /** @param {{axes: {name: string, values: any[], isLog?: boolean}[], labels?: any[]}} data */
  set({ axes, labels = [] }) {
    this.labels = labels;
    this.count = axes[0]?.values.length ?? 0;
    this.axes = axes.map(placed);
    for (const name of this.ranges.keys()) if (!this.axes.some((one) => one.name === name)) this.ranges.delete(name);
    this.axis = Math.min(this.axis, Math.max(this.axes.length - 1, 0));
    this.cursor = null;
    this.recolour();
    this.tell();
    this.draw();
  }

  /** @param {any} part */
  configure(part) {
    super.configure(part);
    if ("colourBy" in part) this.recolour();
  }

  recolour() {
    const { colourBy } = this.options;
    this.choice.replaceChildren(h("option", { value: "" }, "nothing"), ...this.axes.map(({ name }) => h("option", { value: name, selected: name === colourBy }, name)));
    this.groups = groupsOf(this.axes.find((one) => one.name === colourBy)?.values, this.count);
  }

  get isEmpty() {
    return !this.count || !this.axes.length;
  }

  /** What lies in all ranges. @param {number} at */
  isIn(at) {
    for (const { name, places } of this.axes) {
      const range = this.ranges.get(name);
      if (range && !(places[at] >= range[0] && places[at] <= range[1])) return false;
    }
    return true;
  }

  inside() {
    return Array.from({ length: this.count }, (_, at) => at).filter((at) => this.isIn(at));
  }

  tell() {
    const { size } = this.ranges;
    this.clear.hidden = !size;
    this.told.textContent = size ? `${grouped(this.inside().length)} of ${grouped(this.count)} ${this.options.noun}s` : "";
  }

  /**
   * Keep a range of an axis; null takes it away, no axis all of them.
   * @param {any} axis
   * @param {[number, number]|null} [range]
   */
  limit(axis, range = null) {
    if (!axis) this.ranges.clear();
    else if (range) this.ranges.set(axis.name, /** @type {[number, number]} */ (range.map((one) => Math.min(Math.max(one, 0), 1))));
    else this.ranges.delete(axis.name);
    this.tell();
    this.say(`${axis ? this.rangeText(axis) : "All ranges are away"}. ${this.told.textContent}`);
    this.options.onSelect?.(this.ranges.size ? this.inside() : null);
    this.draw();
  }

  /** @param {any} axis */
  rangeText(axis) {
    const range = this.ranges.get(axis.name);
    if (!range) return `${axis.name}: all`;
    if (axis.isText) return `${axis.name}: ${axis.texts.filter((/** @type {string} */ _, /** @type {number} */ at) => axis.scale.at(at) >= range[0] && axis.scale.at(at) <= range[1]).join(", ") || "nothing"}`;
    return `${axis.name}: ${told(axis.scale.back(range[0]))} to ${told(axis.scale.back(range[1]))}`;
  }

  /** @param {any} pen @param {number} width @param {number} height */
  paint(pen, width, height) {
    const { axes, colours, plot } = this;
    const side = Math.min(70, width / 12);
    const gap = axes.length > 1 ? (width - side * 2) / (axes.length - 1) : 0;
    Object.assign(plot, { top: 34, bottom: height - 26, xs: axes.map((_, at) => (axes.length > 1 ? side + at * gap : width / 2)) });
    const paints = this.groups.paints.map((paint) => paint(colours));
    const many = this.count > 100;
    for (const isOver of [false, true]) {
      for (let at = 0; at < this.count; at += 1) {
        if (this.isIn(at) !== isOver) continue;
        pen.strokeStyle = isOver ? paints[this.groups.of[at]] : colours.line;
        pen.globalAlpha = isOver ? (many ? 0.55 : 0.8) : 0.5;
        pen.lineWidth = isOver ? 1.5 : 1;
        this.line(pen, at);
      }
    }
    pen.globalAlpha = 1;
    pen.font = FONT;
    // Names that do not fit beside each other stand in two lines.
    const isTight = axes.length > 1 && gap < TIGHT;
    axes.forEach((axis, at) => this.paintAxis(pen, axis, plot.xs[at], Math.max(gap, side) - 8, width, isTight ? at % 2 : null));
    this.names.show(this.groups.entries.map(({ label, colour, shape }) => ({ id: "", label, colour, shape })), null, this.options.colourBy ?? undefined);
    this.values.refresh();
  }

  /** @param {any} pen @param {number} at */
  line(pen, at) {
    pen.beginPath();
    this.axes.forEach((_, axis) => pen[axis ? "lineTo" : "moveTo"](this.plot.xs[axis], this.yOf(axis, at)));
    if (this.axes.length === 1) pen.lineTo(this.plot.xs[0] + 8, this.yOf(0, at));
    pen.stroke();
  }

  /** What is missing goes through below the axis. @param {number} axis @param {number} at */
  yOf(axis, at) {
    const { top, bottom } = this.plot;
    const place = this.axes[axis].places[at];
    return Number.isNaN(place) ? bottom + 14 : bottom - place * (bottom - top);
  }

  /** @param {any} pen @param {any} axis @param {number} x @param {number} room @param {number} width @param {number|null} line of its name, if there are two */
  paintAxis(pen, axis, x, room, width, line) {
    const { colours, plot: { top, bottom } } = this;
    [pen.strokeStyle, pen.fillStyle, pen.lineWidth] = [colours.quiet, colours.text, 1];
    pen.beginPath();
    pen.moveTo(x, top);
    pen.lineTo(x, bottom);
    pen.stroke();
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const name = fitted(pen, axis.name + (axis.isLog ? " (log)" : ""), line === null ? room : room * 2);
    const half = pen.measureText(name).width / 2;
    pen.fillText(name, Math.min(Math.max(x, half + 2), width - half - 2), line === null ? 14 : 8 + line * 14);
    pen.textAlign = x > width - 60 ? "right" : "left";
    const by = x > width - 60 ? -5 : 5;
    for (const { value, text } of axis.ticks((bottom - top) / 30)) {
      const y = bottom - axis.scale.at(value) * (bottom - top);
      if (y < top - 1 || y > bottom + 1) continue;
      const shown = fitted(pen, text, Math.max(room - 12, 30));
      const wide = pen.measureText(shown).width;
      pen.fillStyle = colours.page;
      pen.globalAlpha = 0.75;
      pen.fillRect(by > 0 ? x + by - 1 : x + by - wide - 1, y - 6, wide + 2, 12);
      pen.globalAlpha = 1;
      pen.fillStyle = colours.quiet;
      pen.fillText(shown, x + by, y);
    }
    if (axis.places.some(Number.isNaN)) pen.fillText("none", x + by, bottom + 14);
    const range = this.ranges.get(axis.name);
    if (!range) return;
    [pen.fillStyle, pen.globalAlpha] = [colours.accent, 0.35];
    pen.fillRect(x - 6, bottom - range[1] * (bottom - top), 12, Math.max((range[1] - range[0]) * (bottom - top), 2));
    pen.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} pen */
  paintTop(pen) {
    const { colours, plot, cursor } = this;
    if (this.isByKey) {
      [pen.strokeStyle, pen.lineWidth] = [colours.accent, 2];
      pen.strokeRect(plot.xs[this.axis] - 8, plot.top - 3, 16, plot.bottom - plot.top + 6);
    }
    if (cursor === null) return;
    [pen.strokeStyle, pen.lineWidth] = [colours.text, 3];
    this.line(pen, cursor);
  }

  describe() {
    return `${grouped(this.count)} ${this.options.noun}s over ${this.axes.map((one) => one.name).slice(0, 20).join(", ")}. ${[...this.ranges.keys()].map((name) => this.rangeText(this.axes.find((one) => one.name === name))).join("; ")} ${this.told.textContent}`;
  }

  legend() {
    return this.groups.entries.map(({ label, shape, paint }) => ({ label, shape, colour: paint(this.colours) }));
  }

  // By pointer.

  /** @param {number} x */
  axisAt(x) {
    return this.plot.xs.reduce((best, one, at) => (Math.abs(one - x) < Math.abs(this.plot.xs[best] - x) ? at : best), 0);
  }

  /** @param {number} y */
  shareOf(y) {
    return (this.plot.bottom - y) / (this.plot.bottom - this.plot.top);
  }

  /** @param {boolean} isDone */
  dragged(isDone) {
    const { from, to } = /** @type {NonNullable<typeof this.drag>} */ (this.drag);
    const axis = this.axes[this.axisAt(from[0])];
    const range = /** @type {[number, number]} */ ([from[1], to[1]].map((y) => this.shareOf(y)).sort((one, two) => one - two));
    this.hover([]);
    if (isDone) return this.limit(axis, range);
    this.ranges.set(axis.name, range);
    this.tell();
    this.draw();
  }

  /** @param {number[]} place */
  hover(place) {
    let [best, least] = [-1, NEAR];
    const { xs } = this.plot;
    if (place.length && xs.length > 1) {
      const right = Math.min(Math.max(xs.findIndex((x) => x > place[0]), 1), xs.length - 1);
      const share = (place[0] - xs[right - 1]) / (xs[right] - xs[right - 1]);
      for (let at = 0; at < this.count; at += 1) {
        const [one, two] = [this.yOf(right - 1, at), this.yOf(right, at)];
        const away = Math.abs(one + (two - one) * share - place[1]);
        if (away < least && this.isIn(at)) [best, least] = [at, away];
      }
    }
    this.isByKey = false;
    this.cursor = best < 0 ? null : best;
    this.showTip(place[0] ?? 0, place[1] ?? 0, best < 0 ? [] : [h("strong", null, h("bdi", null, String(this.labels[best] ?? `${this.options.noun} ${best + 1}`))), h("table", null, h("tbody", null, ...this.axes.slice(0, 16).map((axis) => h("tr", null, h("td", { class: "chart-name" }, h("bdi", null, axis.name)), h("td", null, h("bdi", null, worded(axis.values[best])))))))]);
    this.drawTop();
  }

  /** @param {number[]} place */
  click(place) {
    const at = this.axisAt(place[0]);
    const axis = this.axes[at];
    if (this.ranges.has(axis.name) && Math.abs(place[0] - this.plot.xs[at]) < NEAR) this.limit(axis);
    else if (this.cursor !== null) this.options.onPick?.(this.cursor);
  }

  goBack() {
    if (this.ranges.size) this.limit(null);
  }

  /** @param {KeyboardEvent} event */
  pressed({ key, shiftKey }) {
    const axis = this.axes[this.axis];
    const range = this.ranges.get(axis.name);
    const by = { ArrowUp: 1, ArrowDown: -1 }[key];
    if (key === "ArrowLeft" || key === "ArrowRight") this.goTo(this.axis + (key === "ArrowLeft" ? -1 : 1));
    else if (key === "Enter") this.limit(axis, range ?? [0.25, 0.75]);
    else if (by && range) this.limit(axis, moved(range, (by * STEP) / (this.plot.bottom - this.plot.top), shiftKey));
    else if (by) this.goTo(this.axis);
    else if ((key === "Delete" || key === "Backspace") && range) this.limit(axis);
    else if (key === "Escape" && this.ranges.size) this.limit(null);
    else return false;
    this.isByKey = true;
    return true;
  }

  /** @param {number} axis */
  goTo(axis) {
    this.axis = Math.min(Math.max(axis, 0), this.axes.length - 1);
    const one = this.axes[this.axis];
    this.isByKey = true;
    this.say(`${this.rangeText(one)}, axis ${this.axis + 1} of ${this.axes.length}`);
    this.drawTop();
  }

  /** @param {number} [most] */
  rows(most = Infinity) {
    const rows = [[this.options.noun, ...this.axes.map((one) => one.name)]];
    for (let at = 0; at < Math.min(this.count, most); at += 1) rows.push([String(this.labels[at] ?? at + 1), ...this.axes.map(({ values }) => (isMissing(values[at]) ? "" : String(values[at])))]);
    if (this.count > most) rows.push([`${grouped(this.count - most)} more`]);
    return rows;
  }

  toCsv() {
    return csvOf(this.rows());
  }
}

/** @param {[number, number]} range @param {number} by @param {boolean} isSize @returns {[number, number]} */
function moved([low, high], by, isSize) {
  if (isSize) return [low, Math.min(Math.max(high + by, low + 0.01), 1)];
  const step = by > 0 ? Math.min(by, 1 - high) : Math.max(by, -low);
  return [low + step, high + step];
}

/** @param {any} value */
function worded(value) {
  return isMissing(value) ? "none" : typeof value === "number" ? told(value) : String(value).slice(0, 100);
}

/** An axis with the places of its values. @param {any} axis */
function placed({ name, values, isLog }) {
  if (areNumbers(values)) {
    const numbers = Float64Array.from(values, (/** @type {any} */ one) => (isMissing(one) ? NaN : Number(one)));
    const finite = numbers.filter(Number.isFinite).sort();
    const [least, most] = [finite[0], finite[finite.length - 1]];
    const log = (isLog ?? most / least >= LOG_FROM) && least > 0;
    const [low, high] = least < most ? [least, most] : roomy(least, most, log);
    const scale = scaleOf(low, high, log, 0, 1);
    // What is infinite lies at the end.
    return { name, values, isText: false, isLog: log, scale, places: numbers.map((one) => Math.min(Math.max(scale.at(one), 0), 1)), ticks: (/** @type {number} */ count) => ticksOf(low, high, count, "number", log) };
  }
  const texts = [...new Set(values.filter((/** @type {any} */ one) => !isMissing(one)).map(String))].sort((one, two) => one.localeCompare(two, "en", { numeric: true }));
  const scale = scaleOf(-0.5, Math.max(texts.length, 1) - 0.5, false, 0, 1);
  const at = new Map(texts.map((text, place) => [text, scale.at(place)]));
  const every = Math.ceil(texts.length / TEXTS_MAX);
  return {
    name, values, isText: true, isLog: false, scale, texts,
    places: Float64Array.from(values, (/** @type {any} */ one) => (isMissing(one) ? NaN : /** @type {number} */ (at.get(String(one))))),
    ticks: (/** @type {number} */ count) => texts.map((text, value) => ({ value, text })).filter((_, place) => place % Math.max(every, Math.ceil(texts.length / (count * 2))) === 0),
  };
}

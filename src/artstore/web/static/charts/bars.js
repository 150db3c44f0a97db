// @ts-check
// One value of each run: bars below each other, with names and numbers.

import { h } from "../dom.js";
import { FONT, fitted, paintAxes } from "./axes.js";
import { COLOURS } from "./palette.js";
import { csvOf, Plot } from "./plot.js";
import { told } from "./ticks.js";

const KEYS = "Up and down go from bar to bar, Enter opens one.";
const LINE = 22;
const MOST = 200;

export class BarChart extends Plot {
  /** @param {HTMLElement} host @param {any} [options] title, xName, onPick(id) */
  constructor(host, options = {}) {
    super(host, options, KEYS);
    /** @type {{id: string, label: string, colour: number, value: number}[]} */
    this.bars = [];
    this.all = this.bars;
    /** @type {number|null} */
    this.cursor = null;
    /** @type {ReturnType<typeof paintAxes>|null} */
    this.scales = null;
  }

  /** @param {{id: string, label: string, colour?: number, value: any}[]} bars numbers, or the texts of those that JSON has not */
  set(bars) {
    this.all = bars.map((one) => ({ id: one.id, label: String(one.label), colour: one.colour ?? 0, value: one.value === null || one.value === undefined ? NaN : Number(one.value) }));
    this.bars = this.all.slice(0, MOST);
    this.options.height = this.bars.length ? this.bars.length * LINE + 44 : 120;
    this.cursor = null;
    this.remark([this.all.length > MOST ? `The first ${MOST} of ${this.all.length} are shown.` : ""]);
    this.draw();
  }

  get isEmpty() {
    return !this.bars.length;
  }

  /** @param {any} pen @param {number} width @param {number} height */
  paint(pen, width, height) {
    const { bars, colours } = this;
    const finite = bars.map((one) => one.value).filter(Number.isFinite);
    const [low, high] = [Math.min(...finite, 0), Math.max(...finite, 0)];
    this.scales = paintAxes(pen, colours, width - 56, height, { low, high: high > low ? high : 1, name: this.options.xName }, { low: bars.length - 0.5, high: -0.5, ticks: bars.map((one, value) => ({ value, text: one.label })) });
    const { x, y, box } = this.scales;
    pen.font = FONT;
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    bars.forEach(({ value, colour }, at) => {
      const top = y.at(at) - LINE * 0.35;
      const end = Number.isFinite(value) ? x.at(value) : value > 0 ? box.right : value < 0 ? box.left : x.at(0);
      pen.fillStyle = colours.series[colour % COLOURS];
      pen.fillRect(Math.min(x.at(0), end), top, Math.max(Math.abs(end - x.at(0)), 1), LINE * 0.7);
      pen.fillStyle = colours.text;
      pen.fillText(fitted(pen, told(value), width - Math.max(end, x.at(0)) - 6), Math.max(end, x.at(0)) + 4, y.at(at));
    });
  }

  describe() {
    return `${this.options.xName ?? "Values"} of ${this.all.length}: ${this.bars.slice(0, 20).map((one) => `${one.label} ${told(one.value)}`).join("; ")}`;
  }

  /** @param {number[]} place */
  hover(place) {
    const at = place.length && this.scales ? Math.round(this.scales.y.back(place[1])) : -1;
    this.moveCursor(this.bars[at] ? at : null);
  }

  /** @param {number|null} at */
  moveCursor(at) {
    this.cursor = at;
    const one = at === null ? null : this.bars[at];
    this.showTip(this.width / 2, at === null || !this.scales ? 0 : this.scales.y.at(at), one ? [h("strong", null, h("bdi", null, one.label)), h("div", null, told(one.value))] : []);
    this.drawTop();
  }

  /** @param {CanvasRenderingContext2D} pen */
  paintTop(pen) {
    if (this.cursor === null || !this.scales) return;
    [pen.strokeStyle, pen.lineWidth] = [this.colours.accent, 1.5];
    pen.strokeRect(1, this.scales.y.at(this.cursor) - LINE / 2, this.width - 2, LINE);
  }

  /** @param {number[]} place */
  click(place) {
    this.hover(place);
    if (this.cursor !== null) this.options.onPick?.(this.bars[this.cursor].id);
  }

  /** @param {KeyboardEvent} event */
  pressed({ key }) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[key];
    if (by) {
      const at = this.cursor === null ? 0 : Math.min(Math.max(this.cursor + by, 0), this.bars.length - 1);
      this.moveCursor(at);
      this.say(`${this.bars[at].label} ${told(this.bars[at].value)}`);
    } else if (key === "Enter" && this.cursor !== null) this.options.onPick?.(this.bars[this.cursor].id);
    else if (key === "Escape" && this.cursor !== null) this.moveCursor(null);
    else return false;
    return true;
  }

  toCsv() {
    return csvOf([["name", this.options.xName ?? "value"], ...this.all.map((one) => [one.label, one.value])]);
  }
}

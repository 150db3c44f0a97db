// @ts-check
// Histograms over steps: a column for each step, darker (in the dark lighter) where more values lie.

import { grouped, h } from "../dom.js";
import { paintAxes } from "./axes.js";
import { shade } from "./palette.js";
import { csvOf, Plot } from "./plot.js";
import { kindOf, told } from "./ticks.js";
import { ValueTable } from "./valuetable.js";

const KEYS = "Left and right go from step to step, up and down from bin to bin. Escape goes back.";
const SHADES = 32;

export class HistogramHistory extends Plot {
  /** @param {HTMLElement} host @param {any} [options] title, xName, yName, height, onHover(step) */
  constructor(host, options = {}) {
    super(host, options, KEYS);
    /** @type {{steps: number[], edges: number[][], counts: number[][]}} */
    this.data = { steps: [], edges: [], counts: [] };
    /** @type {{step: number, bin: number}|null} */
    this.cursor = null;
    this.most = 0;
    /** Where columns end. @type {number[]} */
    this.ends = [];
    /** @type {ReturnType<typeof paintAxes>|null} */
    this.scales = null;
    this.values = new ValueTable(this.below, () => [["Step", "Values", "From", "To", "Most in"], ...this.data.steps.map((step, at) => this.summary(step, at))]);
  }

  /** @param {{steps: number[], edges: number[][], counts: number[][]}} data of n counts there are n + 1 edges */
  set(data) {
    const kept = data.steps.map((_, at) => at).filter((at) => (data.counts[at]?.length ?? 0) > 0 && (data.edges[at]?.length ?? 0) > data.counts[at].length);
    this.data = { steps: kept.map((at) => data.steps[at]), edges: kept.map((at) => data.edges[at].map(Number)), counts: kept.map((at) => data.counts[at].map(Number)) };
    this.most = Math.max(...this.data.counts.map((_, at) => this.data.counts[at].reduce((most, _count, bin) => Math.max(most, this.density(at, bin)), 0)), Number.MIN_VALUE);
    this.cursor = null;
    this.showTip(0, 0, []);
    this.draw();
  }

  get isEmpty() {
    return !this.data.steps.length;
  }

  /** The share of a step's values by the width of the bin: bins of any width compare. @param {number} at @param {number} bin */
  density(at, bin) {
    const { counts, edges } = this.data;
    const all = this.total(at);
    const wide = edges[at][bin + 1] - edges[at][bin];
    return all && wide > 0 ? counts[at][bin] / all / wide : counts[at][bin] ? 1 : 0;
  }

  /** @param {number} at */
  total(at) {
    return this.data.counts[at].reduce((one, two) => one + two, 0);
  }

  /** @param {any} pen @param {number} width @param {number} height */
  paint(pen, width, height) {
    const { steps, edges, counts } = this.data;
    const { xName, yName } = this.options;
    const { colours } = this;
    const last = steps.length - 1;
    const gap = last ? steps[last] - steps[last - 1] : 1;
    let low = Math.min(...edges.map((one) => one[0]));
    let high = Math.max(...edges.map((one) => one[one.length - 1]));
    if (!(high > low)) [low, high] = [low - 0.5, high + 0.5];
    this.scales = paintAxes(pen, colours, width, height, { low: steps[0], high: steps[last] + gap, kind: kindOf(xName), name: (xName ?? "").replace(/^_/, "") }, { low, high, name: yName });
    const { x, y } = this.scales;
    this.ends = steps.map((_, at) => x.at(at < last ? steps[at + 1] : steps[last] + gap));
    const shades = Array.from({ length: SHADES + 1 }, (_, at) => shade(colours.ramp, at / SHADES));
    counts.forEach((column, at) => {
      const left = x.at(steps[at]);
      column.forEach((count, bin) => {
        if (!count) return;
        pen.fillStyle = shades[Math.round(Math.sqrt(this.density(at, bin) / this.most) * SHADES)];
        // Whole pixels: else the background shines through between bins.
        const [top, bottom] = [Math.floor(y.at(edges[at][bin + 1])), Math.ceil(y.at(edges[at][bin]))];
        pen.fillRect(Math.floor(left), top, Math.max(Math.ceil(this.ends[at]) - Math.floor(left), 1), Math.max(bottom - top, 1));
      });
    });
    this.values.refresh();
  }

  describe() {
    const { steps } = this.data;
    return `Histograms of ${steps.length} steps, ${told(steps[0])} to ${told(steps[steps.length - 1])}.`;
  }

  legend() {
    return [0, 0.25, 1].map((share) => ({ label: `${Math.round(share * 100)} % of the densest bin`, colour: shade(this.colours.ramp, Math.sqrt(share)), shape: 1 }));
  }

  /** @param {number[]} place */
  hover(place) {
    const { scales } = this;
    if (!place.length || !scales || place[0] < scales.box.left) return this.moveCursor(null);
    const at = this.ends.findIndex((end) => place[0] <= end);
    if (at < 0) return this.moveCursor(null);
    const value = scales.y.back(place[1]);
    const bin = this.data.edges[at].findIndex((edge) => edge > value) - 1;
    this.moveCursor({ step: at, bin: Math.min(Math.max(bin === -2 ? Infinity : bin, 0), this.data.counts[at].length - 1) });
  }

  /** @param {{step: number, bin: number}|null} cursor */
  moveCursor(cursor) {
    const isOther = this.cursor?.step !== cursor?.step;
    this.cursor = cursor;
    if (isOther) this.options.onHover?.(cursor ? this.data.steps[cursor.step] : null);
    if (cursor && this.scales) {
      const { edges, steps } = this.data;
      this.showTip(this.scales.x.at(steps[cursor.step]), this.scales.y.at(edges[cursor.step][cursor.bin]), this.words(cursor).map((text, at) => h(at ? "div" : "strong", null, text)));
    } else this.showTip(0, 0, []);
    this.drawTop();
  }

  /** @param {{step: number, bin: number}} cursor */
  words({ step, bin }) {
    const { steps, edges, counts } = this.data;
    const xName = (this.options.xName ?? "step").replace(/^_/, "");
    return [`${xName} ${told(steps[step], kindOf(this.options.xName))}`, `${told(edges[step][bin])} to ${told(edges[step][bin + 1])}`, `${grouped(counts[step][bin])} of ${grouped(this.total(step))} values`];
  }

  /** @param {CanvasRenderingContext2D} pen */
  paintTop(pen) {
    if (!this.cursor || !this.scales) return;
    const { step, bin } = this.cursor;
    const { x, y } = this.scales;
    const { steps, edges } = this.data;
    const [left, top, bottom] = [x.at(steps[step]), y.at(edges[step][bin + 1]), y.at(edges[step][bin])];
    [pen.strokeStyle, pen.lineWidth] = [this.colours.text, 2];
    pen.strokeRect(left, top, Math.max(this.ends[step] - left, 2), Math.max(bottom - top, 2));
  }

  /** @param {KeyboardEvent} event */
  pressed({ key }) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
    if (key === "Escape" && this.cursor) this.moveCursor(null);
    else if (by) {
      const { counts } = this.data;
      const step = this.cursor ? Math.min(Math.max(this.cursor.step + by[0], 0), counts.length - 1) : 0;
      const first = counts[step].indexOf(Math.max(...counts[step]));
      const bin = this.cursor ? Math.min(Math.max(this.cursor.bin + by[1], 0), counts[step].length - 1) : first;
      this.moveCursor({ step, bin });
      this.say(this.words({ step, bin }).join(", "));
    } else return false;
    return true;
  }

  /** @param {number} step @param {number} at */
  summary(step, at) {
    const { edges, counts } = this.data;
    const most = counts[at].indexOf(Math.max(...counts[at]));
    return [told(step), grouped(this.total(at)), told(edges[at][0]), told(edges[at][edges[at].length - 1]), `${told(edges[at][most])} to ${told(edges[at][most + 1])}`];
  }

  toCsv() {
    const { steps, edges, counts } = this.data;
    return csvOf([["step", "low", "high", "count"], ...steps.flatMap((step, at) => counts[at].map((count, bin) => [step, edges[at][bin], edges[at][bin + 1], count]))]);
  }
}

// @ts-check
// Points of two values each: coloured by a third, chosen by a lasso, a box or by keyboard.

import { grouped, h } from "../dom.js";
import { paintAxes, roomy } from "./axes.js";
import { groupsOf, isMissing } from "./groups.js";
import { corners, simplified, within } from "./lasso.js";
import { Legend } from "./legend.js";
import { paintMark } from "./palette.js";
import { csvOf, Plot } from "./plot.js";
import { told } from "./ticks.js";
import { ValueTable } from "./valuetable.js";

const KEYS = "Left and right go from point to point. Enter puts up a box: arrows move it, with Shift they change its size, Enter chooses what is in it. Escape goes back.";
const NEAR = 12;
const MARKS_MAX = 3000;
const TABLE_MAX = 200;
const STEP = 12;
const FAINT = 0.15;

export class ScatterChart extends Plot {
  /**
   * @param {HTMLElement} host
   * @param {any} [options] title, xName, yName, xKind, yKind, colourName, height, logX, logY, noun, cornersMax,
   *   onSelect(indices or null, outline in values or null, isMore: whether more was chosen before), onPick(index)
   */
  constructor(host, options = {}) {
    super(host, { height: 320, noun: "point", mode: "lasso", ...options }, KEYS);
    this.frame.classList.add("chart-choosing");
    /** @type {{x: Float64Array, y: Float64Array, colours: any[]|null, labels: any[]|null}} */
    this.data = { x: new Float64Array(), y: new Float64Array(), colours: null, labels: null };
    this.groups = groupsOf(null, 0);
    /** The points of each colour. @type {number[][]} */
    this.members = [];
    /** Where points are on the screen. */
    this.px = this.py = new Float32Array();
    /** @type {Uint8Array|null} one for each point; null: nothing is chosen */
    this.chosen = null;
    /** @type {number[][]} */
    this.path = [];
    /** The box of the keyboard. @type {number[][]|null} */
    this.box = null;
    /** @type {number|null} */
    this.cursor = null;
    /** @type {string|null} */
    this.focus = null;
    /** @type {ReturnType<typeof paintAxes>|null} */
    this.scales = null;
    const mode = (/** @type {string} */ name, /** @type {string} */ text) => h("button", { type: "button", "aria-pressed": String(this.options.mode === name), onclick: (/** @type {any} */ event) => {
      this.options.mode = name;
      for (const one of this.tools.querySelectorAll("[aria-pressed]")) one.setAttribute("aria-pressed", String(one === event.currentTarget));
    } }, text);
    this.clear = h("button", { type: "button", hidden: true, onclick: () => this.choose(null, null) }, "Choose none");
    this.told = h("span", { class: "quiet" });
    this.tools = h("div", { class: "chart-tools", role: "group", "aria-label": "Choosing" }, mode("lasso", "Lasso"), mode("box", "Box"), this.clear, this.told);
    this.below.append(this.tools);
    this.names = new Legend(this.below, "class", (id) => {
      this.focus = id;
      this.draw();
    });
    this.values = new ValueTable(this.below, () => this.rows(TABLE_MAX));
  }

  /** @param {{x: any[], y: any[], colours?: any[]|null, labels?: any[]|null}} data numbers; colours by numbers or by anything else */
  set(data) {
    const read = (/** @type {any[]} */ values) => Float64Array.from(values, (one) => (isMissing(one) || one === "" ? NaN : Number(one)));
    this.data = { x: read(data.x), y: read(data.y), colours: data.colours ?? null, labels: data.labels ?? null };
    this.groups = groupsOf(data.colours, this.data.x.length);
    this.members = this.groups.paints.map(() => /** @type {number[]} */ ([]));
    this.groups.of.forEach((group, at) => this.members[group].push(at));
    [this.chosen, this.cursor, this.focus, this.box] = [null, null, null, null];
    this.draw();
  }

  get isEmpty() {
    return !this.data.x.length;
  }

  /** Mark points as chosen, as others have chosen them. @param {number[]|null} indices */
  select(indices) {
    this.chosen = indices && new Uint8Array(this.data.x.length);
    indices?.forEach((at) => /** @type {Uint8Array} */ (this.chosen)[at] = 1);
    this.clear.hidden = !indices;
    this.told.textContent = indices ? `${grouped(indices.length)} of ${grouped(this.data.x.length)} ${this.options.noun}s` : "";
    this.draw();
  }

  /** @param {number[]|null} indices @param {number[][]|null} outline on the screen @param {boolean} [isMore] */
  choose(indices, outline, isMore = false) {
    this.select(indices);
    this.say(indices ? `${this.told.textContent} chosen` : "Nothing is chosen");
    const { x, y } = /** @type {NonNullable<typeof this.scales>} */ (this.scales);
    this.options.onSelect?.(indices, outline && outline.map(([left, top]) => [x.back(left), y.back(top)]), isMore);
  }

  /** @param {any} pen @param {number} width @param {number} height */
  paint(pen, width, height) {
    const { xName, yName, logX, logY, xKind, yKind } = this.options;
    const { x, y } = this.data;
    const count = x.length;
    const [xs, ys] = [rangeOf(x, logX), rangeOf(y, logY)];
    const { colours } = this;
    this.scales = paintAxes(pen, colours, width, height, { low: xs[0], high: xs[1], isLog: logX, name: xName, kind: xKind }, { low: ys[0], high: ys[1], isLog: logY, name: yName, kind: yKind });
    const [atX, atY] = [this.scales.x.at, this.scales.y.at];
    if (this.px.length !== count) [this.px, this.py] = [new Float32Array(count), new Float32Array(count)];
    let odd = 0;
    for (let at = 0; at < count; at += 1) {
      const isOff = !Number.isFinite(x[at]) || !Number.isFinite(y[at]) || (logX && x[at] <= 0) || (logY && y[at] <= 0);
      this.px[at] = isOff ? NaN : atX(x[at]);
      this.py[at] = isOff ? NaN : atY(y[at]);
      odd += isOff ? 1 : 0;
    }
    pen.save();
    const paints = this.groups.paints.map((paint) => paint(colours));
    const isFaint = (/** @type {number} */ at) => this.chosen ? !this.chosen[at] : this.focus !== null && this.groups.entries[this.groups.of[at]]?.id !== this.focus;
    const size = count > MARKS_MAX ? 3 : 8;
    // Those that count lie on top; those of one colour follow each other, which costs the least.
    for (const isOver of [false, true]) {
      if (!isOver && !this.chosen && this.focus === null) continue;
      pen.globalAlpha = isOver ? (count > MARKS_MAX ? 0.7 : 0.85) : FAINT;
      paints.forEach((paint, group) => {
        pen.fillStyle = paint;
        const shape = this.groups.entries[group]?.shape ?? 0;
        for (const at of this.members[group]) {
          if (isFaint(at) === isOver || Number.isNaN(this.px[at])) continue;
          if (count > MARKS_MAX) pen.fillRect(this.px[at] - 1.5, this.py[at] - 1.5, size, size);
          else paintMark(pen, this.groups.isRamp ? 0 : shape, this.px[at], this.py[at], size / 2);
        }
      });
    }
    pen.restore();
    this.names.show(this.groups.entries.map(({ id, label, colour, shape }) => ({ id, label, colour, shape })), this.focus, this.options.colourName);
    this.values.refresh();
    this.remark([odd ? `${grouped(odd)} of ${grouped(count)} ${this.options.noun}s have no place: a value is missing or infinite${logX || logY ? ", or 0 or less on a log axis" : ""}.` : ""]);
  }

  describe() {
    const { xName, yName, noun } = this.options;
    return `${grouped(this.data.x.length)} ${noun}s, ${yName ?? "y"} over ${xName ?? "x"}. ${this.told.textContent} ${this.note.textContent}`;
  }

  legend() {
    return this.groups.entries.map(({ label, shape, paint }) => ({ label, shape, colour: paint(this.colours) }));
  }

  /** @param {CanvasRenderingContext2D} pen */
  paintTop(pen) {
    const { colours } = this;
    const outline = this.drag?.isMoved ? this.outline() : this.box && corners(this.box[0], this.box[1]);
    if (outline?.length) {
      pen.beginPath();
      outline.forEach(([x, y], at) => pen[at ? "lineTo" : "moveTo"](x, y));
      pen.closePath();
      [pen.strokeStyle, pen.fillStyle, pen.lineWidth] = [colours.accent, colours.accent, 1.5];
      pen.stroke();
      pen.globalAlpha = 0.12;
      pen.fill("evenodd");
      pen.globalAlpha = 1;
    }
    if (this.cursor === null) return;
    [pen.strokeStyle, pen.lineWidth] = [colours.text, 2];
    pen.beginPath();
    pen.arc(this.px[this.cursor], this.py[this.cursor], 7, 0, 7);
    pen.stroke();
  }

  outline() {
    const { from, to } = /** @type {NonNullable<typeof this.drag>} */ (this.drag);
    return this.options.mode === "box" ? corners(from, to) : this.path;
  }

  /** @param {boolean} isDone */
  dragged(isDone) {
    const drag = /** @type {NonNullable<typeof this.drag>} */ (this.drag);
    if (!isDone) {
      const last = this.path[this.path.length - 1];
      if (!last) this.path.push(drag.from);
      // What the hand did not move needs no corner.
      if (!last || Math.hypot(drag.to[0] - last[0], drag.to[1] - last[1]) > 3) this.path.push(drag.to);
      this.moveCursor(null);
      return;
    }
    const outline = this.outline();
    this.path = [];
    this.chooseWithin(outline, drag.isMore);
  }

  /** @param {number[][]} outline @param {boolean} [isMore] whether what was chosen stays */
  chooseWithin(outline, isMore = false) {
    if (this.options.cornersMax) outline = simplified(outline, this.options.cornersMax);
    const found = within(this.px, this.py, outline);
    if (!isMore || !this.chosen) return this.choose(found, outline);
    for (const at of found) this.chosen[at] = 1;
    this.choose(Array.from(this.chosen.keys()).filter((at) => this.chosen?.[at]), outline, true);
  }

  forgetDrag() {
    this.path = [];
    super.forgetDrag();
  }

  /** @param {number[]} place */
  hover(place) {
    if (!place.length) return this.moveCursor(null);
    let [best, least] = [-1, NEAR * NEAR];
    for (let at = 0; at < this.px.length; at += 1) {
      const away = (this.px[at] - place[0]) ** 2 + (this.py[at] - place[1]) ** 2;
      if (away < least) [best, least] = [at, away];
    }
    this.moveCursor(best < 0 ? null : best);
  }

  /** @param {number|null} at */
  moveCursor(at) {
    if (at === this.cursor && at === null) return this.drawTop();
    this.cursor = at;
    this.showTip(at === null ? 0 : this.px[at], at === null ? 0 : this.py[at], at === null ? [] : this.words(at).map((text, place) => h(place ? "div" : "strong", null, h("bdi", null, text))));
    this.drawTop();
  }

  /** @param {number} at */
  words(at) {
    const { x, y, labels, colours } = this.data;
    const { xName = "x", yName = "y", xKind, yKind, colourName = "colour", noun } = this.options;
    const by = colours ? [`${colourName} ${typeof colours[at] === "number" ? told(colours[at]) : isMissing(colours[at]) ? "none" : colours[at]}`] : [];
    return [String(labels?.[at] ?? `${noun} ${at + 1}`), `${xName} ${told(x[at], xKind)}`, `${yName} ${told(y[at], yKind)}`, ...by].map((text) => text.slice(0, 200));
  }

  /** @param {number[]} place */
  click(place) {
    this.hover(place);
    if (this.cursor !== null && this.options.onPick) this.options.onPick(this.cursor);
    else if (this.cursor === null && this.chosen) this.choose(null, null);
  }

  /** @param {KeyboardEvent} event */
  pressed({ key, shiftKey }) {
    const by = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[key];
    if (key === "Enter" && this.cursor !== null && this.options.onPick && !this.box) this.options.onPick(this.cursor);
    else if (key === "Enter" || key === " ") this.useBox(shiftKey);
    else if (by && this.box) this.moveBox(by, shiftKey);
    else if (by) this.step(by[0] + by[1] > 0 ? 1 : -1);
    else if (key === "Escape" && (this.box || this.cursor !== null)) {
      this.box = null;
      this.moveCursor(null);
    } else if (key === "Escape" && this.chosen) this.choose(null, null);
    else return false;
    return true;
  }

  /** @param {boolean} isMore */
  useBox(isMore) {
    if (this.box) {
      const outline = corners(this.box[0], this.box[1]);
      this.box = null;
      this.chooseWithin(outline, isMore);
      return;
    }
    const { box } = /** @type {NonNullable<typeof this.scales>} */ (this.scales);
    const [wide, high] = [box.right - box.left, box.bottom - box.top];
    this.moveCursor(null);
    this.box = [[box.left + wide / 4, box.top + high / 4], [box.right - wide / 4, box.bottom - high / 4]];
    this.tellBox();
  }

  /** @param {number[]} by @param {boolean} isSize */
  moveBox(by, isSize) {
    const [one, two] = /** @type {number[][]} */ (this.box);
    const moved = (/** @type {number[]} */ place) => place.map((value, at) => value + by[at]);
    const next = moved(two);
    this.box = isSize ? [one, next.map((value, at) => Math.max(value, one[at] + STEP))] : [moved(one), next];
    this.tellBox();
  }

  tellBox() {
    const [[left, top], [right, bottom]] = /** @type {number[][]} */ (this.box);
    const { x, y } = /** @type {NonNullable<typeof this.scales>} */ (this.scales);
    const { xKind, yKind, xName = "x", yName = "y", noun } = this.options;
    const count = within(this.px, this.py, corners([left, top], [right, bottom])).length;
    this.say(`Box: ${xName} ${told(x.back(left), xKind)} to ${told(x.back(right), xKind)}, ${yName} ${told(y.back(bottom), yKind)} to ${told(y.back(top), yKind)}; ${grouped(count)} ${noun}s`);
    this.drawTop();
  }

  /** @param {number} by */
  step(by) {
    const order = Array.from(this.px.keys()).filter((at) => !Number.isNaN(this.px[at])).sort((one, two) => this.px[one] - this.px[two] || one - two);
    if (!order.length) return;
    const at = this.cursor === null ? (by > 0 ? 0 : order.length - 1) : Math.min(Math.max(order.indexOf(this.cursor) + by, 0), order.length - 1);
    this.moveCursor(order[at]);
    this.say(this.words(order[at]).join(", "));
  }

  /** @param {number} [most] */
  rows(most = Infinity) {
    const { x, y, colours, labels } = this.data;
    const { xName = "x", yName = "y", colourName = "colour", noun } = this.options;
    const rows = [[noun, xName, yName, ...(colours ? [colourName] : [])]];
    for (let at = 0; at < Math.min(x.length, most); at += 1) rows.push([labels?.[at] ?? String(at + 1), x[at], y[at], ...(colours ? [colours[at]] : [])].map((one) => (one === null || one === undefined ? "" : String(one))));
    if (x.length > most) rows.push([`${grouped(x.length - most)} more`]);
    return rows;
  }

  toCsv() {
    return csvOf(this.rows());
  }
}

/** @param {Float64Array} values @param {boolean} isLog */
function rangeOf(values, isLog) {
  let [low, high] = [Infinity, -Infinity];
  for (const one of values) {
    if (!Number.isFinite(one) || (isLog && one <= 0)) continue;
    if (one < low) low = one;
    if (one > high) high = one;
  }
  return roomy(low, high, isLog);
}

// @ts-check
// Many lines over one axis: drawn on a canvas, zoomed by dragging, read at any place.

import { h } from "../dom.js";
import { paintAxes, roomy } from "./axes.js";
import { Legend, swatch } from "./legend.js";
import { COLOURS, DASHES } from "./palette.js";
import { behind, inSight, oddities, paintBand, paintEdges, summaryRows, wideRows } from "./lineparts.js";
import { csvOf, Plot } from "./plot.js";
import { firstFrom, nearest, prepared, smoothed, trace } from "./series.js";
import { kindOf, told } from "./ticks.js";
import { ValueTable } from "./valuetable.js";

const KEYS = "Left and right move the cursor, or the window where it is zoomed; with Shift always the cursor. Up and down go to the next line, Enter sets it apart. Plus and minus zoom, Escape goes back.";
const TIP_MAX = 12;
const SAID_MAX = 5;
const CLICK = 14;
const FAINT = 0.18;

/** @typedef {import("./series.js").Series} Series */
/** @typedef {{series: Series, at: number, x: number, y: number}} Found of one series at a place */

export class LineChart extends Plot {
  /**
   * @param {HTMLElement} host
   * @param {any} [options] title, xName, yName, height, logX, logY, smoothing, zoom, xKind, onZoom(from, to), onHover(x), onFocus(id)
   */
  constructor(host, options = {}) {
    super(host, { smoothing: 0, zoom: null, ...options }, KEYS);
    /** @type {Series[]} */
    this.series = [];
    /** @type {[number, number]|null} */
    this.zoom = this.options.zoom;
    /** All that was ever there: no window leads beyond. @type {[number, number]} */
    this.whole = [Infinity, -Infinity];
    /** @type {string|null} */
    this.focus = null;
    /** Where values are read: x, and the series that the pointer is nearest to. @type {{x: number, id: string}|null} */
    this.cursor = null;
    /** @type {ReturnType<typeof paintAxes>|null} */
    this.scales = null;
    this.names = new Legend(this.below, "line", (id) => this.focusSeries(id));
    this.names.element.addEventListener("pointerover", (/** @type {any} */ event) => this.glance(event.target.closest("button")?.dataset.id ?? null));
    this.names.element.addEventListener("pointerleave", () => this.glance(null));
    /** Under the pointer in the legend. @type {string|null} */
    this.glanced = null;
    this.values = new ValueTable(this.below, () => summaryRows(this.series));
  }

  // What is drawn.

  /** @param {any[]} series */
  set(series) {
    this.series = series.map((one) => prepared(one, this.options.smoothing));
    if (!this.zoom) this.whole = [Infinity, -Infinity];
    for (const { x } of this.series) {
      if (x.length) this.whole = [Math.min(this.whole[0], x[0]), Math.max(this.whole[1], x[x.length - 1])];
    }
    if (!this.series.some((one) => one.id === this.focus)) this.focus = null;
    if (!this.series.some((one) => one.id === this.cursor?.id)) this.hover([]);
    this.draw();
  }

  /** @param {any} part */
  configure(part) {
    if ("smoothing" in part && part.smoothing !== this.options.smoothing) this.series.forEach((one) => (one.smooth = smoothed(one.y, part.smoothing)));
    if ("zoom" in part) this.zoom = part.zoom;
    if ("xName" in part && part.xName !== this.options.xName) {
      // Steps and seconds have nothing in common.
      if (!part.zoom) this.zoom = null;
      this.whole = [Infinity, -Infinity];
      this.cursor = null;
    }
    super.configure(part);
  }

  /** @param {string|null} id of the series before which all others are faint */
  focusSeries(id) {
    if (this.focus === id) return;
    this.focus = id;
    this.options.onFocus?.(id);
    this.draw();
  }

  /** @param {string|null} id */
  glance(id) {
    if (this.glanced === id) return;
    this.glanced = id;
    this.draw();
  }

  get isEmpty() {
    return !this.series.some((one) => one.x.length);
  }

  get xKind() {
    return this.options.xKind ?? kindOf(this.options.xName);
  }

  /** @returns {[number, number]} */
  xRange() {
    const { logX } = this.options;
    if (this.zoom && (!logX || this.zoom[0] > 0)) return this.zoom;
    let [low, high] = [Infinity, -Infinity];
    for (const { x } of this.series) {
      const first = x[logX ? firstFrom(x, Number.MIN_VALUE) : 0];
      if (first < low) low = first;
      if (first !== undefined && x[x.length - 1] > high) high = x[x.length - 1];
    }
    return low < high ? [low, high] : roomy(low, high, logX);
  }

  /** @param {any} pen @param {number} width @param {number} height */
  paint(pen, width, height) {
    const { xName, yName, logX, logY } = this.options;
    const range = this.xRange();
    const { parts, odd, y } = inSight(this.series, range, this.options);
    const { colours } = this;
    this.scales = paintAxes(pen, colours, width, height, { low: range[0], high: range[1], isLog: logX, kind: this.xKind, name: xName === "_timestamp" ? "time" : (xName ?? "").replace(/^_/, "") }, { low: y[0], high: y[1], isLog: logY, name: yName });
    const { box } = this.scales;
    pen.save();
    pen.beginPath();
    pen.rect(box.left, box.top - 4, box.right - box.left, box.bottom - box.top + 8);
    pen.clip();
    const apart = this.glanced ?? this.focus;
    const order = [...parts].sort((one, two) => Number(one.series.id === apart) - Number(two.series.id === apart));
    const thin = parts.length > 30 ? 1 : 1.5;
    for (const part of order) {
      const { series } = part;
      if (part.from >= part.to) continue;
      const isApart = series.id === apart;
      const alpha = apart !== null && !isApart ? FAINT : series.isFaint ? 0.4 : 1;
      pen.strokeStyle = pen.fillStyle = this.colourOf(series);
      if (series.low && series.high) paintBand(pen, part, this.scales, alpha * 0.2);
      pen.lineWidth = isApart ? 2.25 : thin;
      pen.setLineDash([]);
      if (series.smooth !== series.y) {
        pen.globalAlpha = alpha * 0.25;
        trace(pen, series.x, series.y, part.from, part.to, this.scales);
      }
      pen.globalAlpha = alpha;
      pen.setLineDash(DASHES[series.dash % DASHES.length]);
      trace(pen, series.x, series.smooth, part.from, part.to, this.scales);
      pen.setLineDash([]);
      paintEdges(pen, part, this.scales);
      pen.globalAlpha = 1;
    }
    pen.restore();
    this.back.hidden = !this.zoom;
    this.names.show(this.series.map(({ id, label, colour, dash }) => ({ id, label, colour: colour % COLOURS, dash: dash % DASHES.length })), this.focus);
    this.values.refresh();
    this.remark(oddities(odd));
  }

  /** @param {Series} series */
  colourOf(series) {
    return this.colours.series[series.colour % COLOURS];
  }

  describe() {
    const [low, high] = this.xRange();
    const count = this.series.length;
    return `${count} ${count === 1 ? "line" : "lines"}, ${(this.options.xName ?? "x").replace(/^_/, "")} ${told(low, this.xKind)} to ${told(high, this.xKind)}. ${this.note.textContent}`;
  }

  legend() {
    return this.series.map((one) => ({ label: one.label, colour: this.colourOf(one), dash: one.dash % DASHES.length }));
  }

  // Reading values.

  /**
   * What each series has at a place, the highest first. A series that ends before it has nothing.
   * @param {number} value
   * @returns {Found[]}
   */
  at(value) {
    if (!this.scales) return [];
    const { x } = this.scales;
    const slack = Math.abs(x.back(x.at(value) + 6) - value);
    /** @type {Found[]} */
    const found = [];
    for (const series of this.series) {
      const { length } = series.x;
      if (!length || value < series.x[0] - slack || value > series.x[length - 1] + slack) continue;
      const at = nearest(series, value);
      found.push({ series, at, x: series.x[at], y: series.smooth[at] });
    }
    // NaN stands below all.
    return found.sort((one, two) => (Number.isNaN(two.y) ? -1 : Number.isNaN(one.y) ? 1 : two.y - one.y));
  }

  /** @param {number[]} place */
  hover(place) {
    if (!place.length || !this.scales) return this.moveCursor(null);
    const { box, x, y } = this.scales;
    if (place[0] < box.left - 8 || place[0] > box.right + 8) return this.moveCursor(null);
    const found = this.at(x.back(place[0]));
    /** @type {Found|null} */
    let best = null;
    let least = Infinity;
    for (const one of found) {
      const away = Math.abs(y.at(one.y) - place[1]) || (Number.isFinite(one.y) ? 0 : 1e6);
      if (away < least) [best, least] = [one, away];
    }
    best ??= found[0];
    this.moveCursor(best && { x: best.x, id: best.series.id }, place);
  }

  /**
   * Show values at a place, as the pointer does: charts beside each other follow one another by it.
   * @param {number|null} value
   */
  showCursor(value) {
    const best = value === null ? null : this.at(value)[0];
    this.moveCursor(best && value !== null ? { x: value, id: this.cursor?.id ?? best.series.id } : null, undefined, true);
  }

  /**
   * @param {{x: number, id: string}|null|undefined} cursor
   * @param {number[]} [place]
   * @param {boolean} [isTold] whether others told us
   */
  moveCursor(cursor, place, isTold = false) {
    const before = this.cursor;
    this.cursor = cursor ?? null;
    if (!this.cursor && !before) return;
    if (!isTold && before?.x !== this.cursor?.x) this.options.onHover?.(this.cursor?.x ?? null);
    if (this.cursor && this.scales) this.tell(this.cursor, place);
    else this.showTip(0, 0, []);
    this.drawTop();
  }

  /** @param {{x: number, id: string}} cursor @param {number[]} [place] */
  tell(cursor, place) {
    const { x, y } = /** @type {NonNullable<typeof this.scales>} */ (this.scales);
    const found = this.at(cursor.x);
    const marked = found.findIndex((one) => one.series.id === cursor.id);
    // Of many those around the marked one.
    const from = Math.max(Math.min(marked - TIP_MAX / 2, found.length - TIP_MAX), 0);
    const rows = found.slice(from, from + TIP_MAX).map(({ series, x: own, y: value, at }) => {
      const isAway = Math.abs(x.at(own) - x.at(cursor.x)) > 6;
      const raw = series.smooth === series.y ? "" : ` (${told(series.y[at])})`;
      const span = series.low && series.high ? ` ${told(series.low[at])} to ${told(series.high[at])}` : "";
      return h("tr", { class: series.id === cursor.id ? "is-marked" : null }, h("td", null, swatch({ colour: series.colour % COLOURS, dash: series.dash % DASHES.length })), h("td", { class: "chart-value" }, told(value) + raw + span), h("td", { class: "chart-name" }, h("bdi", null, series.label), isAway ? h("small", null, ` at ${told(own, this.xKind)}`) : null));
    });
    const rest = found.length - rows.length;
    this.showTip(x.at(cursor.x), place?.[1] ?? (y.at(found[marked]?.y ?? y.high) || 0), [
      h("strong", null, told(cursor.x, this.xKind)),
      h("table", null, h("tbody", null, ...rows)),
      ...(rest ? [h("small", null, `${rest} more${from ? `, ${from} of them above` : ""}`)] : []),
    ]);
  }

  /** @param {CanvasRenderingContext2D} pen */
  paintTop(pen) {
    if (!this.scales) return;
    const { box, x, y } = this.scales;
    const { drag, cursor, colours } = this;
    if (drag?.isMoved) {
      const [from, to] = this.dragRange();
      pen.fillStyle = colours.accent;
      pen.globalAlpha = 0.2;
      pen.fillRect(from, box.top, to - from, box.bottom - box.top);
      pen.globalAlpha = 1;
    }
    if (!cursor) return;
    const at = x.at(cursor.x);
    if (at < box.left - 1 || at > box.right + 1) return;
    pen.strokeStyle = colours.quiet;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(Math.round(at) + 0.5, box.top);
    pen.lineTo(Math.round(at) + 0.5, box.bottom);
    pen.stroke();
    for (const { series, x: own, y: value } of this.at(cursor.x).slice(0, 300)) {
      const [px, py] = [x.at(own), y.at(value)];
      if (!(py >= box.top && py <= box.bottom)) continue;
      pen.fillStyle = this.colourOf(series);
      pen.beginPath();
      pen.arc(px, py, series.id === cursor.id ? 5 : 2.5, 0, 7);
      pen.fill();
    }
  }

  // Zooming.

  dragRange() {
    const { box } = /** @type {NonNullable<typeof this.scales>} */ (this.scales);
    const { from, to } = /** @type {NonNullable<typeof this.drag>} */ (this.drag);
    return [from[0], to[0]].sort((one, two) => one - two).map((one) => Math.min(Math.max(one, box.left), box.right));
  }

  /** @param {boolean} isDone */
  dragged(isDone) {
    if (!this.scales) return;
    const [from, to] = this.dragRange();
    const { x } = this.scales;
    if (isDone && to - from > 3) this.zoomTo([x.back(from), x.back(to)]);
    else {
      this.showTip(0, 0, []);
      this.cursor = null;
      this.drawTop();
    }
  }

  /** @param {[number, number]|null} zoom */
  zoomTo(zoom) {
    if (zoom && !(zoom[1] > zoom[0])) return;
    this.zoom = this.options.zoom = zoom;
    this.moveCursor(null);
    this.draw();
    if (zoom) this.options.onZoom?.(...zoom);
    else this.options.onZoom?.(null, null);
    this.say(zoom ? `${told(zoom[0], this.xKind)} to ${told(zoom[1], this.xKind)}` : "All is shown");
  }

  goBack() {
    if (this.zoom) this.zoomTo(null);
  }

  /** @param {number[]} place */
  click([left, top]) {
    const { cursor, scales } = this;
    if (!cursor || !scales || this.series.length < 2) return;
    const found = this.at(cursor.x).find((one) => one.series.id === cursor.id);
    const isNear = found && Math.hypot(scales.x.at(found.x) - left, scales.y.at(found.y) - top) < CLICK;
    this.focusSeries(isNear && this.focus !== cursor.id ? cursor.id : null);
  }

  // By keyboard.

  /** @param {KeyboardEvent} event */
  pressed({ key, shiftKey }) {
    // Keys may come faster than frames: each begins where the one before led.
    if (this.asked) this.drawNow();
    if (!this.scales) return false;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (by && this.zoom && !shiftKey) this.pan(by);
    else if (by) this.step(by);
    else if (key === "Home" || key === "End") this.step(key === "Home" ? -Infinity : Infinity);
    else if (key === "+" || key === "=") this.scale(0.5);
    else if (key === "-") this.scale(2);
    else if (key === "0") this.goBack();
    else if (key === "ArrowUp" || key === "ArrowDown") this.nextLine(key === "ArrowUp" ? -1 : 1);
    else if (key === "Enter" && this.cursor) this.focusSeries(this.focus === this.cursor.id ? null : this.cursor.id);
    else if (key === "Escape" && this.cursor) this.moveCursor(null);
    else if (key === "Escape" && this.focus !== null) this.focusSeries(null);
    else if (key === "Escape" && this.zoom) this.goBack();
    else return false;
    return true;
  }

  /** @param {number} by */
  pan(by) {
    const { x, box } = /** @type {NonNullable<typeof this.scales>} */ (this.scales);
    const limits = this.whole.map(x.at);
    const wide = box.right - box.left;
    const shift = by < 0 ? Math.max((-wide) / 5, Math.min(limits[0] - box.left, 0)) : Math.min(wide / 5, Math.max(limits[1] - box.right, 0));
    if (shift) this.zoomTo([x.back(box.left + shift), x.back(box.right + shift)]);
  }

  /** @param {number} by */
  scale(by) {
    const { x, box } = /** @type {NonNullable<typeof this.scales>} */ (this.scales);
    const middle = this.cursor ? x.at(this.cursor.x) : (box.left + box.right) / 2;
    const [low, high] = this.whole.map(x.at);
    const [from, to] = [box.left, box.right].map((edge) => middle + (edge - middle) * by);
    if (to - from >= high - low) return this.goBack();
    // At an end the window moves over, so that it grows all the same.
    const shift = Math.max(low - from, 0) + Math.min(high - to, 0);
    const kept = this.cursor;
    this.zoomTo([x.back(from + shift), x.back(to + shift)]);
    this.cursor = kept;
  }

  /** The cursor goes to the next point of the marked line. @param {number} by */
  step(by) {
    const { series } = this;
    const [from, to] = this.xRange();
    const line = series.find((one) => one.id === (this.cursor?.id ?? this.focus)) ?? series.reduce((one, two) => (two.x.length > one.x.length ? two : one));
    const first = firstFrom(line.x, from);
    const last = behind(line.x, to) - 1;
    if (last < first) return;
    const at = this.cursor ? nearest(line, this.cursor.x) + by : by < 0 ? last : first;
    const place = by === -Infinity ? first : by === Infinity ? last : Math.min(Math.max(at, first), last);
    this.moveCursor({ x: line.x[place], id: line.id });
    this.sayCursor();
  }

  /** @param {number} by */
  nextLine(by) {
    if (!this.cursor) return this.step(1);
    const found = this.at(this.cursor.x);
    const at = found.findIndex((one) => one.series.id === this.cursor?.id) + by;
    const next = found[Math.min(Math.max(at, 0), found.length - 1)];
    if (next) this.moveCursor({ x: this.cursor.x, id: next.series.id });
    this.sayCursor();
  }

  sayCursor() {
    if (!this.cursor) return;
    const found = this.at(this.cursor.x);
    const own = found.find((one) => one.series.id === this.cursor?.id);
    const others = found.filter((one) => one !== own);
    const name = (/** @type {Found} */ one) => `${one.series.label} ${told(one.y)}`;
    const rest = others.length - SAID_MAX;
    this.say(`${(this.options.xName ?? "x").replace(/^_/, "")} ${told(this.cursor.x, this.xKind)}: ${[own, ...others.slice(0, SAID_MAX)].filter((one) => one !== undefined).map(name).join("; ")}${rest > 0 ? `; ${rest} more` : ""}`);
  }

  /** All points as they came, a column for each series: smoothing is only for the eye. */
  toCsv() {
    return csvOf(wideRows(this.series, this.options.xName ?? "x"));
  }
}

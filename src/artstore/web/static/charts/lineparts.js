// @ts-check
// What a chart of lines is made of: what is in sight, bands, marks at the edge, and the same as rows of a table.

import { roomy } from "./axes.js";
import { firstFrom } from "./series.js";
import { told } from "./ticks.js";

/** @typedef {import("./series.js").Series} Series */
/** @typedef {{series: Series, first: number, end: number, from: number, to: number}} Part of a series: `first` to `end` are in sight */
/** @typedef {{nan: number, up: number, down: number, log: number, x: number}} Odd how many values cannot be drawn */

/** @param {Float64Array} xs @param {number} value */
export function behind(xs, value) {
  let at = firstFrom(xs, value);
  while (at < xs.length && xs[at] === value) at += 1;
  return at;
}

/**
 * The parts of series that are in sight, with a point more at each side, and the range of their values.
 * @param {Series[]} all
 * @param {[number, number]} range
 * @param {{logX?: boolean, logY?: boolean}} options
 */
export function inSight(all, range, { logX, logY }) {
  let [low, high] = [Infinity, -Infinity];
  /** @type {Odd} */
  const odd = { nan: 0, up: 0, down: 0, log: 0, x: 0 };
  const see = (/** @type {number} */ value) => {
    if (!(value - value === 0) || (logY && value <= 0)) return;
    if (value < low) low = value;
    if (value > high) high = value;
  };
  const parts = all.map((series) => {
    const { x, y, smooth } = series;
    const least = logX ? firstFrom(x, Number.MIN_VALUE) : 0;
    const [first, end] = [Math.max(firstFrom(x, range[0]), least), behind(x, range[1])];
    odd.x += least + series.dropped;
    for (let at = first; at < end; at += 1) {
      const value = y[at];
      if (value - value === 0) {
        if (logY && value <= 0) odd.log += 1;
        see(value);
        if (smooth !== y) see(smooth[at]);
        if (series.low && series.high) {
          see(series.low[at]);
          see(series.high[at]);
        }
      } else if (value > 0) odd.up += 1;
      else if (value < 0) odd.down += 1;
      else odd.nan += 1;
    }
    return { series, first, end, from: Math.max(first - 1, least), to: Math.min(end + 1, x.length) };
  });
  return { parts, odd, y: roomy(low, high, logY) };
}

/** What is not in the picture, in sentences. @param {Odd} odd */
export function oddities(odd) {
  const marks = [[odd.nan, "NaN"], [odd.up, "∞"], [odd.down, "-∞"]].filter(([count]) => count).map(([count, name]) => `${count} × ${name}`);
  return [
    marks.length ? `${marks.join(", ")} marked at the edge.` : "",
    odd.log ? `${odd.log} ${odd.log === 1 ? "value is" : "values are"} 0 or less: not on a log axis.` : "",
    odd.x ? `${odd.x} ${odd.x === 1 ? "point has" : "points have"} no place on this x axis.` : "",
  ];
}

/** @param {any} pen @param {Part} part @param {any} scales @param {number} alpha */
export function paintBand(pen, { series, from, to }, { x, y }, alpha) {
  const { low, high } = /** @type {{low: Float64Array, high: Float64Array}} */ (series);
  const place = (/** @type {number} */ value) => y.at(y.isLog ? Math.max(value, y.low) : value);
  const ats = [];
  for (let at = from; at < to; at += 1) if (Number.isFinite(low[at]) && Number.isFinite(high[at])) ats.push(at);
  pen.beginPath();
  ats.forEach((at, nth) => pen[nth ? "lineTo" : "moveTo"](x.at(series.x[at]), place(high[at])));
  ats.reverse().forEach((at) => pen.lineTo(x.at(series.x[at]), place(low[at])));
  pen.closePath();
  pen.globalAlpha = alpha;
  pen.fill();
}

/** What is no number stands at the edge: a cross for NaN, arrows for infinities. @param {any} pen @param {Part} part @param {any} scales */
export function paintEdges(pen, { series, first, end }, { x, box }) {
  const line = (/** @type {number[]} */ ...places) => places.forEach((_, at) => at % 2 || pen[at ? "lineTo" : "moveTo"](places[at], places[at + 1]));
  pen.lineWidth = 1.5;
  pen.beginPath();
  for (let at = first; at < end; at += 1) {
    const value = series.y[at];
    if (value - value === 0) continue;
    const px = x.at(series.x[at]);
    if (Number.isNaN(value)) {
      const py = box.bottom - 4;
      line(px - 3, py - 3, px + 3, py + 3);
      line(px - 3, py + 3, px + 3, py - 3);
    } else {
      const [tip, by] = value > 0 ? [box.top - 2, 6] : [box.bottom + 2, -6];
      line(px - 4, tip + by, px, tip, px + 4, tip + by);
    }
  }
  pen.stroke();
}

/** @param {Series[]} all */
export function summaryRows(all) {
  const value = (/** @type {number|undefined} */ one) => (one === undefined ? "" : told(one));
  return [["Series", "Points", "First", "Last", "Smallest", "Largest"], ...all.map(({ label, x, y }) => {
    const finite = y.filter(Number.isFinite).sort();
    return [label, String(x.length), ...[y[0], y[y.length - 1], finite[0], finite[finite.length - 1]].map(value)];
  })];
}

/** A row for each x, a column for each series. @param {Series[]} all @param {string} xName */
export function wideRows(all, xName) {
  const head = [xName];
  /** @type {Map<number, any[]>} */
  const rows = new Map();
  for (const { label, x, y, low, high } of all) {
    const at = head.length;
    head.push(label, ...(low ? [`${label} low`, `${label} high`] : []));
    x.forEach((value, place) => {
      const row = rows.get(value) ?? [value];
      rows.set(value, row);
      row[at] = y[place];
      if (low && high) [row[at + 1], row[at + 2]] = [low[place], high[place]];
    });
  }
  const ordered = [...rows.values()].sort((one, two) => one[0] - two[0]);
  return [head, ...ordered.map((row) => Array.from({ length: head.length }, (_, at) => row[at]))];
}

// @ts-check
// From values to places on a picture and back, and the axes that tell so.

import { ticksOf } from "./ticks.js";

export const FONT = "11px system-ui, sans-serif";
const GAP = 6;

/** @typedef {{low: number, high: number, isLog: boolean, at: (value: number) => number, back: (place: number) => number}} Scale */
/** @typedef {{left: number, top: number, right: number, bottom: number}} Box */
/** @typedef {{low: number, high: number, isLog?: boolean, kind?: import("./ticks.js").Kind, name?: string, ticks?: import("./ticks.js").Tick[]|null}} Axis */

/**
 * @param {number} low
 * @param {number} high
 * @param {boolean} isLog
 * @param {number} from where `low` is
 * @param {number} to where `high` is
 * @returns {Scale}
 */
export function scaleOf(low, high, isLog, from, to) {
  const [first, last] = isLog ? [Math.log10(low), Math.log10(high)] : [low, high];
  const slope = last !== first ? (to - from) / (last - first) : 0;
  const middle = slope ? 0 : (to - from) / 2;
  return {
    low,
    high,
    isLog,
    at: isLog ? (value) => from + middle + (Math.log10(value) - first) * slope : (value) => from + middle + (value - first) * slope,
    back: (place) => {
      const value = slope ? first + (place - from) / slope : first;
      return isLog ? 10 ** value : value;
    },
  };
}

/**
 * A range with some room around it; one value gets room as well.
 * @param {number} low
 * @param {number} high
 * @param {boolean} [isLog]
 * @param {number} [share]
 * @returns {[number, number]}
 */
export function roomy(low, high, isLog = false, share = 0.05) {
  if (!(low <= high)) return isLog ? [0.1, 10] : [0, 1];
  if (isLog) {
    const by = low === high ? 2 : (high / low) ** share;
    return [low / by || low, Math.min(high * by, Number.MAX_VALUE)];
  }
  const by = low === high ? Math.abs(low) * 0.1 || 1 : (high - low) * share;
  return Number.isFinite(by) ? [low - by, high + by] : [low, high];
}

/** @param {any} pen @param {string} text @param {number} width */
export function fitted(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let cut = text.slice(0, 200);
  while (cut.length > 1 && pen.measureText(`${cut}…`).width > width) cut = cut.slice(0, Math.floor(cut.length * 0.9));
  return `${cut}…`;
}

/**
 * Grid, marks and names; where the values go.
 * @param {any} pen
 * @param {import("./palette.js").Colours} colours
 * @param {number} width
 * @param {number} height
 * @param {Axis} x
 * @param {Axis} y
 * @returns {{box: Box, x: Scale, y: Scale}}
 */
export function paintAxes(pen, colours, width, height, x, y) {
  pen.font = FONT;
  const box = { left: 0, top: y.name ? 20 : 8, right: width - 12, bottom: height - (x.name ? 34 : 20) };
  const yTicks = y.ticks ?? ticksOf(y.low, y.high, Math.max((box.bottom - box.top) / 36, 2), y.kind, y.isLog);
  box.left = Math.min(Math.max(...yTicks.map((one) => pen.measureText(one.text).width), 16) + GAP * 2, width / 3);
  const scales = { box, x: scaleOf(x.low, x.high, !!x.isLog, box.left, box.right), y: scaleOf(y.low, y.high, !!y.isLog, box.bottom, box.top) };
  const xTicks = x.ticks ?? ticksOf(x.low, x.high, Math.max((box.right - box.left) / 84, 2), x.kind, x.isLog);
  pen.lineWidth = 1;
  pen.setLineDash([]);
  pen.strokeStyle = colours.line;
  pen.fillStyle = colours.quiet;
  pen.beginPath();
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const { value, text } of yTicks) {
    const at = Math.round(scales.y.at(value)) + 0.5;
    if (!(at >= box.top - 1 && at <= box.bottom + 1)) continue;
    pen.moveTo(box.left, at);
    pen.lineTo(box.right, at);
    pen.fillText(fitted(pen, text, box.left - GAP), box.left - GAP, at);
  }
  pen.textAlign = "center";
  pen.textBaseline = "top";
  let taken = -Infinity;
  for (const { value, text } of xTicks) {
    const at = Math.round(scales.x.at(value)) + 0.5;
    if (!(at >= box.left - 1 && at <= box.right + 1)) continue;
    pen.moveTo(at, box.bottom);
    pen.lineTo(at, box.bottom + 4);
    const half = pen.measureText(text).width / 2;
    const middle = Math.min(at, width - half - 1);
    if (middle - half < taken + GAP) continue;
    pen.fillText(text, middle, box.bottom + GAP);
    taken = middle + half;
  }
  pen.stroke();
  if (x.name) {
    pen.textAlign = "right";
    pen.fillText(fitted(pen, x.name + (x.isLog ? " (log)" : ""), box.right - box.left), box.right, box.bottom + 20);
  }
  if (y.name) {
    pen.textAlign = "left";
    pen.fillText(fitted(pen, y.name + (y.isLog ? " (log)" : ""), width - GAP), GAP / 2, 3);
  }
  return scales;
}

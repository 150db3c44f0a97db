// @ts-check
// Cells as values that can be compared: what the engine of a server does, in a few lines.

/** @typedef {"number"|"text"|"bool"|"time"|"clock"|"duration"|"list"|"dict"|"null"|"other"} Kind */

const ISO = /^([+-]?\d{4,6}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(\.\d+)?)?(?:Z|\+00:00)?$/;
const CLOCK = /^(\d\d:\d\d)(:\d\d)?(\.\d+)?$/;

/**
 * A moment as a text that sorts; null if it is none.
 * @param {string} text
 * @returns {string|null}
 */
export function moment(text) {
  const found = ISO.exec(text.trim());
  if (!found) return null;
  const rest = (found[4] ?? "").replace(/\.?0+$/, "");
  return `${found[1]}T${found[2] ?? "00:00"}${found[3] ?? ":00"}${rest}`;
}

/** @param {string} text @returns {string|null} a time of day likewise */
export function clock(text) {
  const found = CLOCK.exec(text.trim());
  return found ? `${found[1]}${found[2] ?? ":00"}${(found[3] ?? "").replace(/\.?0+$/, "")}` : null;
}

/** @param {{role: string, kind: string, type: string}} column @returns {Kind} */
export function kindOf(column) {
  if (column.role === "number") return column.kind === "time" ? "duration" : "number";
  if (column.role === "time") return column.type === "time" ? "clock" : "time";
  if (column.role === "text" || column.role === "bool") return column.role;
  if (column.kind === "list" || column.kind === "array") return "list";
  return column.kind === "dict" || column.kind === "image" ? "dict" : "other";
}

/** @type {Record<string, number>} */
const SPECIAL = { nan: NaN, inf: Infinity, "-inf": -Infinity, "-0": -0 };

/**
 * The value of a cell.
 * @param {any} cell
 * @returns {any}
 */
export function valueOf(cell) {
  if (cell === null || typeof cell !== "object") return cell;
  if (cell.$ === "number") {
    if (Object.hasOwn(SPECIAL, cell.v)) return SPECIAL[cell.v];
    return /^-?\d+$/.test(cell.v) ? BigInt(cell.v) : Number(cell.v);
  }
  if (cell.$ === "text") return cell.v;
  if (cell.$ === "time") return typeof cell.v === "number" ? cell.v : (moment(cell.v) ?? clock(cell.v) ?? cell.v);
  if (cell.$ === "list" || cell.$ === "array") return cell.v.map(valueOf);
  return cell;
}

/** @param {string} a @param {string} b by code points, as the engine does */
function compareTexts(a, b) {
  const most = Math.min(a.length, b.length);
  for (let at = 0; at < most; at += 1) {
    const [one, two] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (one === two) continue;
    const isPair = [one >= 0xd800 && one < 0xe000, two >= 0xd800 && two < 0xe000];
    return isPair[0] === isPair[1] ? one - two : isPair[0] ? 1 : -1;
  }
  return a.length - b.length;
}

/**
 * Less than 0, 0 or more; NaN is equal to itself and larger than all others.
 * @param {any} a neither null
 * @param {any} b
 * @returns {number}
 */
export function compare(a, b) {
  if (typeof a === "string") return compareTexts(a, String(b));
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Columns whose cells are rounded: a fraction that is written out is rounded as they are. @type {Record<string, (number: number) => number>} */
export const ROUNDED = { float32: Math.fround };

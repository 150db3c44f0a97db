// @ts-check
// Colours of points and lines by a value of theirs: a ramp for numbers, classes for anything else.

import { COLOURS, SHAPES, shade } from "./palette.js";
import { told } from "./ticks.js";

const SHADES = 24;
const NONE = "none";

/** @param {any} value */
export const isMissing = (value) => value === null || value === undefined || value === "NaN" || Number.isNaN(value);

/** @param {any[]} values */
export function areNumbers(values) {
  return values.some((one) => typeof one === "number") && values.every((one) => isMissing(one) || typeof one === "number" || one === "Infinity" || one === "-Infinity");
}

/**
 * Which colour each of `count` things has (`of`, a place in `paints`), and what a legend says of it.
 * @param {any[]|null|undefined} values
 * @param {number} count
 */
export function groupsOf(values, count) {
  if (!values) return { of: new Uint16Array(count), isRamp: false, entries: [], paints: [(/** @type {any} */ colours) => colours.series[0]] };
  return areNumbers(values) ? ramped(values, count) : classed(values, count);
}

/** @param {any[]} values @param {number} count */
function ramped(values, count) {
  const numbers = Float64Array.from({ length: count }, (_, at) => (isMissing(values[at]) ? NaN : Number(values[at])));
  let [low, high] = [Infinity, -Infinity];
  for (const one of numbers) {
    if (Number.isFinite(one) && one < low) low = one;
    if (Number.isFinite(one) && one > high) high = one;
  }
  const of = Uint16Array.from(numbers, (one) => {
    if (Number.isNaN(one)) return SHADES;
    const share = high > low ? (Math.min(Math.max(one, low), high) - low) / (high - low) : 0.5;
    return Math.min(Math.floor(share * SHADES), SHADES - 1);
  });
  const paints = Array.from({ length: SHADES }, (_, at) => (/** @type {any} */ colours) => shade(colours.ramp, at / (SHADES - 1)));
  const known = low <= high;
  const entries = known ? [0, 1, 2, 3, 4].map((at) => ({ id: "", label: told(low + ((high - low) * at) / 4), colour: `var(--ramp-${at})`, shape: 0, paint: (/** @type {any} */ colours) => colours.ramp[at] })) : [];
  return { of, isRamp: true, entries, paints: [...paints, (/** @type {any} */ colours) => colours.quiet] };
}

/** @param {any[]} values @param {number} count */
function classed(values, count) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  const names = Array.from({ length: count }, (_, at) => (isMissing(values[at]) ? NONE : String(values[at])));
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const all = [...counts].sort((one, two) => two[1] - one[1] || (one[0] < two[0] ? -1 : 1)).map(([name]) => name);
  const own = all.length <= COLOURS ? all : all.slice(0, COLOURS - 1);
  const place = new Map(own.map((name, at) => [name, at]));
  const entries = own.map((name, at) => ({ id: `class ${name}`, label: `${name} (${counts.get(name)})`, colour: /** @type {number|string} */ (at), shape: at % SHAPES.length, paint: (/** @type {any} */ colours) => colours.series[at] }));
  if (own.length < all.length) entries.push({ id: "rest", label: `${all.length - own.length} others`, colour: "var(--quiet)", shape: 0, paint: (colours) => colours.quiet });
  return { of: Uint16Array.from(names, (name) => place.get(name) ?? own.length), isRamp: false, entries, paints: entries.map((one) => one.paint) };
}

// @ts-check
// What was chosen in a chart of runs, as conditions of the list.

import { textLiteral } from "../conditions.js";

const TEXT_MAX = 1500;

/** @param {any} value @returns {string|null} */
function literal(value) {
  if (typeof value === "string") return textLiteral(value);
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
  return typeof value === "number" && Number.isFinite(value) ? String(value) : null;
}

/**
 * These runs by their ids; null if that would be too long for an address.
 * @param {{runs: string[]}} told
 * @param {number[]} indices
 */
export function idsOf(told, indices) {
  const text = indices.length ? `id IN (${indices.map((at) => `'${told.runs[at]}'`).join(", ")})` : "id IS NULL";
  return text.length > TEXT_MAX ? null : [text];
}

/**
 * The box around some points.
 * @param {{name: string, sql: string, values: any[]}[]} axes
 * @param {number[]} indices
 */
export function boxOf(axes, indices) {
  if (!indices.length) return ["id IS NULL"];
  return axes.map((axis) => between(axis, indices)).filter((text) => text !== null);
}

/** The smallest and the largest value that some runs have. @param {{name: string, sql: string, values: any[]}} axis @param {number[]} indices */
function between({ sql, values }, indices) {
  const found = indices.map((at) => values[at]).filter((value) => value !== null);
  if (found.some((value) => typeof value === "string" && !isOdd(value))) {
    // Times are texts that sort as they are.
    const texts = found.filter((value) => typeof value === "string").sort();
    return `${sql} BETWEEN ${textLiteral(texts[0])} AND ${textLiteral(texts[texts.length - 1])}`;
  }
  const finite = found.map(Number).filter(Number.isFinite);
  const [low, high] = [finite.reduce((one, two) => Math.min(one, two), Infinity), finite.reduce((one, two) => Math.max(one, two), -Infinity)];
  if (low > high) return null;
  const [isBelow, isAbove] = [found.includes("-Infinity"), found.includes("Infinity")];
  if (isBelow && isAbove) return null;
  if (isBelow) return `${sql} <= ${high}`;
  if (isAbove) return `${sql} >= ${low}`;
  return low === high ? `${sql} = ${low}` : `${sql} BETWEEN ${low} AND ${high}`;
}

/** @param {any} value */
function isOdd(value) {
  return value === "NaN" || value === "Infinity" || value === "-Infinity";
}

/**
 * A condition for each axis that has a range.
 * @param {any} chart
 * @param {{name: string, sql: string, values: any[]}[]} axes
 * @returns {string[]}
 */
export function rangesOf(chart, axes) {
  const found = [];
  for (const axis of axes) {
    const range = chart.ranges.get(axis.name);
    const drawn = chart.axes.find((/** @type {any} */ one) => one.name === axis.name);
    if (!range || !drawn) continue;
    const inside = drawn.places.length ? Array.from(drawn.places, (place, at) => (place >= range[0] && place <= range[1] ? at : -1)).filter((at) => at >= 0) : [];
    const text = !inside.length ? "id IS NULL" : drawn.isText ? anyOf(axis, inside) : between(axis, inside);
    if (text) found.push(text);
  }
  return found;
}

/** One of the values that some runs have: texts and numbers are never the same. @param {{sql: string, values: any[]}} axis @param {number[]} indices */
function anyOf({ sql, values }, indices) {
  const distinct = [...new Set(indices.map((at) => values[at]))];
  /** @type {Map<string, string[]>} */
  const byKind = new Map();
  for (const value of distinct) {
    const text = literal(value);
    if (text !== null) byKind.set(typeof value, [...(byKind.get(typeof value) ?? []), text]);
  }
  const parts = [...byKind.values()].map((texts) => `${sql} IN (${texts.join(", ")})`);
  const text = parts.length > 1 ? `(${parts.join(" OR ")})` : (parts[0] ?? null);
  return text !== null && text.length <= TEXT_MAX ? text : null;
}

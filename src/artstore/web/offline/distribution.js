// @ts-check
// How cells are distributed: bins and values for the heads of columns, sums for groups.

import { compare, moment } from "./values.js";

/** @typedef {import("./expression.js").Values} Values */
/** @typedef {{edges: any[], marks: any[]}} Bins edges as cells, and as values that are compared */

const BINS_MAX = 30;
const FEW = 20;
const TOP = 10;
const SECOND = 1000;
const DAY = 86_400 * SECOND;
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200].map((n) => n * SECOND).concat([1, 2, 7, 14, 30, 91, 182, 365, 730, 1825, 3650, 36_500].map((n) => n * DAY));

/** @param {number} span @param {number} least @returns {number} the smallest step of 1, 2, 5, 10, ... with few enough bins */
function niceStep(span, least) {
  let scale = 10 ** Math.floor(Math.log10(span / BINS_MAX));
  if (!Number.isFinite(scale) || !scale) return span / BINS_MAX || 1;
  for (;;) {
    for (const base of [1, 2, 5]) if (base * scale >= least && span / (base * scale) < BINS_MAX - 1) return base * scale;
    scale *= 10;
  }
}

/** @param {number} low @param {number} high @param {number} step @returns {number[]} */
function edgesOf(low, high, step) {
  const first = Math.floor(low / step);
  const parts = step < 1 ? Math.round(1 / step) : 0;
  const edges = [];
  for (let at = first; edges.length < 2 || (edges[edges.length - 1] <= high && edges.length <= BINS_MAX + 1); at += 1) edges.push(parts && Math.abs(parts * step - 1) < 1e-9 ? at / parts : at * step);
  if (edges[0] > low) edges[0] = low;
  if (edges[edges.length - 1] < high) edges[edges.length - 1] = high;
  return edges;
}

/** @param {Values} column @returns {Bins} */
function numberBins(column) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of column.values) {
    const number = value === null ? NaN : Number(value);
    if (!Number.isFinite(number)) continue;
    [low, high] = [Math.min(low, number), Math.max(high, number)];
  }
  if (low > high) return { edges: [], marks: [] };
  const marks = low === high ? [low, high] : edgesOf(low, high, niceStep(high - low, /^u?int/.test(column.type) ? 1 : 0));
  return { edges: marks, marks };
}

/** @param {Values} column @returns {Bins} */
function timeBins(column) {
  const numbers = column.values.filter((value) => value !== null).map((value) => Date.parse(`${value.slice(0, 23)}Z`)).filter(Number.isFinite);
  if (!numbers.length) return { edges: [], marks: [] };
  const [low, high] = numbers.reduce(([least, most], one) => [Math.min(least, one), Math.max(most, one)], [Infinity, -Infinity]);
  const isDate = column.type === "date";
  const step = TIME_STEPS.find((one) => (!isDate || one >= DAY) && (high - low) / one < BINS_MAX - 1) ?? 365 * DAY * Math.ceil((high - low) / (365 * DAY * (BINS_MAX - 1)));
  const texts = edgesOf(low, high + 1, step).map((one) => new Date(one).toISOString().slice(0, isDate ? 10 : 19));
  return { edges: texts.map((text) => ({ $: "time", v: text })), marks: texts.map((text) => moment(text) ?? text) };
}

/** @param {Values} column @returns {Bins} none for what has no bins */
export function binsOf(column) {
  if (column.kind === "number" || column.kind === "duration") return numberBins(column);
  return column.kind === "time" ? timeBins(column) : { edges: [], marks: [] };
}

/** @param {any[]} marks @param {any} value @returns {number} the bin it lies in; -1: in none */
function binAt(marks, value) {
  if (compare(value, marks[0]) < 0 || compare(value, marks[marks.length - 1]) > 0) return -1;
  let [low, high] = [0, marks.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (compare(value, marks[middle]) < 0) high = middle;
    else low = middle;
  }
  return low;
}

/** @param {Bins} bins @param {Values} column @param {Iterable<number>} rows @returns {number[]} */
export function histogram(bins, column, rows) {
  const counts = new Array(Math.max(bins.marks.length - 1, 0)).fill(0);
  if (!counts.length) return counts;
  for (const row of rows) {
    const value = column.values[row];
    if (value === null || Number.isNaN(value)) continue;
    const at = binAt(bins.marks, value);
    if (at >= 0) counts[at] += 1;
  }
  return counts;
}

/** @param {Values} column @param {Iterable<number>} rows @returns {Map<any, number>} rows by value, without null */
export function counted(column, rows) {
  const counts = new Map();
  for (const row of rows) {
    const value = column.values[row];
    if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return counts;
}

/** @param {[any, number]} a @param {[any, number]} b the most frequent first */
const byCount = (a, b) => b[1] - a[1] || compare(a[0], b[0]);

/** @param {any} value @param {Values} column @returns {any} as a cell */
function cellOf(value, column) {
  return column.cells[column.values.findIndex((one) => Object.is(one, value))] ?? value;
}

/** @param {Values} column @param {Iterable<number>} rows @param {number} most @returns {any[]} */
export function topValues(column, rows, most) {
  return [...counted(column, rows)].sort(byCount).slice(0, most).map(([value, count]) => ({ value: cellOf(value, column), count, selected: count }));
}

/**
 * @param {string} name
 * @param {Values} column
 * @param {number[]} all
 * @param {number[]} selected
 */
export function facetOf(name, column, all, selected) {
  const nulls = (/** @type {number[]} */ rows) => rows.reduce((sum, row) => sum + Number(column.cells[row] === null), 0);
  const facet = { column: name, kind: "nulls", edges: /** @type {any[]} */ ([]), all: [0], selected: [0], values: /** @type {any[]} */ ([]), rest: { all: 0, selected: 0 }, nulls: { all: nulls(all), selected: nulls(selected) }, special: { all: {}, selected: {} }, distinct: /** @type {number|null} */ (null), sampled: null };
  if (["list", "dict", "other", "null"].includes(column.kind)) return facet;
  const counts = counted(column, all);
  const isWhole = /^u?int/.test(column.type) && counts.size <= FEW;
  if (["text", "bool", "clock"].includes(column.kind) || isWhole) {
    const chosen = counted(column, selected);
    const top = [...counts].sort(byCount).slice(0, isWhole ? FEW : TOP);
    const sum = (/** @type {Map<any, number>} */ map) => [...map.values()].reduce((total, one) => total + one, 0);
    facet.values = top.map(([value, count]) => ({ value: cellOf(value, column), count, selected: chosen.get(value) ?? 0 }));
    facet.rest = { all: sum(counts) - facet.values.reduce((total, one) => total + one.count, 0), selected: sum(chosen) - facet.values.reduce((total, one) => total + one.selected, 0) };
    return { ...facet, kind: "values", distinct: counts.size };
  }
  const bins = binsOf(column);
  const special = (/** @type {number[]} */ rows) => {
    /** @type {Record<string, number>} */
    const found = {};
    for (const row of rows) {
      const value = column.values[row];
      const told = Number.isNaN(value) ? "nan" : value === Infinity ? "inf" : value === -Infinity ? "-inf" : null;
      if (told) found[told] = (found[told] ?? 0) + 1;
    }
    return found;
  };
  return { ...facet, kind: "histogram", edges: bins.edges, all: histogram(bins, column, all), selected: histogram(bins, column, selected), special: { all: special(all), selected: special(selected) } };
}

/** @param {number[]} sorted @param {number} share @returns {number} interpolated */
function quantile(sorted, share) {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

/**
 * @param {string} name
 * @param {Values} column
 * @param {number[]} rows
 * @param {Bins} bins
 */
export function summaryOf(name, column, rows, bins) {
  const nulls = rows.reduce((sum, row) => sum + Number(column.cells[row] === null), 0);
  const told = { column: name, kind: "nulls", count: rows.length - nulls, nulls, sum: null, mean: null, stddev: null, min: null, max: null, quantiles: [], histogram: [], values: [] };
  if (column.kind === "text" || column.kind === "bool") return { ...told, kind: "values", values: topValues(column, rows, 5) };
  if (column.kind === "time") return { ...told, kind: "time", histogram: histogram(bins, column, rows) };
  if (column.kind !== "number" && column.kind !== "duration") return told;
  const numbers = rows.map((row) => (column.values[row] === null ? NaN : Number(column.values[row]))).filter(Number.isFinite).sort((a, b) => a - b);
  if (!numbers.length) return { ...told, kind: "number" };
  const sum = numbers.reduce((total, one) => total + one, 0);
  const mean = sum / numbers.length;
  const spread = numbers.reduce((total, one) => total + (one - mean) ** 2, 0);
  return {
    ...told,
    kind: "number",
    sum,
    mean,
    stddev: numbers.length > 1 ? Math.sqrt(spread / (numbers.length - 1)) : null,
    min: numbers[0],
    max: numbers[numbers.length - 1],
    quantiles: [0.25, 0.5, 0.75].map((share) => quantile(numbers, share)),
    histogram: histogram(bins, column, rows),
  };
}

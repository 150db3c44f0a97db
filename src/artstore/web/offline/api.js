// @ts-check
// Stands where the page has requests: answers them from the rows that are in the file.

import { byId } from "../static/dom.js";
import { lineOf } from "../static/cells/any.js";
import { numbersOf } from "../static/ranges.js";
import { parse } from "../static/state.js";
import { binsOf, facetOf, summaryOf, topValues } from "./distribution.js";
import { ExpressionError, parseCondition, parseValue, valuesOf } from "./expression.js";
import { compare, kindOf } from "./values.js";

/** What went wrong, as a server tells it. */
export class ApiError extends Error {
  /** @param {{code?: string, message?: string, hint?: string|null, position?: number|null, part?: string|null}} told @param {number} status */
  constructor(told, status) {
    super(told.message ?? "this file cannot do that");
    this.code = told.code ?? "unexpected";
    this.hint = told.hint ?? null;
    this.position = told.position ?? null;
    this.part = told.part ?? null;
    this.status = status;
  }
}

const EXAMPLES = 4;

/** @typedef {import("../static/state.js").State} State */
/** @typedef {{columns: any[], values: Map<string, import("./expression.js").Values>, rows: number[]}} View */

/** Pictures stand in the file once, whatever the number of rows that show them. @param {any} cell @param {string[]} pictures */
function unpack(cell, pictures) {
  if (Array.isArray(cell)) cell.forEach((one) => unpack(one, pictures));
  if (cell?.$ === "list" || cell?.$ === "dict") unpack(cell.v, pictures);
  if (cell?.$ !== "image") return;
  if (cell.src !== null) cell.src = pictures[cell.src];
  for (const mask of Object.values(cell.masks)) if (mask.src !== null) mask.src = pictures[mask.src];
}

export class Api {
  constructor() {
    this.file = JSON.parse(byId("file-data").textContent);
    unpack(this.file.cells, this.file.pictures);
    this.all = this.file.rows.map((/** @type {number} */ _, /** @type {number} */ at) => at);
    this.places = new Map(this.file.rows.map((/** @type {number} */ number, /** @type {number} */ at) => [number, at]));
    this.stored = new Map(this.file.columns.map((/** @type {any} */ column, /** @type {number} */ at) => [column.name, valuesOf(this.file.cells[at], kindOf(column), column.type)]));
    /** @type {Map<string, View>} */
    this.views = new Map();
  }

  renew() {}

  /** @param {string} _query */
  async keep(_query) {
    return "file";
  }

  /**
   * @param {string} what
   * @param {[string, any][]} pairs
   * @returns {Promise<any>}
   */
  async get(what, pairs) {
    const answers = /** @type {Record<string, any>} */ ({ rows: this.rows, check: this.check, facets: this.facets, groups: this.groups, values: this.values, cell: this.cell });
    if (!Object.hasOwn(answers, what)) throw new ApiError({ code: "file-only", message: "a file cannot do that: open the table with art serve" }, 400);
    const state = parse(pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join("&"));
    return answers[what].call(this, state, Object.fromEntries(pairs));
  }

  /** @param {State} state @returns {View} */
  view(state) {
    const key = JSON.stringify([state.where, state.sort, state.compute, state.among]);
    let view = this.views.get(key);
    if (!view) {
      view = this.selected(state);
      this.views.set(key, view);
      if (this.views.size > 20) this.views.delete(/** @type {string} */ (this.views.keys().next().value));
    }
    return view;
  }

  /** @param {State} state @returns {View} */
  selected(state) {
    const values = new Map(this.stored);
    const columns = [...this.file.columns];
    state.compute.forEach(([name, text], at) => {
      const found = this.placed(`compute:${at}`, () => parseValue(text, values));
      if (values.has(name)) throw new ApiError({ code: "columns-invalid", message: `there is a column ${JSON.stringify(name)} already` }, 400);
      const cells = this.all.map((/** @type {number} */ row) => toCell(found.at(row), found.kind));
      const role = ["number", "text", "bool", "time"].includes(found.kind) ? found.kind : "other";
      columns.push({ name, type: found.kind === "number" ? "float64" : found.kind, role, kind: role === "other" ? "any" : role, computed: true });
      values.set(name, valuesOf(cells, /** @type {any} */ (found.kind), found.kind === "number" ? "float64" : found.kind));
    });
    const tests = state.where.map((text, at) => this.placed(`where:${at}`, () => parseCondition(text, values)));
    const among = state.among === null ? null : new Set(numbersOf(state.among));
    const rows = this.all.filter((/** @type {number} */ row) => (!among || among.has(this.file.rows[row])) && tests.every((test) => test(row)));
    const keys = state.sort.map((key) => {
      const column = values.get(key.column);
      if (!column || ["list", "dict", "other"].includes(column.kind)) throw new ApiError({ code: "columns-invalid", message: `a file cannot be sorted by ${JSON.stringify(key.column)}` }, 400);
      return { values: column.values, sign: key.descending ? -1 : 1 };
    });
    if (keys.length) rows.sort((/** @type {number} */ a, /** @type {number} */ b) => ordered(keys, a, b));
    return { columns, values, rows };
  }

  /** @template T @param {string} part @param {() => T} run @returns {T} */
  placed(part, run) {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      throw new ApiError({ code: "expression-invalid", message: error.message, position: error.position, part }, 400);
    }
  }

  /** @param {View} view @param {string} [only] @returns {any[]} */
  chosen(view, only) {
    if (only === undefined) return view.columns;
    return JSON.parse(only).map((/** @type {string} */ name) => view.columns.find((column) => column.name === name)).filter(Boolean);
  }

  /** @param {State} state @param {Record<string, any>} asked */
  rows(state, asked) {
    const view = this.view(state);
    const columns = this.chosen(view, asked.only);
    let start = state.start;
    let chosen = view.rows.slice(start, start + Number(asked.count ?? 100));
    /** @type {(number|null)[]} */
    let places = [];
    if (asked.numbers !== undefined) {
      chosen = JSON.parse(asked.numbers).map((/** @type {number} */ number) => this.places.get(number)).filter((/** @type {any} */ at) => at !== undefined);
      if (!chosen.length) throw new ApiError({ code: "value-invalid", message: `row ${JSON.parse(asked.numbers)[0]} is not in this file` }, 400);
      places = chosen.map((row) => (view.rows.includes(row) ? view.rows.indexOf(row) : null));
      start = 0;
    }
    return {
      start,
      matching: view.rows.length,
      total: this.all.length,
      rows: chosen.map((row) => this.file.rows[row]),
      columns,
      cells: columns.map((column) => chosen.map((row) => view.values.get(column.name)?.cells[row])),
      places,
      told: [],
    };
  }

  /** @param {State} state */
  check(state) {
    try {
      return { error: null, columns: this.view(state).columns };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { error: { code: error.code, message: error.message, hint: error.hint, position: error.position, part: error.part }, columns: null };
    }
  }

  /** @param {State} state @param {Record<string, any>} asked */
  facets(state, asked) {
    const view = this.view(state);
    return { facets: this.chosen(view, asked.only).map((column) => facetOf(column.name, /** @type {any} */ (view.values.get(column.name)), this.all, view.rows)) };
  }

  /** @param {State} state @param {Record<string, any>} asked */
  groups(state, asked) {
    const view = this.view({ ...state, sort: [] });
    const keys = state.group.map((name) => view.values.get(name));
    if (!keys.length || keys.some((key) => !key || ["list", "dict", "other"].includes(key.kind))) throw new ApiError({ code: "columns-invalid", message: "a file cannot be grouped by that" }, 400);
    const groups = grouped(/** @type {any} */ (keys), view.rows);
    groups.sort((a, b) => (asked.order === "count" ? b.rows.length - a.rows.length : 0) || ordered(/** @type {any} */ (keys.map((key) => ({ values: key?.values, sign: 1 }))), a.rows[0], b.rows[0]));
    const columns = this.chosen(view, asked.only).filter((column) => !state.group.includes(column.name));
    const plain = columns.filter((column) => column.role !== "media");
    const bins = new Map(plain.map((column) => [column.name, binsOf(/** @type {any} */ (view.values.get(column.name)))]));
    const shown = groups.slice(state.start, state.start + Number(asked.count ?? 50));
    return {
      start: state.start,
      total: groups.length,
      matching: view.rows.length,
      by: state.group.map((name) => view.columns.find((column) => column.name === name)),
      edges: Object.fromEntries([...bins].map(([name, one]) => [name, one.edges])),
      approximate: false,
      groups: shown.map(({ rows }) => ({
        key: keys.map((key) => key?.cells[rows[0]]),
        count: rows.length,
        rows: rows.slice(0, EXAMPLES).map((row) => this.file.rows[row]),
        summaries: plain.map((column) => summaryOf(column.name, /** @type {any} */ (view.values.get(column.name)), rows, /** @type {any} */ (bins.get(column.name)))),
        examples: Object.fromEntries(columns.filter((column) => column.role === "media").map((column) => [column.name, rows.slice(0, EXAMPLES).map((row) => view.values.get(column.name)?.cells[row])])),
      })),
    };
  }

  /** @param {State} state @param {Record<string, any>} asked */
  values(state, asked) {
    const view = this.view(state);
    const column = view.values.get(asked.column);
    const prefix = String(asked.prefix ?? "").toLowerCase();
    if (!column || ["list", "dict", "other"].includes(column.kind)) return { column: asked.column, values: [] };
    const rows = prefix ? view.rows.filter((row) => lineOf(column.cells[row]).toLowerCase().startsWith(prefix)) : view.rows;
    return { column: asked.column, values: topValues(column, rows, Number(asked.count ?? 20)) };
  }

  /** @param {State} state @param {Record<string, any>} asked */
  cell(state, asked) {
    const view = this.view(state);
    const cell = view.values.get(asked.column)?.cells[this.places.get(Number(asked.number)) ?? -1];
    const text = typeof cell === "string" ? cell : cell?.$ === "text" ? `${cell.v}\n… of ${cell.length} characters; the others are not in this file` : null;
    const points = text === null ? [] : [...text].slice(Number(asked.offset ?? 0));
    return { number: Number(asked.number), cell, text: text === null ? undefined : { offset: Number(asked.offset ?? 0), length: [...text].length, v: points.join("") } };
  }
}

/** @param {any} value @param {string} kind */
function toCell(value, kind) {
  if (typeof value === "bigint") return { $: "number", v: String(value) };
  if (typeof value === "number" && !Number.isFinite(value)) return { $: "number", v: Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf" };
  if (value !== null && (kind === "time" || kind === "clock")) return { $: "time", v: value };
  return value;
}

/** @param {{values: any[], sign: number}[]} keys @param {number} a @param {number} b null last, both ways */
function ordered(keys, a, b) {
  for (const { values, sign } of keys) {
    const [one, two] = [values[a], values[b]];
    if (one === null || two === null) {
      if (one !== two) return one === null ? 1 : -1;
      continue;
    }
    const order = compare(one, two);
    if (order) return sign * order;
  }
  return a - b;
}

/** @param {{values: any[]}[]} keys @param {number[]} rows @returns {{rows: number[]}[]} */
function grouped(keys, rows) {
  /** @type {Map<any, any>} */
  const first = new Map();
  const groups = [];
  for (const row of rows) {
    let level = first;
    keys.slice(0, -1).forEach(({ values }) => {
      if (!level.has(values[row])) level.set(values[row], new Map());
      level = level.get(values[row]);
    });
    const last = keys[keys.length - 1].values[row];
    let group = level.get(last);
    if (!group) {
      group = { rows: [] };
      level.set(last, group);
      groups.push(group);
    }
    group.rows.push(row);
  }
  return groups;
}

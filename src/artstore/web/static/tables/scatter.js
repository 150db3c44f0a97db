// @ts-check
// Rows of a table as points above it: what a lasso goes around becomes a condition.

import { exportItems } from "../charts/plot.js";
import { ScatterChart } from "../charts/scatter.js";
import { quoted } from "../conditions.js";
import { grouped, h } from "../dom.js";
import { menu, openPopup } from "../popup.js";
import { selectionPairs } from "../state.js";

const CORNERS_MAX = 16;
const HEIGHT = 300;

/**
 * The condition that a point lies in an outline: it crosses the outline an odd number of times.
 * @param {string} x what a place is made of, as conditions write it
 * @param {string} y
 * @param {number[][]} outline
 */
export function inside(x, y, outline) {
  const n = (/** @type {number} */ value) => String(Number(value.toPrecision(9)));
  const all = (/** @type {number} */ at) => outline.map((one) => one[at]);
  const crossings = [];
  outline.forEach(([x1, y1], at) => {
    const [x2, y2] = outline[(at + 1) % outline.length];
    if (n(y1) === n(y2)) return;
    const [low, high] = y1 < y2 ? [y1, y2] : [y2, y1];
    crossings.push(`(${y} >= ${n(low)} AND ${y} < ${n(high)} AND ${x} < ${n(x1)} + (${y} - ${n(y1)}) * ${n((x2 - x1) / (y2 - y1))})`.replaceAll("- -", "+ "));
  });
  const within = (/** @type {string} */ name, /** @type {number} */ at) => `${name} BETWEEN ${n(Math.min(...all(at)))} AND ${n(Math.max(...all(at)))}`;
  return `${within(x, 0)} AND ${within(y, 1)} AND (${crossings.join(" != ")})`;
}

class TableScatter {
  /** @param {any} page */
  constructor(page) {
    this.page = page;
    this.asked = 0;
    /** The condition that is ours, while it holds. @type {string|null} */
    this.own = null;
    this.selection = "";
    /** @type {number[]} */
    this.rows = [];
    const select = (/** @type {string} */ label) => h("select", { "aria-label": label, onchange: () => this.load() });
    [this.x, this.y, this.colour] = [select("Across"), select("Up"), select("Colour by")];
    this.yLabel = h("label", null, "Up ", this.y);
    this.told = h("span", { class: "quiet", role: "status" });
    this.failed = h("p", { class: "note", hidden: true });
    const tools = h("div", { class: "chart-tools" },
      h("label", null, "Across ", this.x), this.yLabel, h("label", null, "Colour by ", this.colour), this.told,
      h("button", { type: "button", "aria-haspopup": "menu", onclick: (/** @type {any} */ event) => openPopup(event.currentTarget, menu("Keep the points", exportItems(this.chart))) }, "Keep"),
      h("button", { type: "button", onclick: () => this.close() }, "Close"));
    this.host = h("div");
    this.element = h("section", { class: "table-scatter", "aria-label": "Rows as points" }, tools, this.failed, this.host);
    page.host.before(this.element);
    this.chart = new ScatterChart(this.host, { height: HEIGHT, noun: "row", cornersMax: CORNERS_MAX, onSelect: (/** @type {any} */ _found, /** @type {any} */ outline, /** @type {boolean} */ isMore) => this.choose(outline, isMore), onPick: (/** @type {number} */ at) => page.openNumber(this.rows[at]) });
    const apply = page.apply;
    page.apply = (/** @type {any} */ before) => {
      apply.call(page, before);
      this.changed();
    };
  }

  /** @param {string} name of a column */
  open(name) {
    const numbers = this.page.columns.filter((/** @type {any} */ one) => one.role === "number").map((/** @type {any} */ one) => one.name);
    const pairs = this.page.columns.filter((/** @type {any} */ one) => /^(array<.*, 2>|list<)/.test(one.type)).map((/** @type {any} */ one) => one.name);
    const colours = this.page.columns.filter((/** @type {any} */ one) => ["number", "text", "bool"].includes(one.role)).map((/** @type {any} */ one) => one.name);
    const fill = (/** @type {any} */ box, /** @type {string[]} */ names) => box.replaceChildren(...names.map((one) => h("option", { value: one }, one || "nothing")));
    fill(this.x, [...pairs, ...numbers]);
    fill(this.y, numbers);
    fill(this.colour, ["", ...colours]);
    this.pairs = new Set(pairs);
    this.x.value = name;
    // Two numbers that stand beside each other are often meant together.
    this.y.value = numbers[numbers.indexOf(name) + 1] ?? numbers[0] ?? "";
    this.element.hidden = false;
    this.load();
    this.x.focus();
  }

  close() {
    this.element.hidden = true;
    this.asked += 1;
    this.page.fit();
    this.page.focusGrid();
  }

  get isPair() {
    return !!this.pairs?.has(this.x.value);
  }

  others() {
    return this.page.state.where.filter((/** @type {string} */ text) => text !== this.own);
  }

  pointPairs() {
    return selectionPairs({ ...this.page.state, where: this.others(), sort: [] });
  }

  /** Another view has other points, but for our own condition. */
  changed() {
    if (this.element.hidden) return;
    if (this.own && !this.page.state.where.includes(this.own)) {
      this.own = null;
      this.chart.select(null);
    }
    if (JSON.stringify(this.pointPairs()) !== this.selection) this.load();
  }

  async load() {
    const mine = (this.asked += 1);
    const { page } = this;
    this.yLabel.hidden = this.isPair;
    const pairs = this.pointPairs();
    this.selection = JSON.stringify(pairs);
    try {
      const found = await page.api.get("points", [...pairs, ["x", this.x.value], ...(this.isPair ? [] : [["y", this.y.value]]), ...(this.colour.value ? [["colour", this.colour.value]] : [])], { free: true });
      if (mine !== this.asked) return;
      this.failed.hidden = true;
      this.rows = found.rows;
      const [xName, yName] = this.isPair ? [`${this.x.value}[1]`, `${this.x.value}[2]`] : [this.x.value, this.y.value];
      this.chart.configure({ xName, yName, colourName: this.colour.value });
      this.chart.set({ x: found.x, y: found.y, colours: found.colours, labels: found.rows.map((/** @type {number} */ row) => `row ${row}`) });
      const count = found.rows.length;
      this.told.textContent = count < found.matching ? `${grouped(count)} of ${grouped(found.matching)} rows are drawn; a lasso is meant of all` : `${grouped(count)} rows`;
    } catch (error) {
      if (mine !== this.asked) return;
      this.failed.textContent = /** @type {Error} */ (error).message;
      this.failed.hidden = false;
    }
    page.fit();
  }

  /** @param {number[][]|null} outline in values @param {boolean} isMore whether what was chosen stays */
  choose(outline, isMore) {
    const rest = this.others();
    const name = quoted(this.x.value);
    const [x, y] = this.isPair ? [`${name}[1]`, `${name}[2]`] : [name, quoted(this.y.value)];
    const text = outline && outline.length > 2 ? inside(x, y, outline) : null;
    this.own = text && isMore && this.own ? `(${this.own}) OR (${text})` : text;
    this.page.change({ where: this.own ? [...rest, this.own] : rest, start: 0 }, true);
  }
}

/** @type {TableScatter|null} */
let shown = null;

document.addEventListener("artstore-scatter", async (event) => {
  const { page, name } = /** @type {CustomEvent} */ (event).detail;
  if (!shown) {
    const sheet = h("link", { rel: "stylesheet", href: page.links.charts });
    await new Promise((done) => {
      sheet.addEventListener("load", done);
      sheet.addEventListener("error", done);
      document.head.append(sheet);
    });
    shown ??= new TableScatter(page);
  }
  shown.open(name);
});

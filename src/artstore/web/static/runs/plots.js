// @ts-check
// Config against summary of the runs that are listed: points, or a line for each run through many
// axes. What is chosen in a chart becomes a condition of the list, which can be taken away again.

import { LOG_FROM, ParallelCoordinates } from "../charts/parallel.js";
import { ScatterChart } from "../charts/scatter.js";
import { byId, grouped, h } from "../dom.js";
import { boxOf, idsOf, rangesOf } from "./ranges.js";

const AXES_MAX = 30;
const FIRST_AXES = 6;

class Plots {
  /** @param {any} page @param {HTMLElement} host */
  constructor(page, host) {
    [this.page, this.host] = [page, host];
    /** @type {any} */
    this.chart = null;
    this.kind = "";
    /** What the list is filtered by from here. @type {string[]} */
    this.own = [];
    /** @type {any} */
    this.told = null;
    this.asked = 0;
    this.status = h("p", { class: "quiet", role: "status" });
    this.tools = h("div", { class: "plots-tools" });
    this.frame = h("div", { class: "plots-host" });
    host.classList.add("runs-plots");
    host.setAttribute("role", "region");
    host.setAttribute("aria-label", "Chart of the runs");
    host.replaceChildren(this.tools, this.status, this.frame);
  }

  /** The buttons that open and close it. */
  buttons() {
    const kind = this.page.query.get("plot") ?? "";
    return [["scatter", "Scatter"], ["parallel", "Parallel axes"]].map(([name, label]) =>
      h("button", { type: "button", "aria-pressed": String(kind === name), "data-key": `plot:${name}`, onclick: () => this.open(kind === name ? "" : name) }, label));
  }

  /** @param {string} kind */
  open(kind) {
    this.set({ plot: kind });
  }

  /** Another chart, or other axes: the list stays as it is. @param {Record<string, string>} parts */
  set(parts) {
    return this.page.change((/** @type {URLSearchParams} */ query) => {
      for (const [name, value] of Object.entries(parts)) {
        if (value) query.set(name, value);
        else query.delete(name);
      }
    }, { rows: this.page.state.isGrouped ? [] : this.page.ids });
  }

  /** The names of the axes: those of the address, else columns that are shown. */
  axes() {
    const { query } = this.page;
    const columns = this.page.state.columns.filter((/** @type {string} */ name) => /^(config|summary)\./.test(name));
    const [config, summary] = ["config", "summary"].map((section) => columns.filter((/** @type {string} */ name) => name.startsWith(`${section}.`)));
    if (this.kind === "parallel") {
      const asked = query.getAll("axes").flatMap((/** @type {string} */ text) => split(text));
      return asked.length ? asked.slice(0, AXES_MAX) : [...config.slice(0, FIRST_AXES / 2), ...summary.slice(0, FIRST_AXES / 2)];
    }
    const x = query.get("x") || config[0] || "created";
    const y = query.get("y") || summary[0] || "duration";
    const colour = query.get("colour") ?? "";
    return colour ? [x, y, colour] : [x, y];
  }

  /** The view of the list has changed. */
  async changed() {
    const { page } = this;
    const conditions = page.query.getAll("where");
    // Who takes the condition away by its chip takes the choice away.
    const isCleared = this.own.some((text) => !conditions.includes(text));
    if (isCleared) this.own = [];
    this.kind = page.query.get("plot") ?? "";
    const isOpen = ["scatter", "parallel"].includes(this.kind);
    this.host.hidden = !isOpen;
    if (!isOpen) return;
    const axes = this.axes();
    const query = page.query;
    for (const name of ["where", "plot", "x", "y", "colour", "axes", "columns", "page", "run", "group", "open"]) query.delete(name);
    for (const text of conditions) if (!this.own.includes(text)) query.append("where", text);
    for (const name of axes) query.append("axis", name);
    query.set("show", "points");
    const asked = `${this.kind} ${query}`;
    this.choices(axes);
    if (asked === this.last && !isCleared) return;
    this.asked += 1;
    const mine = this.asked;
    try {
      const answer = await fetch(`${page.links.api}?${query}`, { headers: { Accept: "application/json" } });
      const told = await answer.json();
      if (mine !== this.asked) return;
      if (!answer.ok) throw new Error(told.error?.message ?? "the server cannot tell the values");
      this.last = asked;
      this.told = told;
      this.show();
    } catch (error) {
      if (mine !== this.asked) return;
      this.last = "";
      this.chart?.destroy();
      this.chart = null;
      this.frame.replaceChildren();
      this.status.textContent = /** @type {Error} */ (error).message;
    }
  }

  show() {
    const { told, kind, page } = this;
    this.status.textContent = told.is_cut ? `The first ${grouped(told.runs.length)} of ${grouped(told.matching)} runs are drawn.` : "";
    this.chart?.destroy();
    const labels = told.names.map((/** @type {string|null} */ name, /** @type {number} */ at) => name || told.runs[at]);
    const onPick = (/** @type {number} */ at) => page.ticks.toggle(told.runs[at]);
    const [x, y, colour] = told.axes;
    if (kind === "parallel") {
      this.chart = new ParallelCoordinates(this.frame, { title: "Runs over their values", noun: "run", height: 340, onPick, onSelect: (/** @type {number[]|null} */ indices) => this.filter(indices && rangesOf(this.chart, told.axes)) });
      this.chart.set({ axes: told.axes.map((/** @type {any} */ axis) => ({ name: axis.name, values: axis.values.map(plain) })), labels });
    } else {
      const [xs, ys] = [numbers(x), numbers(y)];
      const [logX, logY] = [spans(xs), spans(ys)];
      this.chart = new ScatterChart(this.frame, {
        logX, logY, xKind: kindOf(x.name), yKind: kindOf(y.name), title: `${y.name} over ${x.name}`, xName: x.name, yName: y.name, colourName: colour?.name, noun: "run", height: 340, onPick,
        onSelect: (/** @type {number[]|null} */ indices) => this.filter(indices && ((this.chart.options.mode === "box" ? null : idsOf(told, indices)) ?? boxOf([x, y], indices))),
      });
      this.chart.set({ x: xs, y: ys, colours: colour ? colour.values.map(plain) : told.states, labels });
    }
  }

  /** Only what was chosen in the chart is listed; null: all again. @param {string[]|null} conditions */
  filter(conditions) {
    const before = this.own;
    this.own = conditions ?? [];
    this.page.change((/** @type {URLSearchParams} */ query) => {
      const kept = query.getAll("where").filter((/** @type {string} */ text) => !before.includes(text));
      query.delete("where");
      query.delete("page");
      for (const text of [...kept, ...this.own]) query.append("where", text);
    });
  }

  /** What is ticked in the list. @param {string[]} ids */
  choose(ids) {
    this.status.dataset.chosen = String(ids.length);
  }

  /** @param {string[]} axes */
  choices(axes) {
    const made = JSON.stringify([this.kind, axes]);
    if (made === this.made) return;
    this.made = made;
    /** @param {string} label @param {string} value @param {(value: string) => void} done @param {string} [hint] */
    const field = (label, value, done, hint = "") => h("label", null, `${label} `, h("input", { value, placeholder: hint, list: "plots-names", spellcheck: "false", autocomplete: "off", onchange: (/** @type {Event} */ event) => done(/** @type {HTMLInputElement} */ (event.target).value.trim()) }));
    const [x, y, colour] = axes;
    this.tools.replaceChildren(...(this.kind === "parallel"
      ? [
        ...axes.map((name, at) => h("span", { class: "chip" }, h("bdi", null, name), " ", h("button", { type: "button", class: "bare", "aria-label": `Remove the axis ${name}`, onclick: () => this.set({ axes: axes.filter((_, other) => other !== at).join(",") }) }, "×"))),
        field("Add axis", "", (value) => value && this.set({ axes: [...axes, value].join(",") }), "config.lr"),
      ]
      : [
        field("Horizontal", x, (value) => this.set({ x: value })),
        field("Vertical", y, (value) => this.set({ y: value })),
        field("Colour", colour ?? "", (value) => this.set({ colour: value }), "state"),
      ]), this.list ?? "");
    this.names();
  }

  /** All keys there are, for completion. */
  async names() {
    if (this.list) return;
    this.list = h("datalist", { id: "plots-names" });
    this.tools.append(this.list);
    const answer = await fetch(`${this.page.links.api}?show=columns`).catch(() => null);
    if (!answer?.ok) return;
    const told = await answer.json();
    this.list.replaceChildren(...[...told.keys, ...told.facts].map((/** @type {any} */ one) => h("option", { value: one.name })));
  }
}

/** Names between commas; a comma in quotation marks is part of a name. @param {string} text */
function split(text) {
  return (text.match(/(?:"(?:[^"]|"")*"|[^",])+/g) ?? []).map((name) => name.trim()).filter(Boolean);
}

/** What is cut is its beginning; objects are text. @param {any} value */
function plain(value) {
  if (value === null || typeof value !== "object") return value;
  return "$" in value ? `${value.v}…` : JSON.stringify(value);
}

/** @param {string} name of an axis */
const kindOf = (name) => (name === "created" || name === "updated" ? "time" : name === "duration" ? name : undefined);

/** Times as numbers. @param {{name: string, values: any[]}} axis */
function numbers({ name, values }) {
  if (kindOf(name) === "time") return values.map((value) => (value ? Date.parse(value) / 1000 : null));
  return values.map((value) => (typeof value === "boolean" ? Number(value) : plain(value)));
}

/** Whether only a log axis shows them apart, as axes beside each other have it. @param {any[]} values */
function spans(values) {
  const known = values.filter((one) => Number.isFinite(one));
  const [low, high] = known.reduce(([least, most], one) => [Math.min(least, one), Math.max(most, one)], [Infinity, -Infinity]);
  return low > 0 && high / low >= LOG_FROM;
}

/** @param {any} page @param {HTMLElement} host */
export function mountPlots(page, host) {
  return new Plots(page, host ?? byId("runs-plots"));
}

// @ts-check
// Panels that are no lines: a note, one metric over another, runs side by side, histograms.

import { HistogramHistory } from "../charts/histories.js";
import { ParallelCoordinates } from "../charts/parallel.js";
import { ScatterChart } from "../charts/scatter.js";
import { h } from "../dom.js";

const HEIGHT = 240;

/** @param {any} view @param {(host: HTMLElement) => any} make a chart, if there is none */
function chartOf(view, make) {
  view.chart ??= make(view.host);
  return view.chart;
}

/** @type {Record<string, (view: any, told: any) => void>} */
const DRAWERS = {
  text: (view) => view.host.replaceChildren(h("p", { class: "panel-text", dir: "auto" }, view.panel.text ?? "")),

  scatter: (view, told) => {
    const { keys } = view.panel;
    if (keys.length < 2) return view.say("It needs two metrics: the axis, and what stands over it.");
    const { look, board } = view;
    const chart = chartOf(view, (host) => new ScatterChart(host, { title: view.title, height: HEIGHT, noun: "step" }));
    chart.configure({ xName: keys[0], yName: keys.length === 2 ? keys[1] : "", logX: look.logX, logY: look.logY });
    const isMany = board.runs.length > 1 || keys.length > 2;
    /** @type {{x: any[], y: any[], colours: any[]}} */
    const points = { x: [], y: [], colours: [] };
    for (const one of told.series) {
      const name = board.runs.find((/** @type {any} */ run) => run.id === one.run)?.name ?? one.run;
      const label = keys.length > 2 ? (board.runs.length > 1 ? `${name} · ${one.key}` : one.key) : name;
      for (const x of one.x) points.x.push(x);
      for (const y of one.y) {
        points.y.push(y);
        points.colours.push(label);
      }
    }
    return chart.set({ x: points.x, y: points.y, colours: isMany ? points.colours : null });
  },

  parallel: (view) => {
    const { board, panel } = view;
    const runs = board.runs.filter((/** @type {any} */ run) => run.values);
    if (!runs.length || !panel.keys.length) return view.say("It compares several runs: open it on their page.");
    const chart = chartOf(view, (host) => new ParallelCoordinates(host, { title: view.title, height: HEIGHT, colourBy: panel.keys.at(-1) }));
    return chart.set({ axes: panel.keys.map((/** @type {string} */ name) => ({ name, values: runs.map((/** @type {any} */ run) => run.values[name] ?? null) })), labels: runs.map((/** @type {any} */ run) => run.name) });
  },

  histogram: (view, told) => {
    if (!told.runs) return view.say("It needs a metric whose values are histograms.");
    if (!told.runs.length) return view.say("None of the runs has such histograms yet.");
    if (told.isCut) view.say(`Of these runs the first ${told.runs.length} that have such histograms are drawn.`);
    // Of several runs it is to be seen whose it is, also of one alone.
    const isNamed = view.board.runs.length > 1;
    view.chart ??= new Histories(view.host, view.title, isNamed);
    view.element.classList.toggle("is-named", isNamed);
    view.element.classList.toggle("is-stack", told.runs.length > 1);
    return view.chart.set(told.runs);
  },
};

/** Of several runs one chart below the other. */
class Histories {
  /** @param {HTMLElement} host @param {string} title @param {boolean} isNamed */
  constructor(host, title, isNamed) {
    this.host = host;
    this.isNamed = isNamed;
    this.title = title;
    /** @type {Map<string, HistogramHistory>} */
    this.charts = new Map();
  }

  /** @param {{id: string, name: string, data: any}[]} runs */
  set(runs) {
    for (const { id, name, data } of runs) {
      const known = this.charts.get(id) ?? new HistogramHistory(this.host, { height: HEIGHT, xName: "step", title: this.isNamed ? `${this.title} · ${name}` : this.title });
      this.charts.set(id, known);
      known.set(data);
    }
  }

  configure() {}

  /** For a menu: the first one. */
  get first() {
    return [...this.charts.values()][0];
  }

  destroy() {
    for (const chart of this.charts.values()) chart.destroy();
  }
}

/**
 * @param {any} view the panel
 * @param {any} told what was fetched for it
 */
export function drawOther(view, told) {
  DRAWERS[view.panel.kind]?.(view, told);
}

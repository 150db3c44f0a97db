// @ts-check
// One panel of a board: empty until somebody sees it, then a chart of what it is told.

import { LineChart } from "../charts/line.js";
import { lookOf } from "../charts/palette.js";
import { exportItems } from "../charts/plot.js";
import { h } from "../dom.js";
import { drawOther } from "./kinds.js";
import { AGAIN, isPassing } from "./live.js";
import { menu, openPopup } from "../popup.js";

const HEIGHT = 220;
const NAMES = { _step: "step", _timestamp: "time", _relative: "seconds since the start" };

/** @typedef {import("./state.js").Panel} Panel */

export class PanelView {
  /**
   * @param {any} board
   * @param {Panel} panel
   * @param {string} section
   */
  constructor(board, panel, section) {
    this.board = board;
    this.panel = panel;
    this.section = section;
    this.isSeen = false;
    /** Whether what it shows is of an earlier moment. */
    this.isStale = true;
    /** @type {any} */
    this.chart = null;
    /** @type {[number, number]|null} */
    this.zoom = null;
    /** @type {any} */
    this.told = null;
    const name = this.title;
    this.handle = h("button", { type: "button", class: "panel-handle", "aria-label": `Move ${name}`, title: "Drag, or press the arrow keys" }, "⠿");
    this.more = h("button", { type: "button", class: "panel-more", "aria-haspopup": "menu", "aria-label": `Menu of ${name}`, onclick: () => this.openMenu() }, "⋯");
    this.host = h("div", { class: "panel-host" });
    this.error = h("p", { class: "quiet", role: "status", hidden: true });
    this.element = h("article", { class: "panel", "aria-label": name, tabindex: -1 }, h("header", null, this.handle, h("h4", null, h("bdi", null, name)), this.more), this.error, this.host);
    this.handle.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      board.shift(this, by);
    });
    board.drags(this);
  }

  get title() {
    const { title, keys, kind } = this.panel;
    return title || keys.join(", ") || (kind === "text" ? "Note" : "Empty panel");
  }

  get look() {
    const look = this.board.state.lookOf(this.panel);
    // Samples of a machine have no steps.
    return this.board.kind === "system" && look.x === "_step" ? { ...look, x: "_relative" } : look;
  }

  get isLine() {
    return this.panel.kind === "line";
  }

  /** What it wants of the next request; null: nothing. */
  get wanted() {
    const { look, panel, zoom } = this;
    if (!panel.keys.length || !["line", "scatter"].includes(panel.kind)) return null;
    if (panel.kind === "scatter") return panel.keys.length < 2 ? null : { keys: panel.keys.slice(1), x: panel.keys[0], from: null, to: null, group: "" };
    return { keys: panel.keys, x: look.x, from: zoom ? zoom[0] : null, to: zoom ? zoom[1] : null, group: look.group };
  }

  openMenu() {
    const { board, panel } = this;
    const kept = this.chart?.first ?? this.chart;
    openPopup(this.more, menu(`Panel ${this.title}`, [
      ["Settings…", () => board.edit(this)],
      ["Move to the front", () => board.place(this, 0)],
      ["Move back by one", () => board.shift(this, -1)],
      ["Move on by one", () => board.shift(this, 1)],
      panel.key === undefined ? null : ["Copy to the top", () => board.copy(this)],
      ["Remove", () => board.remove(this)],
      ...(kept?.toCsv ? ["Keep", .../** @type {[string, () => void][]} */ (exportItems(kept))] : []),
    ]));
  }

  /** It came into sight, or went far out of it. @param {boolean} isSeen */
  see(isSeen) {
    this.isSeen = isSeen;
    if (isSeen && this.isStale) this.board.ask(this);
  }

  /** What a chart holds in memory is let go. */
  rest() {
    this.chart?.destroy?.();
    this.chart = null;
    this.host.replaceChildren();
    this.isStale = true;
  }

  /** @param {any} told of a request */
  take(told) {
    this.isStale = false;
    this.error.hidden = true;
    this.told = told;
    if (!this.isLine) return void drawOther(this, told);
    const { look } = this;
    const options = { title: this.title, height: HEIGHT, logX: look.logX, logY: look.logY, smoothing: look.smoothing, xName: NAMES[/** @type {"_step"} */ (look.x)] ?? look.x, xKind: look.x === "_timestamp" ? "time" : undefined };
    if (this.chart) this.chart.configure(options);
    else this.chart = new LineChart(this.host, { ...options, zoom: this.zoom, onZoom: (/** @type {number|null} */ from, /** @type {number|null} */ to) => this.zoomed(from, to) });
    const series = this.series(told);
    // The title names a line that is alone, unless it may be of any run.
    this.element.classList.toggle("is-single", series.length < 2 && this.board.runs.length < 2);
    this.chart.set(series);
  }

  /** @param {any} error */
  fail(error) {
    this.say(error.hint ? `${error.message}. ${error.hint}` : error.message);
    if (isPassing(error)) window.setTimeout(() => this.retry(), AGAIN);
  }

  retry() {
    if (!this.isStale || !this.element.isConnected) return;
    if (document.hidden) window.setTimeout(() => this.retry(), AGAIN);
    else if (this.isSeen) this.board.ask(this);
  }

  /** @param {string} text in place of a chart */
  say(text) {
    this.error.hidden = false;
    this.error.textContent = text;
  }

  /** @param {number|null} from @param {number|null} to */
  zoomed(from, to) {
    this.zoom = from === null || to === null ? null : [from, to];
    this.isStale = true;
    this.board.ask(this);
  }

  /** The same numbers, another look. */
  restyle() {
    if (this.chart && this.told && this.isLine) this.take(this.told);
  }

  /** @param {{series: any[], groups: any[]}} told */
  series(told) {
    const { runs } = this.board;
    const { keys } = this.panel;
    const isMany = keys.length > 1;
    if (told.groups.length) {
      return told.groups.map((one, at) => ({ id: `${one.group} ${one.key}`, label: isMany ? `${one.group} · ${one.key}` : String(one.group), ...lookOf(at), x: one.x, y: one.mean, low: one.low, high: one.high }));
    }
    return told.series.map((one) => {
      const run = runs.find((/** @type {any} */ known) => known.id === one.run);
      const name = run?.name ?? one.run;
      const slot = run?.slot ?? 0;
      const at = keys.indexOf(one.key);
      // Of one run the keys differ; of several, the colour is the run's and the dash the key's.
      const look = runs.length < 2 ? lookOf(at) : isMany ? { ...lookOf(slot), dash: at % 6 } : lookOf(slot);
      const label = runs.length < 2 ? one.key : isMany ? `${name} · ${one.key}` : name;
      return { id: `${one.run} ${one.key}`, label, ...look, x: one.x, y: one.y };
    });
  }
}

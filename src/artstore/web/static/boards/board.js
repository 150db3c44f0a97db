// @ts-check
// A board of panels of charts: in sections by the prefixes of keys, drawn where somebody looks, live.

import { BoardData } from "./data.js";
import { addPanel, editPanel, openBoards, saveBoard } from "./edit.js";
import { follow } from "./live.js";
import { PanelView } from "./panel.js";
import { BoardState } from "./state.js";
import { boardTools } from "./tools.js";
import { byId, debounced, grouped, h } from "../dom.js";

const AT_ONCE = 60;
const DRAWN_MAX = 40;

/** @typedef {import("./state.js").Key} Key */
/** @typedef {import("./state.js").Section} Section */
/** @typedef {{id: string, name: string, slot: number, isLive?: boolean, values?: Record<string, any>}} Run */

/**
 * Show a board.
 * @param {HTMLElement} host
 * @param {{project: string, runs: Run[], keys: Key[], board: any, canSave: boolean, isLive: boolean, kind?: "history"|"system", groups?: string[], revision?: number|null}} given
 */
export function mountBoard(host, given) {
  return new Board(host, given);
}

export class Board {
  /** @param {HTMLElement} host @param {Parameters<typeof mountBoard>[1]} given */
  constructor(host, given) {
    this.project = given.project;
    this.runs = given.runs;
    this.keys = given.keys;
    this.canSave = given.canSave;
    this.kind = given.kind ?? "history";
    this.groups = given.groups ?? [];
    this.state = new BoardState(given.board);
    this.data = new BoardData(given.project, given.runs.map((run) => run.id), this.kind);
    this.find = "";
    /** How many panels of a section are there. @type {Map<string, number>} */
    this.counts = new Map();
    /** @type {Map<Element, PanelView>} */
    this.views = new Map();
    /** @type {Set<PanelView>} */
    this.asked = new Set();
    this.isBusy = false;
    this.frame = 0;
    // A browser takes only so many changes of an address in a while.
    this.keepSoon = debounced(() => this.keep(), 250);
    this.tools = boardTools(this);
    this.status = h("p", { class: "unseen", role: "status" });
    this.body = h("div", { class: "board-body" });
    this.watcher = new IntersectionObserver((seen) => this.seen(seen), { rootMargin: "300px 0px" });
    host.replaceChildren(this.tools.element, this.status, this.body);
    this.draw();
    const live = this.runs.filter((run) => run.isLive ?? given.isLive).map((run) => run.id);
    this.stop = given.isLive && live.length ? follow(this.project, live, (changed) => this.heard(changed), given.revision) : () => {};
  }

  destroy() {
    this.stop();
    this.watcher.disconnect();
    for (const view of this.views.values()) view.rest();
  }

  // What there is.

  /** @returns {Section[]} */
  get sections() {
    const wanted = this.find.toLowerCase();
    const sections = this.state.sections(this.keys);
    if (!wanted) return sections;
    const kept = sections.map((one) => ({ ...one, panels: one.panels.filter((panel) => [panel.title ?? "", ...panel.keys].some((text) => text.toLowerCase().includes(wanted))) }));
    return kept.filter((one) => one.panels.length);
  }

  draw() {
    const before = new Map([...this.views.values()].map((view) => [nameOf(view), view]));
    this.watcher.disconnect();
    this.views = new Map();
    const sections = this.sections;
    this.body.replaceChildren(...sections.map((section) => this.sectionElement(sections, section, before)));
    for (const view of before.values()) if (![...this.views.values()].includes(view)) view.rest();
    if (!sections.length) this.body.append(h("p", { class: "quiet" }, this.find ? "No metric has such a name." : this.kind === "system" ? "No samples of the machine were kept." : "No numbers were logged yet."));
    for (const element of this.views.keys()) this.watcher.observe(element);
    this.tools.show();
  }

  /** @param {Section[]} sections @param {Section} section @param {Map<string, PanelView>} before */
  sectionElement(sections, section, before) {
    const isOpen = this.find !== "" || this.state.isOpen(sections, section);
    const grid = h("div", { class: "board-grid" });
    const isOnly = sections.filter((one) => !one.isOwn).length === 1;
    const name = section.isOwn ? "Own panels" : section.name || (isOnly ? "Metrics" : "Other metrics");
    const element = h("details", { class: "board-section", open: isOpen }, h("summary", null, h("h3", null, h("bdi", null, name)), " ", h("span", { class: "quiet" }, grouped(section.panels.length))), grid);
    if (isOpen) this.fill(grid, section, before);
    element.addEventListener("toggle", () => {
      if (element.open === (grid.childElementCount > 0)) return;
      if (!section.isOwn && !this.find) this.state.setOpen(section.name, element.open);
      if (element.open) {
        this.fill(grid, section, new Map());
        for (const panel of grid.querySelectorAll(".panel")) this.watcher.observe(panel);
      } else this.empty(grid);
      this.keep();
    });
    return element;
  }

  /** @param {Element} grid */
  empty(grid) {
    for (const panel of grid.querySelectorAll(".panel")) {
      this.views.get(panel)?.rest();
      this.watcher.unobserve(panel);
      this.views.delete(panel);
    }
    grid.replaceChildren();
  }

  /** @param {HTMLElement} grid @param {Section} section @param {Map<string, PanelView>} before */
  fill(grid, section, before) {
    const name = section.isOwn ? "\0own" : section.name;
    const count = this.counts.get(name) ?? AT_ONCE;
    const views = section.panels.slice(0, count).map((panel) => {
      const known = before.get(JSON.stringify([panel, name]));
      if (known) known.panel = panel;
      return known ?? new PanelView(this, panel, name);
    });
    for (const view of views) this.views.set(view.element, view);
    const left = section.panels.length - views.length;
    const more = left > 0 ? h("button", { type: "button", class: "board-more", onclick: () => {
      this.counts.set(name, count + AT_ONCE);
      const first = views.length;
      this.draw();
      /** @type {HTMLElement|undefined} */ ([...this.views.values()].filter((view) => view.section === name)[first]?.element)?.focus();
    } }, `Show ${Math.min(left, AT_ONCE)} more of ${grouped(left)}`) : null;
    grid.replaceChildren(...views.map((view) => view.element), ...(more ? [more] : []));
  }

  // What is seen is asked for.

  /** @param {IntersectionObserverEntry[]} entries */
  seen(entries) {
    for (const { target, isIntersecting } of entries) this.views.get(target)?.see(isIntersecting);
    const drawn = [...this.views.values()].filter((view) => view.chart);
    for (const view of drawn.filter((one) => !one.isSeen).slice(0, Math.max(drawn.length - DRAWN_MAX, 0))) view.rest();
  }

  /** @param {PanelView} view */
  ask(view) {
    this.asked.add(view);
    this.frame ||= requestAnimationFrame(() => this.fetch());
  }

  async fetch() {
    this.frame = 0;
    if (this.isBusy) return;
    const views = [...this.asked].filter((view) => view.isSeen && view.element.isConnected);
    this.asked.clear();
    if (!views.length) return;
    this.isBusy = true;
    const asked = [];
    for (const view of views) {
      const wanted = view.wanted;
      if (wanted) asked.push({ wanted, take: (/** @type {any} */ told) => view.take(told), fail: (/** @type {any} */ error) => view.fail(error) });
      else if (view.panel.kind === "histogram" && view.panel.keys.length) this.data.histograms(this.runs, view.panel.keys[0]).then((told) => view.take(told), (error) => view.fail(error));
      else view.take({ series: [], groups: [] });
    }
    await this.data.fetch(asked);
    this.isBusy = false;
    if (this.asked.size) this.ask(/** @type {PanelView} */ ([...this.asked][0]));
  }

  /** @param {Set<string>} changed ids of runs */
  async heard(changed) {
    const told = await Promise.all([...changed].slice(0, 10).map((run) => this.data.keys(run)));
    const known = new Set(this.keys.map((one) => one.key));
    const news = told.flat().filter((one) => !known.has(one.key) && known.add(one.key));
    if (news.length) {
      this.keys = [...this.keys, ...news];
      this.draw();
    }
    for (const view of this.views.values()) {
      view.isStale = true;
      if (view.isSeen) this.ask(view);
    }
  }

  /** Values of the runs are others by now. @param {Run[]} runs */
  retell(runs) {
    for (const run of this.runs) run.values = runs.find((one) => one.id === run.id)?.values ?? run.values;
    for (const view of this.views.values()) if (view.chart && view.panel.kind === "parallel") view.take(view.told);
  }

  // What a person changes.

  /** The address tells what is shown. */
  keep() {
    history.replaceState(history.state, "", this.state.address());
    this.tools.show();
  }

  changed() {
    this.keep();
    this.draw();
  }

  /** All panels look different, the numbers may be the same. @param {boolean} isAsked */
  restyle(isAsked) {
    if (isAsked) this.keep();
    else this.keepSoon();
    for (const view of this.views.values()) {
      if (!isAsked) view.restyle();
      else {
        view.zoom = null;
        view.chart?.configure({ zoom: null });
        view.isStale = true;
        if (view.isSeen) this.ask(view);
      }
    }
  }

  /** @param {PanelView} view */
  edit(view) {
    editPanel(this, view);
  }

  add() {
    addPanel(this);
  }

  save() {
    saveBoard(this);
  }

  /** @param {HTMLElement} anchor */
  boards(anchor) {
    openBoards(this, anchor);
  }

  /** @param {PanelView} view */
  copy(view) {
    const { key, ownX, ...panel } = view.panel;
    this.state.panels.push(panel);
    this.changed();
    this.say(`${view.title} is at the top too`);
  }

  /** @param {PanelView} view */
  remove(view) {
    const next = view.element.nextElementSibling ?? view.element.previousElementSibling;
    const at = [...this.views.keys()].indexOf(next ?? view.element);
    this.state.remove(view.panel);
    this.changed();
    this.say(`${view.title} is taken away`);
    const panels = [...this.views.keys()];
    /** @type {HTMLElement|undefined} */ (panels[Math.min(Math.max(at - 1, 0), panels.length - 1)])?.focus();
  }

  /** Move a panel by some places. @param {PanelView} view @param {number} by */
  shift(view, by) {
    const panels = this.siblings(view);
    this.place(view, Math.min(Math.max(panels.indexOf(view) + by, 0), panels.length - 1));
  }

  /** @param {PanelView} view @param {number} place in its section */
  place(view, place) {
    const panels = this.siblings(view);
    if (panels.indexOf(view) === place) return;
    this.state.move(view.panel, place);
    this.changed();
    this.say(`${view.title} is number ${place + 1} of ${panels.length}`);
    [...this.views.values()].find((one) => one === view || JSON.stringify(one.panel) === JSON.stringify(view.panel))?.handle.focus();
  }

  /** @param {PanelView} view */
  siblings(view) {
    return [...this.views.values()].filter((one) => one.section === view.section);
  }

  /** A panel is dragged by its handle. @param {PanelView} view */
  drags(view) {
    const { handle } = view;
    /** @type {Element|null} */
    let target = null;
    const mark = (/** @type {Element|null} */ next) => {
      target?.classList.remove("is-target");
      target = next;
      target?.classList.add("is-target");
    };
    handle.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      if (event.button) return;
      handle.setPointerCapture(event.pointerId);
      view.element.classList.add("is-dragged");
    });
    handle.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const over = document.elementsFromPoint(event.clientX, event.clientY).map((one) => one.closest(".panel")).find(Boolean) ?? null;
      const other = over && this.views.get(over);
      mark(other && other !== view && other.section === view.section ? over : null);
    });
    const end = (/** @type {boolean} */ isDone) => {
      const found = target && this.views.get(target);
      mark(null);
      view.element.classList.remove("is-dragged");
      if (isDone && found) this.place(view, this.siblings(view).indexOf(found));
    };
    handle.addEventListener("pointerup", () => end(true));
    handle.addEventListener("pointercancel", () => end(false));
  }

  /** @param {string} text */
  say(text) {
    this.status.textContent = text;
  }
}

/** @param {PanelView} view */
function nameOf(view) {
  return JSON.stringify([view.panel, view.section]);
}

/** The board of a page whose data says so. */
export function dataOf(/** @type {string} */ id) {
  return JSON.parse(byId(id)?.textContent ?? "null");
}

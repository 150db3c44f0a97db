// @ts-check
// The page of a table: takes the place of what the server painted, and keeps the view in the address.

import { Api } from "../api.js";
import { openColumnMenu } from "./columnmenu.js";
import { equals } from "../conditions.js";
import { Chosen } from "./chosen.js";
import { Comparing } from "./comparing.js";
import { byId, debounced, grouped, h } from "../dom.js";
import { FilterBox } from "./filterbox.js";
import { Grid } from "./grid.js";
import { GroupView, groupsTold } from "./groupview.js";
import { ImageTools, imageColumn, takeGrid } from "./imagegrid.js";
import { seen, takeOverlays } from "../overlays.js";
import { ask, help } from "../popup.js";
import { Questions } from "./questions.js";
import { RowPanel } from "./rowpanel.js";
import { Sides } from "./sides.js";
import { named, parse, queryOf, selectionPairs, shownOf, telling, withComputed } from "../state.js";
import { showTools } from "./tools.js";
import { Windows } from "./windows.js";

const ADDRESS_MAX = 6000;

/** @typedef {import("../state.js").State} State */

class TablePage {
  /** @param {any} data what the server put into the page */
  constructor(data) {
    data.telling.forEach((/** @type {string} */ name) => telling.add(name));
    this.name = data.table.table;
    this.links = data.links;
    this.api = new Api(data.links);
    this.state = parse(data.query);
    /** @type {import("../cells/registry.js").Column[]} */
    this.columns = data.table.columns;
    this.ids = "cell";
    this.comparing = new Comparing(this, data.compare);
    this.questions = new Questions(this, data.table.facets);
    this.placeholder = data.example;
    this.windows = new Windows(this.api, { changed: () => this.arrived(), failed: (error) => this.fail(error), counted: () => this.count() });
    this.windows.begin(data.table.window, this.state);
    takeOverlays(this.state);
    this.host = byId("table-grid");
    this.gridHost = h("div", { class: "grid-host" });
    this.groupHost = h("div", { class: "group-host", hidden: true });
    this.host.append(this.gridHost, this.groupHost);
    /** Side by side a number is of one of the tables. @type {Chosen|null} */
    this.chosen = this.comparing.how === "side" ? null : new Chosen(this);
    /** The other tables, if they are side by side. @type {Sides|null} */
    this.sides = null;
    this.filter = new FilterBox(byId("table-filter"), this);
    this.rowGrid = this.grid = new Grid(this.gridHost, this);
    this.groups = new GroupView(this.groupHost, this);
    this.panel = new RowPanel(this);
    /** Set by saving.js, which only pages of a server that may write have. @type {any} */
    this.saving = null;
    this.groupChoice = h("select", { "aria-label": "Group by", onchange: () => this.change({ group: this.groupChoice.value ? [this.groupChoice.value] : [], start: 0 }, true) });
    this.imageTools = new ImageTools(this);
    this.overlayButton = showTools(this);
    byId("table-first").remove();
    byId("table-pages").remove();
    this.host.hidden = false;
    this.saveSoon = debounced(() => this.save(false), 250);
    this.fit();
    addEventListener("resize", () => this.fit());
    addEventListener("popstate", () => this.restore());
    document.addEventListener("keydown", (event) => this.pressed(event));
    seen.changed = () => (this.overlayButton.hidden = !seen.layers.size);
    this.overlayButton.hidden = !seen.layers.size;
    const failed = data.error;
    if (failed) {
      // The server shows all rows where a condition cannot be used: so does the state.
      const at = /^where:(\d+)$/.exec(failed.part ?? "")?.[1];
      const text = at === undefined ? null : this.state.where[Number(at)];
      this.state = { ...this.state, where: [], sort: [], compute: [], group: [] };
      this.windows.begin(data.table.window, this.state);
      byId("table-error").replaceChildren();
      this.filter.fail(Object.assign(new Error(failed.message), { position: failed.position ?? null, hint: failed.hint }), text);
    }
    if (this.comparing.how === "side") this.sides = new Sides(this);
    this.show(data.table.groups);
    this.sides?.show(false);
    this.comparing.changed();
    if (this.comparing.get("matrix").length) this.comparing.openMatrix();
    if (this.state.start) this.grid.goTo(this.state.start);
    if (this.state.row !== null) this.openNumber(this.state.row);
  }

  /** The page is as high as the window: only the rows scroll. */
  fit() {
    const top = this.host.getBoundingClientRect().top + scrollY;
    this.host.style.height = `${Math.max(innerHeight - top - 12 - (this.chosen?.bar.offsetHeight ?? 0), 320)}px`;
  }

  /** @param {any} [groups] what the page brought */
  show(groups) {
    const { isGrouped } = this;
    const goBack = takeGrid(this);
    this.groupHost.hidden = !isGrouped;
    const names = this.columns.filter((column) => ["text", "number", "bool", "time"].includes(column.role)).map((column) => column.name);
    this.groupChoice.replaceChildren(h("option", { value: "" }, "nothing"), ...names.map((name) => h("option", { value: name, selected: this.state.group[0] === name }, name)));
    if (this.state.group.length > 1) this.groupChoice.append(h("option", { value: this.state.group[0], selected: true }, this.state.group.join(" · ")));
    this.filter.show();
    if (isGrouped) this.groups.show(groups);
    else {
      this.grid.layout();
      goBack();
      this.count();
    }
    this.chosen?.show();
    this.fit();
  }

  // What others ask of the page.

  get isGrouped() {
    return this.state.group.length > 0 && !(this.state.mode === "images" && imageColumn(this));
  }

  /** @returns {string[]} */
  shownNames() {
    return shownOf(this.columns, this.state);
  }

  shownColumns() {
    const byName = new Map(this.columns.map((column) => [column.name, column]));
    return this.comparing.joined(this.shownNames().map((name) => byName.get(name)));
  }

  /** @param {string} name */
  columnNamed(name) {
    return this.columns.find((column) => column.name === name);
  }

  /** @param {string} name */
  orderOf(name) {
    const at = this.state.sort.findIndex((key) => key.column === name);
    return at < 0 ? null : { descending: this.state.sort[at].descending, rank: at + 1 };
  }

  /** @param {...string} names of columns @returns {[number, number]|null} what all their numbers lie in */
  rangeOf(...names) {
    return this.questions.rangeOf(names);
  }

  /** @param {string} name */
  facetMark(name) {
    return this.questions.facetCounts.get(name) ?? 0;
  }

  // Changes of the view.

  /**
   * @param {Partial<State>} part
   * @param {boolean} isStep whether the button for the page before leads back to what was
   * @param {boolean} [isOnlyLook] nothing has to be drawn anew
   */
  change(part, isStep, isOnlyLook = false) {
    const before = this.state;
    this.state = { ...before, ...part };
    if (isStep) this.save(true);
    else this.saveSoon();
    if (!isOnlyLook) this.apply(before);
  }

  /** @param {State} before */
  apply(before) {
    // To lay out the grid scrolls it, and what scrolls tells where it stands.
    const { start } = this.state;
    const isSame = JSON.stringify(selectionPairs(before)) === JSON.stringify(selectionPairs(this.state));
    if (!isSame) {
      this.api.renew();
      this.windows.select(this.state);
      this.panel.forget();
      this.questions.forget();
      this.grid.active.place = -1;
      if (this.chosen) this.chosen.anchor = null;
      this.filter.error.hidden = true;
      if (before.compute !== this.state.compute) this.columns = withComputed(this.columns, this.state);
    }
    if (!isSame) this.comparing.changed();
    this.show();
    this.sides?.show(isSame);
    if (!isSame && !this.isGrouped) this.grid.goTo(start);
  }

  /** @param {boolean} isStep */
  async save(isStep) {
    let query = queryOf(this.state);
    if (query.length > ADDRESS_MAX) {
      const state = this.state;
      try {
        query = `view=${await this.api.keep(query)}`;
      } catch (error) {
        this.fail(error);
        return;
      }
      if (state !== this.state) return;
    }
    const address = query ? `${this.links.page}?${query}` : this.links.page;
    if (address === location.pathname + location.search) return;
    // The long state itself, since the address has only its id.
    const kept = { query: queryOf(this.state) };
    if (isStep) history.pushState(kept, "", address);
    else history.replaceState(kept, "", address);
  }

  restore() {
    const before = this.state;
    // A tick is no step: the way back does not lead behind it.
    this.state = { ...parse(history.state?.query ?? location.search), chosen: before.chosen };
    takeOverlays(this.state);
    this.apply(before);
    if (this.state.row !== null) this.openNumber(this.state.row);
    else if (this.panel.isOpen) this.panel.dialog.close();
  }

  /** @param {string} text @param {boolean} [isTyped] */
  async addCondition(text, isTyped = false) {
    if (this.state.where.includes(text)) {
      this.filter.taken();
      return;
    }
    if (isTyped) {
      // What cannot be used never becomes a part of the view.
      const found = await this.questions.check({ ...this.state, where: [text], sort: [] }, text);
      if (!found) return;
      this.filter.taken();
    }
    this.change({ where: [...this.state.where, text], start: 0 }, true);
  }

  /** @param {number} at */
  removeCondition(at) {
    this.change({ where: this.state.where.filter((_, index) => index !== at), start: 0 }, true);
  }

  /** @param {string} name @param {any} value @param {boolean} negated */
  filterByValue(name, value, negated) {
    const condition = equals(name, value, negated);
    if (condition) this.addCondition(condition);
  }

  /** @param {string[]} conditions */
  openGroup(conditions) {
    const where = [...new Set([...this.state.where, ...conditions])];
    this.change({ where, group: [], start: 0 }, true);
  }

  /** @param {string} name @param {boolean} isMore whether to sort by it after the others */
  toggleSort(name, isMore) {
    if (!["number", "text", "bool", "time"].includes(this.columnNamed(name)?.role ?? "")) return;
    const now = this.orderOf(name);
    const rest = isMore ? this.state.sort.filter((key) => key.column !== name) : [];
    if (now?.descending) this.change({ sort: rest, start: 0 }, true);
    else this.change({ sort: [...rest, { column: name, descending: now !== null }], start: 0 }, true);
  }

  /** @param {string} name @param {boolean} descending */
  sortBy(name, descending) {
    this.change({ sort: [{ column: name, descending }], start: 0 }, true);
  }

  /** @param {string[]} names */
  setColumns(names) {
    this.change({ columns: this.comparing.withMates(this.shownNames(), names) }, true);
  }

  /** @param {string} name @param {number} by */
  moveColumn(name, by) {
    const names = this.shownNames();
    const at = names.indexOf(name);
    const to = at + by;
    if (to < 0 || to >= names.length) return;
    [names[at], names[to]] = [names[to], names[at]];
    this.change({ columns: names, pins: names.filter((one) => this.state.pins.includes(one)) }, true);
  }

  /** @param {string} name @param {number} width */
  setWidth(name, width) {
    this.change({ widths: named(this.state.widths, { [name]: width }) }, false);
  }

  /** @param {string} name @param {string} text */
  async addComputed(name, text) {
    const compute = [...this.state.compute.filter(([other]) => other !== name), /** @type {[string, string]} */ ([name, text])];
    const found = await this.questions.check({ ...this.state, compute, where: [], sort: [] }, null);
    if (!found) return false;
    this.columns = found;
    const columns = this.state.columns ? [...this.state.columns, name] : null;
    this.filter.error.hidden = true;
    this.change({ compute, columns }, true);
    // The last column, which may be far to the right.
    if (!this.isGrouped) this.grid.activate(this.grid.active.place, 1e9);
    return true;
  }

  /** @param {any} one @param {HTMLElement} anchor */
  openMenu(one, anchor) {
    openColumnMenu(this, one, anchor);
  }

  /** Points are drawn by a script of their own. @param {string} name */
  openScatter(name) {
    const tell = () => document.dispatchEvent(new CustomEvent("artstore-scatter", { detail: { page: this, name } }));
    if (document.getElementById("scatter-script")) tell();
    else document.head.append(h("script", { id: "scatter-script", src: this.links.scatter, onload: tell }));
  }

  // What comes from the server.

  arrived() {
    this.grid.resize();
    this.grid.draw();
  }

  count() {
    const { matching, total } = this.windows;
    byId("table-count").replaceChildren(h("strong", null, grouped(matching)), ` of ${grouped(total)} rows`);
    this.sides?.tell(this.sides.own, h("strong", null, grouped(matching)), ` of ${grouped(total)} rows`);
  }

  /** @param {any} answer as /table-groups gives it */
  groupsCounted(answer) {
    byId("table-count").replaceChildren(...groupsTold(answer, this.windows.total), answer.approximate ? ", quantiles about" : "");
  }

  /** @param {any} error */
  fail(error) {
    if (error.name === "AbortError" || error.code === "query-cancelled") return;
    const at = /^where:(\d+)$/.exec(error.part ?? "")?.[1];
    this.filter.fail(error.position === undefined ? Object.assign(error, { position: null, hint: null }) : error, at === undefined ? null : this.state.where[Number(at)]);
  }

  // Rows that are opened.

  /** @param {number} place */
  openPlace(place) {
    this.grid.activate(place, this.grid.active.column, true);
    this.panel.open(place);
  }

  /** @param {number} number of a row in the table */
  async openNumber(number) {
    try {
      const found = await this.api.get("rows", [...selectionPairs(this.state), ["numbers", `[${number}]`], ["only", "[]"]], { free: true });
      if (found.places[0] === null) {
        this.filter.fail(Object.assign(new Error(`row ${number} is not among the rows that are shown`), { position: null, hint: null }), null);
        return;
      }
      if (!this.isGrouped) this.grid.goTo(found.places[0]);
      this.openPlace(found.places[0]);
    } catch (error) {
      this.fail(error);
    }
  }

  /** @param {number} number */
  rowOpened(number) {
    if (this.state.row !== number) this.change({ row: number }, false, true);
  }

  rowClosed() {
    this.change({ row: null }, false, true);
  }

  askRow() {
    const box = h("input", { name: "number", type: "number", min: 1, max: Math.max(this.windows.matching, 1), required: true, "aria-label": "Row, counted from 1" });
    ask("Go to row", [h("label", null, `1 to ${grouped(this.windows.matching)}, as they stand here `, box)], "Go", (form) => {
      const place = Math.min(Math.max(Math.round(Number(form.get("number"))) - 1, 0), this.windows.matching - 1);
      this.grid.activate(place, this.grid.active.column, true);
      this.grid.goTo(place);
      this.focusGrid();
    });
    box.focus();
  }

  /** @param {number} place */
  scrolledTo(place) {
    this.sides?.follow(this.grid);
    if (this.state.start !== place) this.change({ start: place }, false, true);
  }

  focusGrid() {
    (this.isGrouped ? this.groups.scroll : this.grid.scroll).focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, select, textarea, dialog, [role=menu]")) return;
    /** @type {Record<string, () => void>} */
    const keys = {
      "/": () => this.filter.focus(),
      "?": () => help(),
      g: () => this.askRow(),
      j: () => this.moveTo(1),
      k: () => this.moveTo(-1),
    };
    if (!keys[event.key] || event.defaultPrevented) return;
    event.preventDefault();
    keys[event.key]();
  }

  /** @param {number} by */
  moveTo(by) {
    if (this.isGrouped) return;
    this.focusGrid();
    this.grid.activate(this.grid.active.place + by, this.grid.active.column);
  }
}

const data = JSON.parse(byId("table-data").textContent);
const page = new TablePage(data);
document.dispatchEvent(new CustomEvent("artstore-table", { detail: { page, data } }));

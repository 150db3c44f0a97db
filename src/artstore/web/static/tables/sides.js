// @ts-check
// Tables side by side: a grid each, with the sort, filter, groups and place of the page.

import { Api } from "../api.js";
import { badge } from "../cells/bars.js";
import { grouped, h } from "../dom.js";
import { Grid } from "./grid.js";
import { GroupView, groupsTold } from "./groupview.js";
import { imageColumn, takeGrid } from "./imagegrid.js";
import { Questions } from "./questions.js";
import { queryOf, selectionPairs, shownOf } from "../state.js";
import { Windows } from "./windows.js";

/** What a grid asks of a page, and the page of the first table answers. */
const SHARED = ["toggleSort", "openMenu", "addCondition", "filterByValue", "setWidth", "orderOf", "openGroup"];

class Side {
  /** @param {any} page @param {any} told @param {number} at @param {Sides} sides */
  constructor(page, told, at, sides) {
    this.page = page;
    this.told = told;
    this.sides = sides;
    this.name = told.label;
    this.ids = `side-${at}`;
    this.comparing = page.comparing;
    this.api = new Api(told.links);
    /** @type {any[]} */
    this.columns = [];
    this.questions = new Questions(this, []);
    this.windows = new Windows(this.api, { changed: () => this.arrived(), failed: (error) => this.fail(error), counted: () => this.count() });
    this.gridHost = h("div", { class: "grid-host" });
    this.groupHost = h("div", { class: "group-host", hidden: true });
    this.element = h("section", { class: "side-table", "aria-label": told.label }, sides.head(at), this.gridHost, this.groupHost);
    /** @type {any} */
    this.images = null;
    /** The page has the switch. */
    this.imageTools = { show() {} };
    this.rowGrid = this.grid = new Grid(this.gridHost, this);
    this.groups = new GroupView(this.groupHost, this);
    for (const name of SHARED) /** @type {any} */ (this)[name] = (/** @type {any[]} */ ...all) => page[name](...all);
    this.at = at;
    this.isNew = true;
  }

  arrived() {
    // How high rows are depends on what is in them.
    if (this.isNew) this.grid.layout();
    this.isNew = false;
    this.grid.resize();
    this.grid.draw();
  }

  get state() {
    return this.page.state;
  }

  get isGrouped() {
    return this.state.group.length > 0 && !(this.state.mode === "images" && imageColumn(this));
  }

  shownNames() {
    return shownOf(this.columns, this.state);
  }

  shownColumns() {
    return this.shownNames().map((/** @type {string} */ name) => this.columnNamed(name));
  }

  /** @param {string} name */
  columnNamed(name) {
    return this.columns.find((column) => column.name === name);
  }

  /** @param {...string} names */
  rangeOf(...names) {
    return this.questions.rangeOf(names);
  }

  /** @param {string} name */
  facetMark(name) {
    return this.questions.facetCounts.get(name) ?? 0;
  }

  /** @param {number} place */
  openPlace(place) {
    const { links } = this.told;
    const others = this.state.others.filter((/** @type {[string, string]} */ [name]) => !["with", "how", "key", "quick"].includes(name));
    const number = this.windows.number(place);
    if (number !== undefined) location.assign(`${links.page}?${queryOf({ ...this.state, others, row: number })}`);
  }

  scrolledTo() {
    this.sides.follow(this.grid);
  }

  /** @param {any} error */
  fail(error) {
    if (error.name === "AbortError" || error.code === "query-cancelled") return;
    this.sides.tell(this.at, h("span", { class: "bad" }, error.message.split("\n")[0]));
  }

  count() {
    const { matching, total } = this.windows;
    this.sides.tell(this.at, h("strong", null, grouped(matching)), ` of ${grouped(total)} rows`);
  }

  /** @param {any} answer as /table-groups gives it */
  groupsCounted(answer) {
    this.sides.tell(this.at, ...groupsTold(answer, this.windows.total));
  }

  /** @param {boolean} isSame whether the rows are those of before */
  async show(isSame) {
    if (!isSame) {
      this.api.renew();
      this.questions.forget();
      this.windows.select(this.state);
      try {
        // Which columns there are depends on those that are computed; rows are asked for by the grid.
        const { error, columns } = await this.api.get("check", selectionPairs(this.state));
        if (error) throw error;
        this.columns = columns;
      } catch (error) {
        this.fail(error);
        return;
      }
    }
    const goBack = takeGrid(this);
    this.groupHost.hidden = !this.isGrouped;
    if (this.isGrouped) {
      await this.groups.show();
      return;
    }
    this.grid.layout();
    goBack();
  }
}

export class Sides {
  /** @param {any} page */
  constructor(page) {
    this.page = page;
    /** @type {any[]} */
    this.counts = [];
    const { sides } = page.comparing;
    const own = sides.findIndex((/** @type {any} */ side) => side.own);
    page.host.classList.add("sides-host");
    const section = h("section", { class: "side-table", "aria-label": sides[own].label }, this.head(own), page.gridHost, page.groupHost);
    this.own = own;
    this.others = sides.map((/** @type {any} */ side, /** @type {number} */ at) => (at === own ? null : new Side(page, side, at, this))).filter(Boolean);
    const all = sides.map((/** @type {any} */ _, /** @type {number} */ at) => (at === own ? section : this.others.find((/** @type {any} */ one) => one.at === at).element));
    page.host.append(...all);
    /** @type {Map<any, number>} grids that were scrolled by another one, and where to */
    this.led = new Map();
  }

  /** @param {number} at */
  head(at) {
    this.counts[at] = h("span", { class: "side-count", role: "status" });
    const side = this.page.comparing.sides[at];
    return h("p", { class: "side-head" }, badge(at), " ", h("span", { title: side.name }, side.label), " ", this.counts[at]);
  }

  /** @param {number} at @param {...any} told */
  tell(at, ...told) {
    this.counts[at].replaceChildren(...told);
  }

  /** @param {boolean} isSame */
  show(isSame) {
    for (const side of this.others) side.show(isSame);
  }

  /** The other grids go where one was scrolled to. @param {any} from */
  follow(from) {
    const led = this.led.get(from);
    this.led.delete(from);
    if (led !== undefined && Math.abs(led - from.scroll.scrollTop) < 2) return;
    for (const grid of [this.page.grid, ...this.others.map((/** @type {any} */ one) => one.grid)]) {
      if (grid === from) continue;
      const before = grid.scroll.scrollTop;
      grid.setTop(from.top);
      grid.scroll.scrollLeft = from.scroll.scrollLeft;
      if (grid.scroll.scrollTop !== before) this.led.set(grid, grid.scroll.scrollTop);
    }
  }
}

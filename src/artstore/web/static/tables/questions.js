// @ts-check
// What the page of a table asks the server about its view, beside the rows.

import { debounced } from "../dom.js";
import { selectionPairs } from "../state.js";

const FACETS_AT_ONCE = 30;

/** @typedef {import("../state.js").State} State */

export class Questions {
  /** @param {any} page @param {any[]} facets those that the page brought */
  constructor(page, facets) {
    this.page = page;
    /** @type {Map<string, any>} */
    this.facets = new Map(facets.map((facet) => [facet.column, facet]));
    /** How often each facet came: heads are drawn anew when it changes. */
    this.facetCounts = new Map([...this.facets.keys()].map((name) => [name, 1]));
    this.asked = new Set(this.facets.keys());
    /** Facets of the selection `rows`, in whatever order they are. */
    this.there = new Set(this.asked);
    this.rows = JSON.stringify(this.unsorted());
    this.loadFacets = debounced((/** @type {string[]} */ names) => this.fetchFacets(names), 40);
  }

  unsorted() {
    return selectionPairs({ ...this.page.state, sort: [] });
  }

  /** The selection is another one, or only its order; what was asked and did not come yet will not come. */
  forget() {
    const rows = JSON.stringify(this.unsorted());
    if (rows !== this.rows) this.there.clear();
    this.rows = rows;
    this.asked = new Set(this.there);
  }

  /** @param {string[]} names of columns @returns {[number, number]|null} what all their numbers lie in */
  rangeOf(names) {
    const facets = names.map((name) => this.facets.get(name)).filter(Boolean);
    const all = facets.flatMap((facet) => (facet.kind === "values" ? facet.values.map((/** @type {any} */ one) => one.value) : facet.edges)).filter((value) => typeof value === "number");
    return all.length ? [Math.min(...all), Math.max(...all)] : null;
  }

  /** @param {string[]} names */
  wantFacets(names) {
    const missing = names.filter((name) => !this.asked.has(name)).slice(0, FACETS_AT_ONCE);
    if (missing.length) this.loadFacets(missing);
  }

  /** @param {string[]} names */
  async fetchFacets(names) {
    const missing = names.filter((name) => !this.asked.has(name));
    if (!missing.length) return;
    missing.forEach((name) => this.asked.add(name));
    const pairs = this.unsorted();
    try {
      const { facets } = await this.page.api.get("facets", [...pairs, ["only", JSON.stringify(missing)]]);
      if (JSON.stringify(pairs) !== this.rows) return;
      for (const facet of facets) {
        this.there.add(facet.column);
        this.facets.set(facet.column, facet);
        this.facetCounts.set(facet.column, (this.facetCounts.get(facet.column) ?? 0) + 1);
      }
      this.page.grid.draw();
    } catch (error) {
      this.page.fail(error);
    }
  }

  /** @param {number} start @param {number} count @param {string} order @param {string[]} [only] columns to sum up */
  async groupsFrom(start, count, order, only = this.page.shownNames().slice(0, 60)) {
    const groups = this.page.state.group.map((name) => /** @type {[string, any]} */ (["group", name]));
    try {
      return await this.page.api.get("groups", [...selectionPairs(this.page.state), ...groups, ["start", start], ["count", count], ["order", order], ["only", JSON.stringify(only)]]);
    } catch (error) {
      this.page.fail(error);
      return null;
    }
  }

  /** @param {string} column @param {string} prefix @param {number} count */
  async valuesOf(column, prefix, count) {
    return (await this.page.api.get("values", [...this.unsorted(), ["column", column], ["prefix", prefix], ["count", count]], { free: true })).values;
  }

  /** @param {number} place */
  async rowAt(place) {
    const number = this.page.windows.number(place);
    const pairs = selectionPairs(this.page.state);
    const names = this.page.columns.map((column) => column.name).slice(0, 500);
    if (number === undefined) return this.page.api.get("rows", [...pairs, ["start", place], ["count", 1], ["only", JSON.stringify(names)], ["full", 1]], { free: true });
    return this.page.api.get("rows", [...pairs, ["numbers", `[${number}]`], ["only", JSON.stringify(names)], ["full", 1]], { free: true });
  }

  /** @param {string} column @param {number} number @param {number} offset */
  cellText(column, number, offset) {
    return this.page.api.get("cell", [...selectionPairs(this.page.state), ["column", column], ["number", number], ["offset", offset]], { free: true });
  }

  /**
   * Whether the server can use a state; what is wrong is shown.
   * @param {State} state
   * @param {string|null} text the condition that is new
   * @returns {Promise<any[]|null>} the columns there are then
   */
  async check(state, text) {
    try {
      const { error, columns } = await this.page.api.get("check", selectionPairs(state), { free: true });
      if (!error) return columns;
      this.page.filter.fail({ hint: null, position: null, ...error }, text);
    } catch (error) {
      this.page.fail(error);
    }
    return null;
  }
}

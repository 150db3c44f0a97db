// @ts-check
// Rows that were ticked, by their numbers in the table: they stay so wherever the grid is scrolled to.

import { grouped, h } from "../dom.js";
import { openExportMenu } from "./exporting.js";
import { numbersOf, rangesOf } from "../ranges.js";
import { selectionPairs } from "../state.js";

const RANGE_MAX = 10_000;
const ALL_MAX = 100_000;

export class Chosen {
  /** @param {any} page */
  constructor(page) {
    this.page = page;
    this.numbers = new Set(numbersOf(page.state.chosen));
    /** Where the row stands that was ticked last: a range begins there. @type {number|null} */
    this.anchor = null;
    this.count = h("span", { role: "status" });
    /** @param {string} name @param {(event: MouseEvent) => void} onclick @param {Record<string, any>} [props] */
    const button = (name, onclick, props) => h("button", { type: "button", class: "tool", onclick, ...props }, name);
    this.only = button("Show only these", () => this.showOnly());
    this.save = button("Save as new version", () => page.saving.saveRows(true), { "aria-haspopup": "dialog" });
    this.bar = h("div", { class: "chosen-bar", role: "group", "aria-label": "Chosen rows", hidden: true },
      this.count, this.only, this.save,
      page.links.export ? button("Export", (event) => openExportMenu(page, /** @type {HTMLElement} */ (event.currentTarget), this.text), { "aria-haspopup": "menu" }) : null,
      button("Clear", () => this.clear()));
    page.host.after(this.bar);
  }

  get size() {
    return this.numbers.size;
  }

  get text() {
    return rangesOf(this.numbers);
  }

  /** @param {number|undefined} number */
  has(number) {
    return number !== undefined && this.numbers.has(number);
  }

  /**
   * Tick a row, or take the tick away; with a range all rows from the one before on become like it.
   * @param {number} place in the selection
   * @param {boolean} isRange
   */
  async toggle(place, isRange) {
    const { windows } = this.page;
    const number = windows.number(place);
    if (number === undefined) return;
    const isOn = !this.has(number);
    const from = isRange && this.anchor !== null ? this.anchor : place;
    this.anchor = place;
    const numbers = from === place ? [number] : await this.between(Math.min(from, place), Math.max(from, place));
    if (!numbers) return;
    const more = numbers.filter((one) => !this.numbers.has(one));
    if (isOn && this.size + more.length > ALL_MAX) {
      this.page.fail(new Error(`at most ${grouped(ALL_MAX)} rows are chosen: a condition takes any number`));
      this.page.grid.draw();
      return;
    }
    for (const one of numbers) {
      if (isOn) this.numbers.add(one);
      else this.numbers.delete(one);
    }
    this.changed();
  }

  /** @param {number} first @param {number} last @returns {Promise<number[]|null>} */
  async between(first, last) {
    const { windows, api, state } = this.page;
    const count = last - first + 1;
    const known = Array.from({ length: Math.min(count, RANGE_MAX) }, (_, at) => windows.number(first + at));
    if (count <= RANGE_MAX && !known.includes(undefined)) return /** @type {number[]} */ (known);
    try {
      if (count > RANGE_MAX) throw new Error(`${grouped(count)} rows are more than are chosen at once, ${grouped(RANGE_MAX)}: a condition takes any number`);
      return (await api.get("rows", [...selectionPairs(state), ["start", first], ["count", count], ["only", "[]"]], { free: true })).rows;
    } catch (error) {
      this.page.fail(error);
      this.page.grid.draw();
      return null;
    }
  }

  clear() {
    this.numbers.clear();
    this.changed();
    this.page.focusGrid();
  }

  /** All conditions go: of rows that were chosen none is left out. */
  showOnly() {
    const { page } = this;
    page.change({ among: this.text, where: [], group: [], others: page.comparing.others({ quick: [] }), start: 0 }, true);
  }

  changed() {
    this.page.change({ chosen: this.text }, false, true);
    this.show();
    this.page.grid.draw();
  }

  show() {
    const { page, size } = this;
    this.bar.hidden = !size || page.isGrouped;
    this.count.replaceChildren(h("strong", null, grouped(size)), size === 1 ? " row chosen" : " rows chosen");
    this.only.hidden = page.state.among === this.text;
    this.save.hidden = !page.saving;
    page.fit();
  }
}

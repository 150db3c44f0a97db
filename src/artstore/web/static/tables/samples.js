// @ts-check
// The same example elsewhere: a row beside itself in other versions, with the cells that differ marked.

import { rendererOf } from "../cells/registry.js";
import { debounced, h } from "../dom.js";

const REST = 200;

export class Samples {
  /** @param {any} app */
  constructor(app) {
    this.app = app;
    this.element = h("section", { class: "samples", "aria-label": "The same row in other versions" });
    /** @type {Map<number, any>} what was found, by the number of the row */
    this.found = new Map();
    this.number = -1;
    this.ask = debounced((/** @type {number} */ number) => this.fetch(number), REST);
  }

  /** @param {number} number of a row in the table */
  show(number) {
    this.number = number;
    // Rows of tables that are compared already stand beside each other.
    this.element.hidden = this.app.state.others.some((/** @type {[string, string]} */ [name]) => name === "with");
    if (this.element.hidden) return;
    const found = this.found.get(number);
    this.element.classList.toggle("is-old", !found);
    if (found) this.draw(found);
    // Who only passes by asks for nothing.
    else if (this.app.links.sample) this.ask(number);
  }

  /** @param {number} number */
  async fetch(number) {
    if (number !== this.number || !this.app.panel.isOpen) return;
    try {
      const found = await this.app.api.get("sample", [["row", number]], { free: true });
      this.found.set(number, found);
      if (this.found.size > 50) this.found.delete(/** @type {number} */ (this.found.keys().next().value));
      if (number === this.number) this.show(number);
    } catch (error) {
      if (number === this.number) this.element.replaceChildren(h("p", { class: "quiet" }, /** @type {Error} */ (error).message));
    }
  }

  /** @param {any} found */
  draw(found) {
    const { sides, columns } = found;
    /** @param {any} side */
    const link = (side) => h("a", { href: side.address }, side.version, side.run ? h("small", null, ` run ${side.run.id}`) : null);
    /** @param {string} text @param {any[]} some */
    const told = (text, some) => (some.length ? h("p", null, `${text} `, ...some.flatMap((side, at) => [at ? ", " : "", link(side)])) : null);
    const there = sides.filter((/** @type {any} */ side) => side.row !== null);
    const differing = there.filter((/** @type {any} */ side) => side.differing.length);
    const rest = sides.filter((/** @type {any} */ side) => side.row === null);
    const by = there[0]?.key;
    const more = [found.is_cut ? "Older versions were not looked at: it took too long." : "", found.left_out ? `${found.left_out} older versions were not looked at.` : ""].filter(Boolean).join(" ");
    this.element.hidden = !sides.length && !more;
    this.element.replaceChildren(
      h("h3", null, "In other versions", by ? h("small", null, ` by ${by.kind === "digest" ? "the picture in " : ""}${by.columns.join(", ")}`) : null),
      differing.length ? this.table(found, differing, columns, link) : "",
      told("The same in", there.filter((/** @type {any} */ side) => !side.differing.length)) ?? "",
      told("Not in", rest.filter((/** @type {any} */ side) => side.key)) ?? "",
      told("Without a key in common:", rest.filter((/** @type {any} */ side) => !side.key && !side.problem)) ?? "",
      ...rest.filter((/** @type {any} */ side) => side.problem).map((/** @type {any} */ side) => h("p", { class: "quiet" }, link(side), `: ${side.problem.message}`)),
      more ? h("p", { class: "quiet" }, more) : "",
    );
  }

  /** @param {any} found @param {any[]} sides @param {any[]} columns @param {(side: any) => Node} link */
  table(found, sides, columns, link) {
    /** @param {Node|string} name @param {any[]} cells @param {any} side */
    const row = (name, cells, side) => h("tr", null, h("th", { scope: "row" }, name, side?.has_twins ? h("small", null, " first of several") : null), ...columns.map((column, at) => {
      const isOther = side?.differing.includes(column.name);
      const cell = cells[at];
      const isGone = side?.missing.includes(column.name);
      const drawn = isGone || cell === null ? h("span", { class: "null" }, isGone ? "no column" : "null") : this.app.grid.drawn(rendererOf(column, this.app.state.renderers[column.name]), cell, { column, height: 64, enlarged: false, range: this.app.rangeOf(column.name) });
      return h("td", { class: isOther ? "differs" : null }, isOther ? h("span", { class: "mark", title: "differs" }, "≠ ") : null, drawn);
    }));
    return h(
      "div",
      { class: "table-scroll", tabindex: 0, role: "region", "aria-label": "Cells that differ" },
      h("table", { class: "groups" }, h("thead", null, h("tr", null, h("th", { scope: "col" }, "version"), ...columns.map((column) => h("th", { scope: "col" }, column.name)))), h("tbody", null, row("this one", found.cells, null), ...sides.map((side) => row(link(side), side.cells, side)))),
    );
  }
}

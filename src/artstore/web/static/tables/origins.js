// @ts-check
// Where a row comes from: the tables and files that its cells are of, each with its graph. Asked for when it is opened.

import { h } from "../dom.js";

export class Origins {
  /** @param {any} app */
  constructor(app) {
    this.app = app;
    this.number = -1;
    this.list = h("ul");
    this.element = h("details", { class: "origins", ontoggle: () => this.fetch() }, h("summary", null, "Where does this come from?"), this.list);
  }

  /** @param {number} number of a row in the table */
  show(number) {
    this.number = number;
    // Rows of tables that are compared are told where each stands.
    this.element.hidden = !this.app.links.origin || this.app.comparing.isMerged;
    this.list.replaceChildren();
    this.fetch();
  }

  async fetch() {
    const { number } = this;
    if (this.element.hidden || !this.element.open || number < 0) return;
    try {
      const found = await this.app.api.get("origin", [["row", number]], { free: true });
      if (number !== this.number) return;
      const tables = found.tables.map((/** @type {any} */ one) => this.line(one.columns.map((/** @type {any} */ column) => column.name).join(", "), `row ${one.row} of ${one.told}`, one));
      const files = found.files.map((/** @type {any} */ one) => this.line(one.column, one.told, one));
      this.list.replaceChildren(...tables, ...files);
      if (!tables.length && !files.length) this.list.append(h("li", { class: "quiet" }, "It was made here, of no version."));
    } catch (error) {
      if (number === this.number) this.list.replaceChildren(h("li", { class: "quiet" }, /** @type {Error} */ (error).message));
    }
  }

  /** @param {string} names @param {string} told @param {any} one */
  line(names, told, one) {
    return h("li", null, h("small", null, h("bdi", null, names)), " ", one.address ? h("a", { href: one.address }, h("bdi", null, told)) : h("bdi", null, told), " ", h("a", { href: one.lineage }, "lineage"));
  }
}

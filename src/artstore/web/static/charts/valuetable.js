// @ts-check
// The same as words: a table below a chart that is made when it is opened.

import { h } from "../dom.js";

export class ValueTable {
  /** @param {HTMLElement} host @param {() => string[][]} rows the head first */
  constructor(host, rows) {
    this.rows = rows;
    this.body = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Values" });
    this.element = h("details", { class: "chart-values", ontoggle: () => this.refresh() }, h("summary", null, "Values"), this.body);
    host.append(this.element);
  }

  refresh() {
    if (!this.element.open) return;
    const [head, ...rows] = this.rows();
    this.body.replaceChildren(h("table", null,
      h("thead", null, h("tr", null, ...head.map((name, at) => h("th", { scope: "col", class: at ? "number" : null }, name)))),
      h("tbody", null, ...rows.map(([first, ...rest]) => h("tr", null, h("th", { scope: "row" }, h("bdi", null, first)), ...rest.map((text) => h("td", { class: "number" }, text)))))));
  }
}

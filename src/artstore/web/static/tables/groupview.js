// @ts-check
// Rows that are groups: numbers as histograms, pictures as examples, all else as top values.

import { rendererOf } from "../cells/registry.js";
import { lineOf } from "../cells/any.js";
import { equals } from "../conditions.js";
import { grouped, h, short } from "../dom.js";
import { facetPicture } from "./facets.js";

const PAGE = 50;
const WIDTH = 132;

/** In 4 digits, so that two stand beside each other; all digits are in what the pointer shows. @param {any} value */
const brief = (value) => (typeof value === "number" && Math.abs(value) < 1e4 ? short(value, 4) : lineOf(value));

/** @param {{total: number, matching: number}} answer @param {number} total of the table @returns {(Node|string)[]} */
export const groupsTold = ({ total: groups, matching }, total) => [h("strong", null, grouped(groups)), ` ${groups === 1 ? "group" : "groups"} of ${matching === total ? "" : `${grouped(matching)} of `}${grouped(total)} rows`];

export class GroupView {
  /** @param {HTMLElement} host @param {any} app */
  constructor(host, app) {
    this.app = app;
    this.order = "key";
    this.start = 0;
    this.note = h("span", { class: "quiet" });
    this.table = h("table", { class: "groups" });
    this.more = h("button", { type: "button", onclick: () => this.load(this.start + PAGE) }, "More groups");
    this.scroll = h("div", { class: "group-scroll", tabindex: 0, role: "region", "aria-label": "Groups" }, this.table, this.more);
    host.replaceChildren(this.scroll);
    this.body = h("tbody");
  }

  /** @param {any} [answer] what the page brought */
  async show(answer) {
    this.start = 0;
    if (answer) this.draw(answer);
    else await this.load(0);
  }

  /** @param {number} start */
  async load(start) {
    this.scroll.classList.add("is-old");
    const answer = await this.app.questions.groupsFrom(start, PAGE, this.order);
    if (answer) this.draw(answer);
    this.scroll.classList.remove("is-old");
  }

  /** @param {any} answer as /table-groups gives it */
  draw(answer) {
    this.start = answer.start;
    const columns = this.app.shownColumns().filter((/** @type {any} */ one) => !answer.by.some((/** @type {any} */ by) => by.name === one.name));
    if (!answer.start) {
      this.body = h("tbody");
      this.table.replaceChildren(this.head(answer, columns), this.body);
    }
    this.body.append(...answer.groups.map((/** @type {any} */ group) => this.row(answer, group, columns)));
    this.more.hidden = answer.start + answer.groups.length >= answer.total;
    this.app.groupsCounted(answer);
  }

  /** @param {any} answer @param {any[]} columns */
  head(answer, columns) {
    const label = answer.by.map((/** @type {any} */ by) => by.name).join(" · ");
    const sort = (/** @type {string} */ order, /** @type {string} */ name) =>
      h("button", { type: "button", class: "head-name", "aria-pressed": String(this.order === order), onclick: () => { this.order = order; this.load(0); } }, name, this.order === order ? (order === "key" ? " ▲" : " ▼") : "");
    return h(
      "thead",
      null,
      h("tr", null, h("th", { scope: "col", "aria-sort": this.order === "key" ? "ascending" : "none" }, sort("key", label)), h("th", { scope: "col", "aria-sort": this.order === "count" ? "descending" : "none" }, sort("count", "rows")), ...columns.map((column) => h("th", { scope: "col" }, column.label ?? column.name, h("div", { class: "head-type" }, column.kind)))),
    );
  }

  /** @param {any} answer @param {any} group @param {any[]} columns */
  row(answer, group, columns) {
    const conditions = group.key.map((/** @type {any} */ key, /** @type {number} */ at) => equals(answer.by[at].name, key));
    const label = group.key.map((/** @type {any} */ key) => lineOf(key)).join(" · ");
    const choose = () => this.app.openGroup(conditions.filter(Boolean));
    return h(
      "tr",
      null,
      h("th", { scope: "row" }, h("button", { type: "button", class: "group-key", title: "Show the rows of this group", onclick: choose }, label)),
      h("td", { class: "right number" }, grouped(group.count)),
      ...columns.map((column) => h("td", null, ...this.cell(answer, group, column, conditions))),
    );
  }

  /** @param {any} answer @param {any} group @param {any} column @param {string[]} conditions @returns {(Node|string)[]} */
  cell(answer, group, column, conditions) {
    if (column.parts) return this.app.comparing.groupCell(this, answer, group, column, conditions);
    const examples = Object.hasOwn(group.examples, column.name) ? group.examples[column.name] : null;
    if (examples) {
      const renderer = rendererOf(column, this.app.state.renderers[column.name]);
      return [h("div", { class: "examples" }, ...examples.map((/** @type {any} */ cell) => (cell === null ? null : this.app.grid.drawn(renderer, cell, { column, height: 56, enlarged: false, range: null }))))];
    }
    const summary = group.summaries.find((/** @type {any} */ one) => one.column === column.name);
    if (!summary) return [];
    const facet = this.facetOf(answer, summary);
    const choose = (/** @type {string} */ condition) => this.app.openGroup([...conditions, condition]);
    const picture = facet && facetPicture(facet, WIDTH, choose);
    return [picture ?? "", h("div", { class: "head-summary", title: this.numbers(summary) }, this.told(summary))].filter(Boolean);
  }

  /** @param {any} answer @param {any} summary */
  facetOf(answer, summary) {
    const shared = { column: summary.column, nulls: { all: summary.nulls, selected: summary.nulls }, rest: { all: 0, selected: 0 }, special: { all: {}, selected: {} }, distinct: null, sampled: summary.sampled };
    const edges = Object.hasOwn(answer.edges, summary.column) ? answer.edges[summary.column] : null;
    if (summary.histogram.length && edges?.length) return { ...shared, kind: "histogram", edges, all: summary.histogram, selected: summary.histogram };
    if (summary.values.length) return { ...shared, kind: "values", values: summary.values };
    return null;
  }

  /** @param {any} summary */
  told(summary) {
    if (summary.mean !== null) return `mean ${brief(summary.mean)} · median ${brief(summary.quantiles[1] ?? null)}`;
    if (summary.values.length) return summary.values.slice(0, 3).map((/** @type {any} */ one) => `${lineOf(one.value).slice(0, 24)} ${grouped(one.count)}`).join(" · ");
    return summary.nulls ? `${grouped(summary.nulls)} null` : "";
  }

  /** @param {any} summary */
  numbers(summary) {
    const parts = [["count", summary.count], ["null", summary.nulls], ["sum", summary.sum], ["mean", summary.mean], ["stddev", summary.stddev], ["min", summary.min], ["25 %", summary.quantiles[0]], ["median", summary.quantiles[1]], ["75 %", summary.quantiles[2]], ["max", summary.max]];
    return parts.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => `${name}: ${typeof value === "number" ? value : lineOf(value)}`).join("\n");
  }
}

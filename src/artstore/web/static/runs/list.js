// @ts-check
// The page of a list of runs: what a link or a form would load comes without leaving the page,
// rows change in place while runs go on. The server makes the rows, here as without scripts.

import { ApiError, reached } from "../api.js";
import { byId, h } from "../dom.js";
import { openRunColumns } from "./columns.js";
import { RunsComplete } from "./complete.js";
import { RunsLive } from "./live.js";
import { mountPlots } from "./plots.js";
import { RunsTicks } from "./ticks.js";

const PARTS = ["runs-view"];

export class RunsPage {
  constructor() {
    this.data = JSON.parse(byId("runs-data").textContent);
    this.links = this.data.links;
    this.asked = 0;
    document.body.classList.add("scripted");
    this.plots = mountPlots(this, byId("runs-plots"));
    this.ticks = new RunsTicks(this);
    this.live = new RunsLive(this);
    this.complete = new RunsComplete(this);
    document.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("submit", (event) => this.submitted(event));
    document.addEventListener("keydown", (event) => this.pressed(event));
    addEventListener("popstate", () => this.load(location.pathname + location.search));
    this.shown();
    this.plots.changed();
  }

  /** What the server says of the list that is shown. */
  get state() {
    return JSON.parse(byId("runs-state").textContent);
  }

  /** The address of the view as it is now: query and all. */
  get query() {
    return new URLSearchParams(location.search);
  }

  /** @returns {string[]} */
  get ids() {
    return [...document.querySelectorAll("#runs-table tr[data-run]")].map((row) => /** @type {HTMLElement} */ (row).dataset.run ?? "");
  }

  /** After a new view was put in. */
  shown() {
    byId("runs-buttons").replaceChildren(
      h("button", { type: "button", "aria-haspopup": "dialog", "data-key": "columns", onclick: (/** @type {MouseEvent} */ event) => openRunColumns(this, /** @type {HTMLElement} */ (event.currentTarget)) }, "Columns"),
      ...this.plots.buttons(),
    );
    const save = /** @type {HTMLInputElement|null} */ (document.querySelector("#runs-save input[name=address]"));
    if (save) save.value = this.state.address;
    this.ticks.shown();
    this.point();
  }

  /** The character of a condition that is wrong is chosen, so that one sees and replaces it. */
  point() {
    const box = /** @type {HTMLInputElement|null} */ (document.querySelector("input[data-position]"));
    if (!box) return;
    // The offset counts characters, the box counts UTF-16.
    const at = [...box.value].slice(0, Number(box.dataset.position)).join("").length;
    box.focus();
    box.setSelectionRange(at, at + 1);
  }

  /**
   * Another view of the list.
   * @param {string} address
   * @param {{rows?: string[], isNew?: boolean, keepsPlots?: boolean}} [options] rows: those that stay where they are; isNew: an entry of the history
   */
  async load(address, { rows = [], isNew = false, keepsPlots = false } = {}) {
    this.ticks.settle();
    this.asked += 1;
    const mine = this.asked;
    document.body.classList.add("is-loading");
    try {
      const page = await this.fetch(address, rows);
      if (mine !== this.asked) return;
      if (isNew) history.pushState(null, "", address);
      const typed = byId("first-where").value;
      this.put(page);
      // A tick is no reason to lose a condition that is being written.
      if (rows.length) byId("first-where").value = typed;
      this.live.clear();
      if (!keepsPlots) this.plots.changed();
    } catch {
      // The browser tells better than we what is wrong.
      if (mine === this.asked) location.assign(address);
    } finally {
      if (mine === this.asked) document.body.classList.remove("is-loading");
    }
  }

  /** @param {string} address @param {string[]} rows @returns {Promise<Document>} */
  async fetch(address, rows) {
    const url = new URL(address, location.href);
    if (rows.length) url.searchParams.set("rows", rows.join(","));
    const answer = await reached(url.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new ApiError({}, answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!page.getElementById("runs-view")) throw new Error("this is no list of runs");
    return page;
  }

  /** Put a view in the place of the one that is shown; the focus stays where it was. @param {Document} page */
  put(page) {
    const key = /** @type {HTMLElement|null} */ (document.activeElement)?.dataset?.key;
    const scroll = document.querySelector(".runs-scroll");
    const left = scroll?.scrollLeft ?? 0;
    for (const part of PARTS) byId(part).replaceWith(document.adoptNode(/** @type {HTMLElement} */ (page.getElementById(part))));
    const after = document.querySelector(".runs-scroll");
    if (after) after.scrollLeft = left;
    this.shown();
    if (key && document.activeElement === document.body) /** @type {HTMLElement|null} */ (document.querySelector(`[data-key="${CSS.escape(key)}"]`))?.focus({ preventScroll: true });
  }

  /**
   * The view after a change of its address.
   * @param {(query: URLSearchParams) => void} change
   * @param {{rows?: string[], isNew?: boolean, keepsPlots?: boolean}} [options]
   */
  change(change, options = {}) {
    const { query } = this;
    this.ticks.tellIn(query);
    change(query);
    return this.load(`${this.links.list}${query.size ? `?${query}` : ""}`, { isNew: true, ...options });
  }

  /** Only runs of which this is true too. @param {string[]} conditions */
  filter(conditions) {
    return this.change((query) => {
      for (const text of conditions) query.append("where", text);
      query.delete("page");
    });
  }

  /** @param {MouseEvent} event */
  clicked(event) {
    const link = /** @type {HTMLAnchorElement|null} */ (/** @type {Element} */ (event.target).closest?.("#runs-view a[href]"));
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || link.dataset.file !== undefined) return;
    if (new URL(link.href).pathname !== new URL(this.links.list, location.href).pathname) return;
    if (event.shiftKey && !link.dataset.add) return;
    event.preventDefault();
    // Shift and a click on a head sorts by it too.
    const url = new URL((event.shiftKey ? link.dataset.add : link.getAttribute("href")) ?? "", location.href);
    // The link was made before the last ticks.
    if (link.dataset.key !== "clear") this.ticks.tellIn(url.searchParams);
    this.load(url.pathname + url.search, { isNew: true });
  }

  /** @param {SubmitEvent} event */
  submitted(event) {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (form.id !== "runs-filter") return;
    event.preventDefault();
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value !== "") query.append(name, String(value));
    const columns = this.query.get("columns");
    query.delete("columns");
    if (columns) query.set("columns", columns);
    this.ticks.tellIn(query);
    this.load(`${this.links.list}${query.size ? `?${query}` : ""}`, { isNew: true });
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/** @type {Element} */ (event.target).closest("input, textarea, select, dialog")) return;
    event.preventDefault();
    byId("first-where").focus();
  }
}

if (document.getElementById("runs-data")) new RunsPage();

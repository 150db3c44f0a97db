// @ts-check
// Runs that go on: their rows change where they stand; new ones wait until somebody wants them.

import { follow } from "../boards/live.js";
import { byId, grouped, h } from "../dom.js";
import { merge } from "./parts.js";

/** What the lines of a table are of. @param {HTMLElement} table */
const linesOf = (table) => [...table.querySelectorAll("tr")].map((row) => row.dataset.run ?? /** @type {HTMLElement|null} */ (row.querySelector("[data-key]"))?.dataset.key ?? "");

export class RunsLive {
  /** @param {any} page */
  constructor(page) {
    this.page = page;
    if (!page.links.events) return;
    follow(page.data.project, [], () => this.refresh(), page.data.revision);
  }

  async refresh() {
    const { page } = this;
    const asked = page.asked;
    const isGrouped = page.state.isGrouped;
    const rows = isGrouped ? [] : page.ids;
    const found = await page.fetch(location.pathname + location.search, rows);
    // Another view came meanwhile: it is as new as this.
    if (asked !== page.asked) return;
    if (isGrouped || !rows.length) this.whole(found, rows);
    else this.rows(found);
  }

  /** @param {Document} found */
  rows(found) {
    for (const row of found.querySelectorAll("#runs-table tr[data-run]")) {
      const id = /** @type {HTMLElement} */ (row).dataset.run ?? "";
      const old = document.querySelector(`#runs-table tr[data-run="${CSS.escape(id)}"]`);
      if (old) this.row(old, row);
    }
    this.texts(found);
    const state = JSON.parse(/** @type {HTMLElement} */ (found.getElementById("runs-state")).textContent ?? "{}");
    this.announce(state.fresh);
  }

  /** Cells that say something else are changed; what has the focus stays. @param {Element} old @param {Element} row */
  row(old, row) {
    if (old.children.length !== row.children.length) return;
    for (const [at, cell] of [...row.children].entries()) {
      const was = old.children[at];
      if (was.querySelector("input") || was.isEqualNode(cell) || was.contains(document.activeElement)) continue;
      was.replaceWith(document.adoptNode(cell.cloneNode(true)));
    }
  }

  /** @param {Document} found */
  texts(found) {
    for (const selector of ["#runs-count", ".quick"]) {
      const [was, is] = [document.querySelector(selector), found.querySelector(selector)];
      if (was && is && !was.isEqualNode(is) && !was.contains(document.activeElement)) was.replaceWith(document.adoptNode(is));
    }
  }

  /** Groups, or the first runs of a list that was empty. @param {Document} found @param {string[]} rows */
  whole(found, rows) {
    this.texts(found);
    const table = found.getElementById("runs-table");
    const was = byId("runs-table");
    if (!table || was.isEqualNode(table)) return;
    if (String(linesOf(was)) === String(linesOf(table))) {
      merge(was, table);
      this.clear();
    } else if (rows.length || was.contains(document.activeElement)) this.announce(-1);
    else was.replaceWith(document.adoptNode(table));
  }

  /** @param {number} count of runs that the first rows would have; -1: something changed */
  announce(count) {
    if (!count) return this.clear();
    const told = count < 0 ? "The list has changed." : count === 1 ? "1 new run belongs here." : `${grouped(count)} new runs belong here.`;
    const host = byId("runs-live");
    if (host.firstChild?.textContent === told) return undefined;
    host.replaceChildren(h("span", null, told), " ", h("button", { type: "button", onclick: () => this.page.load(location.pathname + location.search) }, count < 0 ? "Show it anew" : "Show them"));
    return undefined;
  }

  clear() {
    byId("runs-live").replaceChildren();
  }
}

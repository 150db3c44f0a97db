// @ts-check
// The heads of the columns: name, order, histogram, menu, and a handle that changes the width.

import { h } from "../dom.js";
import { facetPicture, summaryOf } from "./facets.js";

export const MIN_WIDTH = 48;
const WIDTH_MAX = 1600;
const STEP = 16;

export class Heads {
  /** @param {any} grid @param {any} app */
  constructor(grid, app) {
    this.grid = grid;
    this.app = app;
    this.element = h("div", { class: "grid-head", role: "row", "aria-rowindex": 1 });
    this.corner = h("div", { class: "grid-cell head row-number", role: "columnheader", "aria-colindex": 1 }, "row");
    this.spacer = h("div", { class: "grid-spacer", role: "presentation" });
    /** @type {Map<string, {mark: string, element: HTMLElement}>} */
    this.kept = new Map();
  }

  /** @param {any[]} seen @param {number} spacer @param {number} pinned */
  draw(seen, spacer, pinned) {
    this.element.style.width = `${this.grid.width}px`;
    this.spacer.style.flexBasis = `${spacer}px`;
    const wanted = [this.corner];
    seen.forEach((one, at) => {
      if (at === pinned && spacer) wanted.push(this.spacer);
      wanted.push(this.head(one));
    });
    const { children } = this.element;
    if (wanted.length !== children.length || wanted.some((element, at) => children[at] !== element)) this.element.replaceChildren(...wanted);
  }

  /** @param {any} one */
  head(one) {
    const { column, width, isPinned, x } = one;
    const { name } = column;
    const label = column.label ?? name;
    const { comparing, questions } = this.app;
    const names = comparing.names(column);
    const order = names.map((/** @type {string} */ part) => this.app.orderOf(part)).find(Boolean) ?? null;
    const facet = this.app.questions.facets.get(name);
    const at = this.grid.columns.indexOf(one);
    const kept = this.kept.get(name);
    const mark = JSON.stringify([width, isPinned, isPinned && x, order, at, names.map((/** @type {string} */ part) => this.app.facetMark(part))]);
    if (kept?.mark === mark) return kept.element;
    const hadFocus = kept?.element.contains(document.activeElement) ? document.activeElement?.getAttribute("class") : null;
    const sign = order ? `${order.descending ? "▼" : "▲"}${order.rank > 1 ? order.rank : ""}` : "";
    const choose = (/** @type {string} */ condition) => this.app.addCondition(condition);
    const room = Math.max(width - 17, 24);
    const facets = names.map((/** @type {string} */ part) => questions.facets.get(part));
    // Of compared tables each has values of its own.
    const told = [...new Set(facets.filter(Boolean).map(summaryOf))].join(" / ");
    const picture = column.parts ? comparing.picture(column, room, choose, facets) : facet ? facetPicture(facet, room, choose) : null;
    const element = h(
      "div",
      {
        class: `grid-cell head${isPinned ? " pinned" : ""}`,
        role: "columnheader",
        "aria-colindex": at + 2,
        "aria-sort": order ? (order.descending ? "descending" : "ascending") : "none",
      },
      h(
        "div",
        { class: "head-line" },
        h("button", { type: "button", class: "head-name", title: `${label}: ${column.type}. Sort`, onclick: (/** @type {MouseEvent} */ event) => this.app.toggleSort(name, event.shiftKey) }, label, sign ? h("span", { class: "order", "aria-hidden": "true" }, ` ${sign}`) : null),
        h("button", { type: "button", class: "head-menu", "aria-haspopup": "menu", "aria-label": `Menu of ${label}`, onclick: (/** @type {MouseEvent} */ event) => this.app.openMenu(one, event.currentTarget) }, "⋮"),
      ),
      h("div", { class: "head-type" }, column.computed ? "computed · " : "", column.type.length > 40 ? column.kind : column.type),
      picture ?? h("div", { class: facet ? "facet-none" : "facet-none waiting" }),
      h("div", { class: "head-summary", title: told }, told || "\u00a0"),
      this.handle(one),
    );
    element.style.flexBasis = `${width}px`;
    if (isPinned) element.style.left = `${x}px`;
    this.kept.set(name, { mark, element });
    if (hadFocus) requestAnimationFrame(() => /** @type {HTMLElement|null} */ (element.querySelector(`.${hadFocus.split(" ")[0]}`))?.focus());
    return element;
  }

  /** @param {any} one */
  handle(one) {
    const { name } = one.column;
    const handle = h("div", {
      class: "resize",
      role: "separator",
      tabindex: 0,
      "aria-orientation": "vertical",
      "aria-label": `Width of ${one.column.label ?? name}`,
      "aria-valuenow": Math.round(one.width),
      "aria-valuemin": MIN_WIDTH,
      "aria-valuemax": WIDTH_MAX,
    });
    handle.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      event.preventDefault();
      event.stopPropagation();
      this.grid.setWidth(name, Math.min(one.width + (event.key === "ArrowRight" ? STEP : -STEP), WIDTH_MAX));
    });
    handle.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      event.preventDefault();
      const start = event.clientX - one.width;
      handle.setPointerCapture(event.pointerId);
      /** @param {PointerEvent} moved */
      const move = (moved) => {
        const cell = /** @type {HTMLElement} */ (handle.parentElement);
        cell.style.flexBasis = `${Math.min(Math.max(moved.clientX - start, MIN_WIDTH), WIDTH_MAX)}px`;
      };
      handle.addEventListener("pointermove", move);
      handle.addEventListener(
        "pointerup",
        (/** @type {PointerEvent} */ ended) => {
          handle.removeEventListener("pointermove", move);
          this.grid.setWidth(name, Math.min(ended.clientX - start, WIDTH_MAX));
        },
        { once: true },
      );
    });
    return handle;
  }
}

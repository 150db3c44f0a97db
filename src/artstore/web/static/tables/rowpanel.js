// @ts-check
// One row with all its columns, enlarged; arrow keys lead to its neighbours.

import { rendererOf } from "../cells/registry.js";
import { lineOf } from "../cells/any.js";
import { grouped, h } from "../dom.js";
import { Origins } from "./origins.js";
import { overlayMenu } from "./overlaymenu.js";
import { sidesTable } from "./sidestable.js";
import { hasOverlay, seen } from "../overlays.js";
import { Samples } from "./samples.js";

const ZOOMS = { "+": 2, "=": 2, "-": 0.5, 0: 0 };

export class RowPanel {
  /** @param {any} app */
  constructor(app) {
    this.app = app;
    this.place = -1;
    this.asked = 0;
    /** @type {Map<number, Promise<any>>} */
    this.kept = new Map();
    this.title = h("h2", null, "Row");
    this.back = h("button", { type: "button", onclick: () => this.step(-1) }, "← previous");
    this.next = h("button", { type: "button", onclick: () => this.step(1) }, "next →");
    this.content = h("dl", { class: "row-cells" });
    this.beside = h("div", { class: "row-beside" });
    this.copy = h("button", { type: "button", title: "Copy the address of this view", onclick: () => this.copyAddress() }, "Copy link");
    this.samples = new Samples(app);
    this.origins = new Origins(app);
    this.switches = h("details", { class: "row-overlays", open: true }, h("summary", null, "Boxes and masks"));
    this.switchedFor = "";
    this.dialog = h(
      "dialog",
      { class: "row-panel", "aria-labelledby": "row-title" },
      h("div", { class: "row-head" }, this.title, this.back, this.next, this.copy, h("button", { type: "button", "aria-label": "Close", onclick: () => this.dialog.close() }, "×")),
      this.beside,
      this.content,
      this.origins.element,
      this.samples.element,
    );
    this.title.id = "row-title";
    document.body.append(this.dialog);
    this.dialog.addEventListener("close", () => {
      this.app.rowClosed();
      // It is told a moment later: a key may have led elsewhere by then.
      if (!document.activeElement?.closest("input")) this.app.focusGrid();
    });
    this.dialog.addEventListener("click", (/** @type {MouseEvent} */ event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || /** @type {HTMLElement} */ (event.target).closest("input, select, textarea, audio, video")) return;
      if (["ArrowRight", "j"].includes(event.key)) this.step(1);
      else if (["ArrowLeft", "k"].includes(event.key)) this.step(-1);
      else if (event.key in ZOOMS) this.zoom(ZOOMS[/** @type {"+"} */ (event.key)]);
      else return;
      event.preventDefault();
    });
  }

  get isOpen() {
    return this.dialog.open;
  }

  /** The first picture, or the same picture of each table. @param {number} by */
  zoom(by) {
    const figures = this.dialog.querySelectorAll(".row-beside tr:has(figure) figure, .row-cells figure");
    const isBeside = this.beside.contains(figures[0] ?? null);
    [...figures].slice(0, isBeside ? this.app.comparing.sides.length : 1).forEach((figure) => figure.dispatchEvent(new CustomEvent("zoom", { detail: by })));
  }

  /** Cells that were fetched belong to another view now. */
  forget() {
    this.kept.clear();
  }

  /** @param {number} by */
  step(by) {
    const place = this.place + by;
    if (place < 0 || place >= this.app.windows.matching) return;
    this.app.grid.activate(place, this.app.grid.active.column);
    this.open(place);
  }

  /** @param {number} place @returns {Promise<any>} */
  fetch(place) {
    let found = this.kept.get(place);
    if (!found) {
      found = this.app.questions.rowAt(place);
      this.kept.set(place, /** @type {Promise<any>} */ (found));
      /** @type {Promise<any>} */ (found).catch(() => this.kept.delete(place));
      if (this.kept.size > 12) this.kept.delete(/** @type {number} */ (this.kept.keys().next().value));
    }
    return /** @type {Promise<any>} */ (found);
  }

  /** @param {number} place in the selection */
  async open(place) {
    this.place = place;
    this.asked += 1;
    const mine = this.asked;
    if (!this.dialog.open) {
      // Switches may have been moved elsewhere.
      this.switchedFor = "";
      this.dialog.showModal();
    }
    try {
      const answer = await this.fetch(place);
      if (mine !== this.asked) return;
      this.show(answer, place);
      // The neighbours are there when they are asked for.
      for (const other of [place + 1, place - 1, place + 2]) if (other >= 0 && other < this.app.windows.matching) this.fetch(other).then((value) => this.warm(value), () => {});
    } catch (error) {
      if (mine === this.asked) this.content.replaceChildren(h("dd", { class: "quiet" }, /** @type {Error} */ (error).message));
    }
  }

  /** @param {any} answer */
  warm(answer) {
    for (const cells of answer.cells) {
      if (cells[0]?.$ === "image" && cells[0].src) new Image().src = cells[0].src;
    }
  }

  /** @param {any} answer @param {number} place */
  show(answer, place) {
    const number = answer.rows[0];
    this.title.textContent = `Row ${number}`;
    this.title.append(h("small", null, ` ${grouped(place + 1)} of ${grouped(this.app.windows.matching)}`));
    this.back.disabled = place === 0;
    this.next.disabled = place + 1 >= this.app.windows.matching;
    const order = new Map(this.app.shownNames().map((/** @type {string} */ name, /** @type {number} */ at) => [name, at]));
    const columns = answer.columns.map((/** @type {any} */ column, /** @type {number} */ at) => ({ column, cell: answer.cells[at][0] }));
    columns.sort((/** @type {any} */ a, /** @type {any} */ b) => this.rank(a, order) - this.rank(b, order));
    /** Where each cell stands. @type {[any, HTMLElement][]} */
    const places = [];
    /** @param {any} column @param {any} cell @param {number} [most] how wide a picture may be */
    const drawn = (column, cell, most) => {
      const renderer = rendererOf(column, this.app.state.renderers[column.name]);
      const context = { column, height: 200, most, enlarged: true, range: this.app.rangeOf(column.name), smooth: this.app.state.smooth, keepSmooth: (/** @type {string} */ smooth) => this.app.change({ smooth }, false, true) };
      const found = cell === null ? h("span", { class: "null" }, "null") : this.app.grid.drawn(renderer, cell, context);
      const holder = h("div", null, found, this.more(column, cell, number), this.app.saving?.editor(column, cell, number));
      places.push([cell, holder]);
      return holder;
    };
    const { comparing } = this.app;
    this.beside.replaceChildren();
    if (comparing.isMerged) this.beside.append(...sidesTable(comparing, columns, drawn));
    this.dialog.classList.toggle("is-beside", comparing.isMerged);
    const alone = comparing.isMerged ? columns.filter((/** @type {any} */ { column }) => ["key", "computed"].includes(column.part)) : columns;
    this.content.replaceChildren(
      ...alone.map((/** @type {any} */ { column, cell }) => {
        const isWide = ["image", "video", "html", "array"].includes(column.kind) || (column.kind === "text" && lineOf(cell).length > 60);
        return h("div", { class: isWide ? "wide" : null }, h("dt", null, column.name, " ", h("small", null, column.type.length > 40 ? column.kind : column.type)), h("dd", null, drawn(column, cell)));
      }),
    );
    this.showSwitches(places);
    this.origins.show(number);
    this.samples.show(number);
    this.app.rowOpened(number);
  }

  /** Right below the first picture that has boxes or masks. @param {[any, HTMLElement][]} places */
  showSwitches(places) {
    const place = places.find(([cell]) => cell?.$ === "image" && hasOverlay(cell))?.[1];
    if (!place) {
      this.switches.remove();
      return;
    }
    const known = `${[...seen.layers.keys(), ...seen.classes.keys(), ...seen.scores.entries()]}`;
    if (known !== this.switchedFor) {
      this.switchedFor = known;
      const menu = overlayMenu(this.app);
      menu.setAttribute("role", "group");
      this.switches.replaceChildren(this.switches.firstElementChild, menu);
    }
    place.append(this.switches);
  }

  async copyAddress() {
    await this.app.save(false);
    try {
      await navigator.clipboard.writeText(location.href);
      this.copy.textContent = "Copied";
    } catch {
      // Without a clipboard it can still be marked and taken.
      this.copy.replaceWith(h("input", { class: "row-link", readonly: true, "aria-label": "Address of this view", value: location.href, onfocus: (/** @type {FocusEvent} */ event) => /** @type {HTMLInputElement} */ (event.target).select() }));
      this.dialog.querySelector(".row-link").focus();
    }
    setTimeout(() => (this.copy.textContent = "Copy link"), 2000);
  }

  /** @param {any} one @param {Map<any, any>} order */
  rank({ column }, order) {
    return (column.role === "media" ? -10_000 : 0) + (order.get(column.name) ?? 5_000);
  }

  /** @param {any} column @param {any} cell @param {number} number */
  more(column, cell, number) {
    if (column.kind !== "text" || typeof cell !== "object" || cell === null) return null;
    let offset = 0;
    const whole = h("pre", { class: "whole-text", hidden: true });
    const button = h("button", { type: "button", class: "quiet-button" }, "Read all of it");
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const { text } = await this.app.questions.cellText(column.name, number, offset);
        whole.hidden = false;
        whole.append(text.v);
        offset = text.offset + [...text.v].length;
        button.disabled = false;
        button.textContent = `Read on: ${grouped(offset)} of ${grouped(text.length)} characters are here`;
        button.hidden = offset >= text.length;
      } catch (error) {
        button.textContent = /** @type {Error} */ (error).message;
      }
    });
    return h("div", null, button, whole);
  }
}

// @ts-check
// The grid: rows and columns that can be seen are there, and no others.

import { Heads, MIN_WIDTH } from "./heads.js";
import { h } from "../dom.js";

/** Browsers make no box higher than some 17 million pixels; beyond, places are scaled. */
export const HEIGHT_MAX = 12_000_000;
const OVERSCAN = 4;
const [NUMBER_WIDTH, DIGIT_WIDTH, BOX_WIDTH] = [44, 8, 24];
const ROW_HEIGHT = 28;
const CLICKED = ["text", "number", "bool", "time"];

/** @typedef {import("../cells/registry.js").Column} Column */

export class Grid {
  /**
   * @param {HTMLElement} host
   * @param {any} app the page: state, columns, windows, and what it does when something is chosen
   */
  constructor(host, app) {
    this.app = app;
    this.numberWidth = NUMBER_WIDTH;
    this.heads = new Heads(this, app);
    this.body = h("div", { class: "grid-rows", role: "rowgroup" });
    this.empty = h("p", { class: "grid-empty", hidden: true }, "No row matches.");
    this.canvas = h("div", { class: "grid-canvas", role: "presentation" }, h("div", { class: "grid-heads", role: "rowgroup" }, this.heads.element), this.body);
    this.scroll = h("div", { class: "grid-scroll", role: "grid", tabindex: 0, "aria-label": `Rows of ${app.name}` }, this.canvas);
    if (app.chosen) this.scroll.setAttribute("aria-multiselectable", "true");
    host.replaceChildren(this.scroll, this.empty);
    /** @type {Map<number, {element: HTMLElement, cells: Map<string, {value: any, mark: string, element: HTMLElement}>}>} */
    this.rows = new Map();
    this.virtualTop = 0;
    this.expected = -1;
    this.active = { place: -1, column: 0 };
    this.frame = 0;
    /** @type {{column: Column, x: number, width: number, isPinned: boolean, renderer: any}[]} */
    this.columns = [];
    this.rowHeight = ROW_HEIGHT;
    this.scroll.addEventListener("scroll", () => this.scrolled());
    this.scroll.addEventListener("wheel", (/** @type {WheelEvent} */ event) => this.wheeled(event), { passive: false });
    this.scroll.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.pressed(event));
    // Shift and a click choose rows here, not text.
    this.body.addEventListener("mousedown", (/** @type {MouseEvent} */ event) => event.shiftKey && event.preventDefault());
    this.body.addEventListener("click", (/** @type {MouseEvent} */ event) => this.clicked(event));
    this.body.addEventListener("dblclick", (/** @type {MouseEvent} */ event) => this.open(event));
    new ResizeObserver(() => this.draw()).observe(this.scroll);
  }

  /** Columns, widths, renderers or heads are others. */
  layout() {
    const { state } = this.app;
    // As wide as the greatest number of a row.
    this.numberWidth = Math.max(String(this.app.windows.total).length * DIGIT_WIDTH + 18, NUMBER_WIDTH) + (this.app.chosen ? BOX_WIDTH : 0);
    this.scroll.style.setProperty("--number-width", `${this.numberWidth}px`);
    let x = this.numberWidth;
    this.columns = this.app.shownColumns().map((/** @type {Column} */ column) => {
      const renderer = this.app.comparing.renderer(column, state.renderers[column.name]);
      const width = state.widths[column.name] ?? renderer.width ?? 160;
      const placed = { column, x, width, isPinned: state.pins.includes(column.name), renderer };
      x += width;
      return placed;
    });
    this.width = x;
    const top = this.firstPlace();
    const needed = Math.max(ROW_HEIGHT, ...this.columns.map((one) => one.renderer.height ?? 0));
    const hasTall = this.columns.some((one) => one.renderer.height);
    this.rowHeight = hasTall && state.size ? Math.max(state.size + 8, ROW_HEIGHT) : needed;
    this.rows.forEach((row) => row.element.remove());
    this.rows.clear();
    this.resize();
    if (top > 0) this.goTo(top);
    this.draw();
  }

  /** How many rows there are may have changed. */
  resize() {
    const count = this.app.windows.matching;
    this.total = count * this.rowHeight;
    this.isScaled = this.total > HEIGHT_MAX;
    this.body.style.height = `${Math.min(this.total, HEIGHT_MAX)}px`;
    this.canvas.style.width = `${this.width}px`;
    this.empty.hidden = count > 0;
    this.scroll.setAttribute("aria-rowcount", String(count + 1));
    this.scroll.setAttribute("aria-colcount", String(this.columns.length + 1));
  }

  get viewHeight() {
    return Math.max(this.scroll.clientHeight - this.heads.element.offsetHeight, this.rowHeight);
  }

  get top() {
    return this.isScaled ? this.virtualTop : this.scroll.scrollTop;
  }

  firstPlace() {
    return this.rowHeight ? Math.floor(this.top / this.rowHeight + 1e-6) : 0;
  }

  scrolled() {
    if (this.isScaled && Math.abs(this.scroll.scrollTop - this.expected) > 1.5) {
      const range = HEIGHT_MAX - this.viewHeight;
      this.virtualTop = (Math.min(this.scroll.scrollTop, range) / range) * ((this.total ?? 0) - this.viewHeight);
      this.expected = this.scroll.scrollTop;
    }
    this.draw();
    this.app.scrolledTo(this.firstPlace());
  }

  /** @param {number} top in pixels of all rows */
  setTop(top) {
    const most = Math.max((this.total ?? 0) - this.viewHeight, 0);
    const wanted = Math.min(Math.max(top, 0), most);
    if (!this.isScaled) {
      this.scroll.scrollTop = wanted;
      return;
    }
    this.virtualTop = wanted;
    this.scroll.scrollTop = most ? (wanted / most) * (HEIGHT_MAX - this.viewHeight) : 0;
    this.expected = this.scroll.scrollTop;
    this.draw();
    this.app.scrolledTo(this.firstPlace());
  }

  /** @param {WheelEvent} event a step of the wheel is some rows, not some hundred thousand */
  wheeled(event) {
    if (!this.isScaled || event.ctrlKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? this.rowHeight : event.deltaMode === 2 ? this.viewHeight : 1;
    this.setTop(this.virtualTop + event.deltaY * unit);
  }

  /** @param {number} place */
  goTo(place) {
    this.setTop(place * this.rowHeight);
  }

  draw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    this.frame = 0;
    if (!this.scroll.clientHeight) return;
    const { windows } = this.app;
    const from = Math.max(this.firstPlace() - OVERSCAN, 0);
    const to = Math.min(Math.ceil((this.top + this.viewHeight) / this.rowHeight) + OVERSCAN, windows.matching);
    const [first, last] = this.columnRange();
    const pinned = this.columns.filter((one) => one.isPinned);
    const seen = [...pinned, ...this.columns.slice(first, last + 1).filter((one) => !one.isPinned)];
    const spacer = (this.columns[first]?.x ?? this.numberWidth) - this.numberWidth - pinned.reduce((sum, one) => sum + one.width, 0);
    this.heads.draw(seen, Math.max(spacer, 0), pinned.length);
    for (const [place, row] of this.rows) {
      if (place < from || place >= to) {
        row.element.remove();
        this.rows.delete(place);
      }
    }
    for (let place = from; place < to; place += 1) this.drawRow(place, seen, Math.max(spacer, 0), pinned.length);
    this.scroll.classList.toggle("is-old", windows.isOld);
    this.showActive();
    const { comparing } = this.app;
    const namesOf = (/** @type {any[]} */ all) => all.flatMap((one) => comparing.names(one.column));
    const before = namesOf(this.columns.slice(0, first)).length;
    windows.ensure(from, Math.max(to, 1), namesOf(this.columns), before, before + namesOf(this.columns.slice(first, last + 1)).length - 1, [...namesOf(pinned), ...comparing.flags]);
    this.app.questions.wantFacets(namesOf(seen));
  }

  /** @returns {[number, number]} the first and the last column that can be seen */
  columnRange() {
    const left = this.scroll.scrollLeft;
    const right = left + this.scroll.clientWidth;
    let first = this.columns.findIndex((one) => !one.isPinned && one.x + one.width > left - 100);
    if (first < 0) first = Math.max(this.columns.length - 1, 0);
    let last = first;
    while (last + 1 < this.columns.length && this.columns[last + 1].x < right + 100) last += 1;
    return [first, last];
  }

  /** @param {number} place @param {any[]} seen @param {number} spacer @param {number} pinned */
  drawRow(place, seen, spacer, pinned) {
    let row = this.rows.get(place);
    if (!row) {
      const element = h("div", { class: "grid-row", role: "row", "aria-rowindex": place + 2 });
      element.style.height = `${this.rowHeight}px`;
      row = { element, cells: new Map() };
      this.rows.set(place, row);
      // In the order of the rows, so that a screen reader meets them so.
      const after = this.rows.get(place + 1)?.element ?? null;
      this.body.insertBefore(element, after);
    }
    const y = this.isScaled ? this.scroll.scrollTop + place * this.rowHeight - this.virtualTop : place * this.rowHeight;
    row.element.style.transform = `translateY(${y}px)`;
    row.element.style.width = `${this.width}px`;
    const number = this.app.windows.number(place);
    const wanted = [this.numberCell(row, number)];
    const { chosen } = this.app;
    if (chosen) {
      row.element.setAttribute("aria-selected", String(chosen.has(number)));
      const box = wanted[0].querySelector("input");
      if (box) box.checked = chosen.has(number);
    }
    seen.forEach((one, at) => {
      if (at === pinned && spacer) wanted.push(this.spacer(row, spacer));
      wanted.push(this.cell(row, place, one));
    });
    if (wanted.length !== row.element.children.length || wanted.some((element, at) => row?.element.children[at] !== element)) {
      row.element.replaceChildren(...wanted);
    }
  }

  /** @param {any} row @param {number|undefined} number */
  numberCell(row, number) {
    const kept = row.cells.get("#number");
    if (kept && kept.value === number) return kept.element;
    const element = h("div", { class: "grid-cell row-number", role: "rowheader", "aria-colindex": 1, "aria-label": number ?? "…" }, number === undefined ? "…" : String(number));
    // The grid is one stop of the keyboard: in it the space bar ticks a row.
    if (this.app.chosen && number !== undefined) element.prepend(h("label", { class: "choose" }, h("input", { type: "checkbox", tabindex: -1, "aria-label": `Choose row ${number}` })));
    row.cells.set("#number", { value: number, mark: "", element });
    return element;
  }

  /** @param {any} row @param {number} width */
  spacer(row, width) {
    const kept = row.cells.get("#spacer");
    const element = kept?.element ?? h("div", { class: "grid-spacer", role: "presentation" });
    element.style.flexBasis = `${width}px`;
    row.cells.set("#spacer", { value: width, mark: "", element });
    return element;
  }

  /** @param {any} row @param {number} place @param {any} one */
  cell(row, place, one) {
    const { column, renderer, width, isPinned, x } = one;
    const value = this.app.comparing.cell(this.app.windows, place, column);
    const key = `:${column.name}`;
    const range = this.app.rangeOf(...this.app.comparing.names(column));
    const edit = this.app.saving?.edits.of(this.app.windows.number(place), column.name);
    const mark = edit ? `edit ${edit.text}` : renderer.name === "bar" ? `${range}` : "";
    const kept = row.cells.get(key);
    if (kept && (kept.value === value || value === undefined) && kept.mark === mark) return kept.element;
    const at = this.columns.indexOf(one);
    const classes = ["grid-cell", column.kind, renderer.isRight ? "right" : "", isPinned ? "pinned" : ""].join(" ");
    const element = h("div", { class: classes, role: "gridcell", id: `${this.app.ids}-${place}-${at}`, "aria-colindex": at + 2, "data-place": place, "data-column": at });
    element.style.flexBasis = `${width}px`;
    if (isPinned) element.style.left = `${x}px`;
    if (edit) {
      element.classList.add("edited");
      element.append(this.app.saving.edits.mark(edit));
    } else if (value === null) element.append(h("span", { class: "null" }, "null"));
    else if (value !== undefined) element.append(this.drawn(renderer, value, { column, height: this.rowHeight, enlarged: false, range }));
    else element.classList.add("waiting");
    row.cells.set(key, { value, mark, element });
    return element;
  }

  /** @param {any} renderer @param {any} value @param {any} context */
  drawn(renderer, value, context) {
    try {
      return renderer.draw(value, context);
    } catch (error) {
      return h("span", { class: "quiet" }, `cannot be drawn: ${/** @type {Error} */ (error).message}`);
    }
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.target !== this.scroll || event.ctrlKey || event.metaKey || event.altKey) {
      if (!(event.ctrlKey && (event.key === "Home" || event.key === "End")) || event.target !== this.scroll) return;
    }
    const move = this.moves(event)[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  }

  /** @param {KeyboardEvent} event @returns {Record<string, () => void>} what keys do */
  moves(event) {
    const page = Math.max(Math.floor(this.viewHeight / this.rowHeight) - 1, 1);
    const last = this.app.windows.matching - 1;
    const { place, column } = this.active;
    return {
      ArrowDown: () => this.activate(place + 1, column),
      ArrowUp: () => this.activate(place - 1, column),
      j: () => this.activate(place + 1, column),
      k: () => this.activate(place - 1, column),
      ArrowRight: () => this.activate(Math.max(place, this.firstPlace()), column + 1),
      ArrowLeft: () => this.activate(Math.max(place, this.firstPlace()), column - 1),
      PageDown: () => this.activate(place + page, column),
      PageUp: () => this.activate(place - page, column),
      Home: () => (event.ctrlKey ? this.activate(0, column) : this.activate(place, 0)),
      End: () => (event.ctrlKey ? this.activate(last, column) : this.activate(place, this.columns.length - 1)),
      Enter: () => place >= 0 && this.app.openPlace(place),
      " ": () => place >= 0 && this.app.chosen?.toggle(place, event.shiftKey),
      f: () => this.filterBy(place, column, false),
      x: () => this.filterBy(place, column, true),
    };
  }

  /** @param {number} place @param {number} column @param {boolean} [isQuiet] no scrolling */
  activate(place, column, isQuiet = false) {
    const count = this.app.windows.matching;
    if (!count || !this.columns.length) return;
    const next = this.active.place < 0 && !isQuiet && place <= 0 ? this.firstPlace() : place;
    this.active = { place: Math.min(Math.max(next, 0), count - 1), column: Math.min(Math.max(column, 0), this.columns.length - 1) };
    if (!isQuiet) this.reveal();
    this.draw();
  }

  reveal() {
    const top = this.active.place * this.rowHeight;
    if (top < this.top) this.setTop(top);
    else if (top + this.rowHeight > this.top + this.viewHeight) this.setTop(top + this.rowHeight - this.viewHeight);
    const one = this.columns[this.active.column];
    if (!one || one.isPinned) return;
    const fixed = this.numberWidth + this.columns.filter((other) => other.isPinned).reduce((sum, other) => sum + other.width, 0);
    if (one.x < this.scroll.scrollLeft + fixed) this.scroll.scrollLeft = one.x - fixed;
    else if (one.x + one.width > this.scroll.scrollLeft + this.scroll.clientWidth) this.scroll.scrollLeft = one.x + one.width - this.scroll.clientWidth;
  }

  showActive() {
    const { place, column } = this.active;
    for (const element of this.body.querySelectorAll(".active, .active-row")) element.classList.remove("active", "active-row");
    const row = this.rows.get(place);
    const id = `${this.app.ids}-${place}-${column}`;
    const cell = row?.element.querySelector(`#${id}`);
    row?.element.classList.add("active-row");
    cell?.classList.add("active");
    if (cell) this.scroll.setAttribute("aria-activedescendant", id);
    else this.scroll.removeAttribute("aria-activedescendant");
  }

  /** @param {MouseEvent} event */
  clicked(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const row = target.closest(".grid-row");
    if (!row || target.closest("a, audio, video, summary")) return;
    const place = Number(row.getAttribute("aria-rowindex")) - 2;
    if (target.closest(".choose")) {
      // A click on the label comes again, as one on its box.
      if (target.tagName === "INPUT") this.choose(place, event.shiftKey);
      return;
    }
    const cell = target.closest(".grid-cell");
    if (!cell?.hasAttribute("data-column")) {
      this.app.openPlace(place);
      return;
    }
    const column = Number(cell.getAttribute("data-column"));
    this.activate(place, column, true);
    const isValue = target !== cell && CLICKED.includes(this.columns[column].column.kind);
    if (target.closest(".picture, .heatmap, .sparkline")) this.app.openPlace(place);
    else if (isValue && getSelection()?.isCollapsed !== false && event.detail === 1) this.filterBy(place, column, event.altKey, Number(target.closest("[data-side]")?.getAttribute("data-side") ?? NaN));
  }

  /** @param {number} place @param {boolean} isRange */
  choose(place, isRange) {
    this.activate(place, this.active.column, true);
    this.app.chosen.toggle(place, isRange);
    this.scroll.focus({ preventScroll: true });
  }

  /** @param {MouseEvent} event */
  open(event) {
    const cell = /** @type {HTMLElement} */ (event.target).closest(".grid-cell[data-place]");
    if (cell) this.app.openPlace(Number(cell.getAttribute("data-place")));
  }

  /** @param {number} place @param {number} column @param {boolean} negated @param {number} [side] whose cell it is */
  filterBy(place, column, negated, side) {
    if (place < 0) return;
    const one = /** @type {any} */ (this.columns[column].column);
    const { name } = one.parts?.find((/** @type {any} */ part) => part.side === side) ?? one;
    const value = this.app.windows.cell(place, name);
    if (value !== undefined) this.app.filterByValue(name, value, negated);
  }

  /** @param {string} name @param {number} width */
  setWidth(name, width) {
    this.app.setWidth(name, Math.max(Math.round(width), MIN_WIDTH));
  }
}

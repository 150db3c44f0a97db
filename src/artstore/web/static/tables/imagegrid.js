// @ts-check
// Pictures of one column side by side: those that can be seen are there, and no others.

import { lineOf } from "../cells/any.js";
import { image, sideOf } from "../cells/image.js";
import { grouped, h } from "../dom.js";
import { Grid, HEIGHT_MAX } from "./grid.js";
import { openPopup } from "../popup.js";
import { selectionPairs } from "../state.js";

const [LEAST, MOST, USUAL] = [48, 512, 128];
const [GAP, EDGE, LINE, HEAD] = [12, 12, 18, 40];
const CAPTIONS_MAX = 3;
const GROUPS_MAX = 200;
const LABELS = /label|truth|target|class|guess|pred/i;
const PLAIN = ["text", "number", "bool", "time"];

/** @param {any} app @returns {any[]} */
const imagesOf = (app) => app.columns.filter((/** @type {any} */ one) => one.kind === "image");

/** @param {any} app the column whose pictures are shown; undefined if there is none */
export function imageColumn(app) {
  const all = imagesOf(app);
  return all.find((one) => one.name === app.state.image) ?? all[0];
}

/** Columns told below each picture, "" for the picture's own words; the server's page has the same. @param {any} app @returns {string[]} */
function captionsOf(app) {
  const plain = app.columns.filter((/** @type {any} */ one) => PLAIN.includes(one.role)).map((/** @type {any} */ one) => one.name);
  if (app.state.captions) return app.state.captions.filter((/** @type {string} */ name) => !name || plain.includes(name));
  return [...plain.filter((/** @type {string} */ name) => LABELS.test(name)).slice(0, CAPTIONS_MAX - 1), ""];
}

export class ImageGrid extends Grid {
  /** @param {HTMLElement} host @param {any} app */
  constructor(host, app) {
    super(host, app);
    this.tiles = app.ids === "cell" ? "tile" : `${app.ids}-tile`;
    this.heads.element.hidden = true;
    this.scroll.classList.add("image-grid");
    for (const [element, role] of [[this.scroll, "listbox"], [this.body, "presentation"], [this.heads.element.parentElement, "presentation"]]) element?.setAttribute("role", role);
    this.scroll.setAttribute("aria-label", `Pictures of ${app.name}`);
    if (app.chosen) this.scroll.setAttribute("aria-multiselectable", "true");
    this.anchor = 0;
    this.perLine = 1;
    this.laidWidth = 0;
    /** Whether nobody knows yet if pictures have words of their own. */
    this.isGuess = false;
    /** @type {{first: number, count: number, top: number, head: number, text: string}[]} */
    this.parts = [];
    /** @type {{text: string, count: number}[]} */
    this.groups = [];
    this.groupKey = "";
  }

  layout() {
    const { state } = this.app;
    const place = this.firstPlace();
    const column = imageColumn(this.app);
    if (!column) return;
    const captions = captionsOf(this.app);
    // Nothing is kept free for words that no picture has.
    const first = this.app.windows.cell(place, column.name);
    this.isGuess = first === undefined;
    this.captions = state.captions || !first || first.caption ? captions : captions.slice(0, -1);
    this.columns = [{ column, x: 0, width: 0, isPinned: false, renderer: image }];
    this.laidWidth = this.scroll.clientWidth;
    const room = Math.max(this.laidWidth - 2 * EDGE, LEAST);
    const wanted = Math.min(Math.max(state.size ?? USUAL, LEAST), MOST, room);
    this.perLine = Math.max(Math.floor((room + GAP) / (wanted + GAP)), 1);
    this.step = (room + GAP) / this.perLine;
    // What is left of the line is shared out, but one picture does not become a poster.
    this.side = Math.min(Math.floor(this.step) - GAP, MOST);
    this.rowHeight = this.side + this.captions.length * LINE + GAP + 4;
    this.app.windows.thumbs = sideOf(this.side);
    this.rows.forEach((row) => row.element.remove());
    this.rows.clear();
    this.resize();
    this.goTo(place);
    this.wantGroups();
    this.draw();
  }

  async wantGroups() {
    const { state } = this.app;
    const key = JSON.stringify([state.group, selectionPairs(state)]);
    if (key === this.groupKey) return;
    this.groupKey = key;
    const found = state.group.length ? await this.app.questions.groupsFrom(0, GROUPS_MAX, "key", []) : { groups: [] };
    if (key !== this.groupKey || !found) return;
    this.groups = found.groups.map((/** @type {any} */ group) => ({
      text: `${group.key.map((/** @type {any} */ cell, /** @type {number} */ at) => `${state.group[at]} ${lineOf(cell)}`).join(" · ")}`,
      count: group.count,
    }));
    const place = this.anchor;
    this.resize();
    this.goTo(place);
    this.draw();
  }

  resize() {
    const count = this.app.windows.matching;
    let [first, top] = [0, 0];
    this.parts = [];
    for (const group of [...this.groups, { text: this.groups.length ? "more" : "", count }]) {
      const own = Math.min(group.count, count - first);
      if (own <= 0) continue;
      const head = group.text ? HEAD : 0;
      this.parts.push({ ...group, count: own, first, top, head });
      first += own;
      top += head + Math.ceil(own / this.perLine) * this.rowHeight;
    }
    this.total = top + EDGE;
    this.isScaled = this.total > HEIGHT_MAX;
    this.body.style.height = `${Math.min(this.total, HEIGHT_MAX)}px`;
    this.empty.hidden = count > 0;
  }

  /** @param {number} place where its line begins */
  topOf(place) {
    const part = this.parts.findLast((one) => one.first <= place);
    return part ? part.top + part.head + Math.floor((place - part.first) / this.perLine) * this.rowHeight : 0;
  }

  /** @param {number} top @returns {number} the first picture of the line there */
  placeAt(top) {
    const part = this.parts.findLast((one) => one.top <= top);
    if (!part) return 0;
    const line = Math.floor((top - part.top - part.head) / this.rowHeight + 1e-6);
    const last = Math.ceil(part.count / this.perLine) - 1;
    return part.first + Math.min(Math.max(line, 0), last) * this.perLine;
  }

  /** What stood at the top stays there, whatever the size: not the first of its line. */
  firstPlace() {
    const place = this.placeAt(this.top);
    return this.topOf(this.anchor) === this.topOf(place) ? this.anchor : place;
  }

  /** @param {number} place */
  goTo(place) {
    this.anchor = Math.min(Math.max(place, 0), Math.max(this.app.windows.matching - 1, 0));
    const part = this.parts.findLast((one) => one.first <= this.anchor);
    const top = this.topOf(this.anchor);
    this.setTop(part && top === part.top + part.head ? part.top : top);
  }

  drawNow() {
    this.frame = 0;
    if (!this.scroll.clientHeight || !this.columns.length) return;
    const isKnown = this.isGuess && this.app.windows.cell(this.firstPlace(), this.columns[0].column.name) !== undefined;
    if (isKnown || this.laidWidth !== this.scroll.clientWidth) {
      this.layout();
      return;
    }
    const { windows } = this.app;
    this.anchor = this.firstPlace();
    const from = this.placeAt(Math.max(this.top - this.rowHeight, 0));
    const to = Math.min(this.placeAt(this.top + this.viewHeight + this.rowHeight) + this.perLine, windows.matching);
    const names = [this.columns[0].column.name, ...(this.captions ?? []).filter(Boolean)];
    const heads = this.parts.filter((part) => part.head && part.first < to && part.first + part.count > from);
    const wanted = new Set(heads.map((part) => -part.first - 1));
    for (let place = from; place < to; place += 1) wanted.add(place);
    for (const [place, row] of this.rows) {
      if (wanted.has(place)) continue;
      row.element.remove();
      this.rows.delete(place);
    }
    const shift = this.isScaled ? this.scroll.scrollTop - this.virtualTop : 0;
    // From the last on, each before the one behind it: a screen reader meets them in their order.
    for (let place = to - 1; place >= from; place -= 1) this.drawTile(place, names, shift);
    for (const part of heads) {
      const { element } = this.kept(-part.first - 1, Math.max(part.first, from), () => h("div", { class: "tile-head", role: "presentation" }, h("strong", null, part.text), ` · ${grouped(part.count)} rows`), part.text + part.count);
      element.style.transform = `translateY(${part.top + shift}px)`;
    }
    this.scroll.classList.toggle("is-old", windows.isOld);
    this.showActive();
    windows.ensure(from, Math.max(to, 1), names, 0, names.length - 1, []);
  }

  /** @param {number} place @param {number} next what it stands before @param {() => HTMLElement} make @param {any} mark what it is made of @returns {any} */
  kept(place, next, make, mark) {
    const there = this.rows.get(place);
    if (there && /** @type {any} */ (there).mark === mark) return there;
    const row = /** @type {any} */ ({ element: make(), mark, cells: new Map() });
    if (there) there.element.replaceWith(row.element);
    else this.body.insertBefore(row.element, this.rows.get(next)?.element ?? null);
    this.rows.set(place, row);
    return row;
  }

  /** @param {number} place @param {string[]} names @param {number} shift */
  drawTile(place, names, shift) {
    const values = names.map((name) => this.app.windows.cell(place, name));
    const before = /** @type {any} */ (this.rows.get(place));
    const isSame = before && values.every((value, at) => value === before.mark[at] || value === undefined);
    const { element } = isSame ? before : this.kept(place, place + 1, () => this.tile(place, values), values);
    element.setAttribute("aria-selected", String(!!this.app.chosen?.has(this.app.windows.number(place))));
    const part = this.parts.findLast((one) => one.first <= place);
    const x = EDGE + ((place - (part?.first ?? 0)) % this.perLine) * (this.step ?? 0);
    element.style.transform = `translate(${x}px, ${this.topOf(place) + shift + GAP / 2}px)`;
  }

  /** @param {number} place @param {any[]} values */
  tile(place, values) {
    const side = this.side ?? USUAL;
    const [cell] = values;
    let at = 0;
    const drawn = cell ? this.drawn(image, cell, { column: this.columns[0].column, width: side, height: side + 8, enlarged: false, range: null, smooth: this.app.state.smooth }) : null;
    const box = h("div", { class: cell === undefined ? "tile-box waiting" : "tile-box", style: { height: `${side}px` } }, drawn ?? (cell === null ? h("span", { class: "null" }, "null") : null));
    const lines = (this.captions ?? []).map((name) => {
      const value = name ? values[(at += 1)] : cell?.caption ?? "";
      const text = value === undefined ? "" : lineOf(value);
      return h("div", { class: "tile-line", title: name ? `${name}: ${text}` : text }, name ? h("span", { class: "quiet" }, `${name} `) : null, text);
    });
    // What an option holds cannot be reached in it: the option itself tells whether it is ticked.
    if (this.app.chosen) box.append(h("span", { class: "tile-choose", "aria-hidden": "true" }));
    return h("div", { class: "tile", id: `${this.tiles}-${place}`, role: "option", "aria-selected": "false", "aria-posinset": place + 1, "aria-setsize": this.app.windows.matching, style: { width: `${side}px` } }, box, ...lines);
  }

  /** @param {KeyboardEvent} event @returns {Record<string, () => void>} */
  moves(event) {
    const { place } = this.active;
    /** @param {number} by */
    const step = (by) => () => this.activate(place + by, 0);
    const page = Math.max(Math.floor(this.viewHeight / this.rowHeight), 1) * this.perLine;
    return {
      ArrowRight: step(1),
      ArrowLeft: step(-1),
      j: step(1),
      k: step(-1),
      ArrowDown: step(this.perLine),
      ArrowUp: step(-this.perLine),
      PageDown: step(page),
      PageUp: step(-page),
      Home: () => this.activate(0, 0),
      End: () => this.activate(this.app.windows.matching - 1, 0),
      Enter: () => place >= 0 && this.app.openPlace(place),
      " ": () => place >= 0 && this.app.chosen?.toggle(place, event.shiftKey),
    };
  }

  reveal() {
    const top = this.topOf(this.active.place);
    if (top < this.top) this.goTo(this.active.place);
    else if (top + this.rowHeight > this.top + this.viewHeight) this.setTop(top + this.rowHeight - this.viewHeight);
  }

  showActive() {
    const { place } = this.active;
    for (const [at, { element }] of this.rows) if (at >= 0) element.classList.toggle("active", at === place);
    if (place >= 0 && this.rows.has(place)) this.scroll.setAttribute("aria-activedescendant", `${this.tiles}-${place}`);
    else this.scroll.removeAttribute("aria-activedescendant");
  }

  /** @param {MouseEvent} event */
  clicked(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const tile = target.closest(".tile");
    if (!tile) return;
    const place = Number(tile.id.slice(tile.id.lastIndexOf("-") + 1));
    if (target.closest(".tile-choose")) this.choose(place, event.shiftKey);
    else this.app.openPlace(place);
  }
}

/**
 * Show a page's rows or its pictures.
 * @param {any} app
 * @returns {() => void} leads to where the one that was seen before stood
 */
export function takeGrid(app) {
  const { grid: before } = app;
  const place = before.firstPlace();
  const hasImages = app.state.mode === "images" && imageColumn(app);
  if (hasImages && !app.images) {
    const host = h("div", { class: "grid-host" });
    app.gridHost.after(host);
    app.images = new ImageGrid(host, app);
  }
  app.grid = hasImages ? app.images : app.rowGrid;
  if (!hasImages) app.windows.thumbs = 0;
  app.gridHost.hidden = app.isGrouped || hasImages;
  if (app.images) app.images.scroll.parentElement.hidden = !hasImages;
  app.imageTools.show();
  return () => {
    if (before === app.grid) return;
    app.grid.active = { ...before.active, column: 0 };
    app.grid.goTo(place);
  };
}

/** The switch between rows and pictures, and what is chosen for pictures. */
export class ImageTools {
  /** @param {any} app */
  constructor(app) {
    this.app = app;
    this.toggle = h("button", { type: "button", class: "tool", onclick: () => app.change({ mode: app.state.mode === "images" ? "rows" : "images", size: null }, true) }, "Images");
    this.slider = h("input", { type: "range", min: LEAST, max: MOST, step: 8, "aria-label": "Size of pictures", oninput: () => app.change({ size: Number(this.slider.value) }, false) });
    this.choice = h("select", { "aria-label": "Pictures of", onchange: () => app.change({ image: this.choice.value }, true) });
    this.more = h("span", { class: "image-tools" }, this.slider, this.choice, h("button", { type: "button", class: "tool", "aria-haspopup": "dialog", onclick: (/** @type {MouseEvent} */ event) => this.choose(/** @type {HTMLElement} */ (event.currentTarget)) }, "Captions"));
    this.element = h("span", { class: "image-tools" }, this.toggle, this.more);
  }

  show() {
    const { state } = this.app;
    const columns = imagesOf(this.app);
    const isOn = state.mode === "images";
    this.element.hidden = !columns.length;
    this.toggle.setAttribute("aria-pressed", String(isOn));
    this.more.hidden = !isOn;
    this.slider.value = state.size ?? USUAL;
    this.choice.hidden = columns.length < 2;
    const shown = imageColumn(this.app);
    this.choice.replaceChildren(...columns.map((one) => h("option", { selected: one === shown }, one.name)));
  }

  /** @param {HTMLElement} anchor */
  choose(anchor) {
    const names = ["", ...this.app.columns.filter((/** @type {any} */ one) => PLAIN.includes(one.role)).map((/** @type {any} */ one) => one.name)];
    const boxes = names.map((name) => h("input", { type: "checkbox", checked: this.app.grid.captions.includes(name), onchange: () => {
      const chosen = [...names.slice(1), ""].filter((one) => boxes[names.indexOf(one)].checked);
      boxes.forEach((box) => (box.disabled = !box.checked && chosen.length >= CAPTIONS_MAX));
      this.app.change({ captions: chosen }, false);
    } }));
    const count = boxes.filter((box) => box.checked).length;
    boxes.forEach((box) => (box.disabled = !box.checked && count >= CAPTIONS_MAX));
    openPopup(anchor, h("div", { role: "dialog", "aria-label": "Captions" }, h("p", { class: "quiet" }, `Up to ${CAPTIONS_MAX} lines below each picture`), h("div", { class: "column-list" }, ...names.map((name, at) => h("label", null, boxes[at], ` ${name || "words of the picture"}`)))));
  }
}

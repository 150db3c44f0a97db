// @ts-check
// Names in conditions of runs, completed while one writes: keys of config and summary, states.

import { textLiteral } from "../conditions.js";
import { debounced, grouped, h } from "../dom.js";

const BOXES = "#runs-filter input[name=where]";
const NAME = /(?:[A-Za-z_][A-Za-z_0-9]*\.)?(?:"(?:[^"]|"")*|[A-Za-z_][A-Za-z_0-9.]*)$/;
const STATE = /\bstate\s*(?:=|!=|<>|IN\s*\()\s*('?[a-z]*)$/i;
const SHOWN_MAX = 12;

/** @typedef {{text: string, note: string}} Item */

export class RunsComplete {
  /** @param {any} page */
  constructor(page) {
    this.page = page;
    /** @type {Promise<{name: string, sql: string, note: string}[]>|null} */
    this.keys = null;
    this.list = h("ul", { id: "runs-suggestions", class: "suggestions", role: "listbox", "aria-label": "Names", hidden: true });
    document.getElementById("content")?.append(this.list);
    /** @type {HTMLInputElement|null} */
    this.box = null;
    /** @type {Item[]} */
    this.items = [];
    this.chosen = -1;
    this.from = 0;
    const suggest = debounced(() => this.suggest(), 80);
    document.addEventListener("input", (event) => {
      const box = /** @type {HTMLInputElement} */ (event.target);
      if (!box.matches?.(BOXES)) return;
      this.attach(box);
      suggest();
    });
    document.addEventListener("keydown", (event) => this.pressed(event), true);
    document.addEventListener("focusout", (event) => {
      if (event.target === this.box) this.close();
    });
  }

  /** @param {HTMLInputElement} box */
  attach(box) {
    if (this.box === box) return;
    this.box = box;
    for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-controls": this.list.id, "aria-expanded": "false" })) box.setAttribute(name, value);
  }

  known() {
    this.keys ??= fetch(`${this.page.links.api}?show=columns`)
      .then((answer) => answer.json())
      .then((told) => [...told.keys.map((/** @type {any} */ one) => ({ ...one, note: `${grouped(one.run_count)} runs` })), ...told.facts.map((/** @type {any} */ one) => ({ ...one, sql: one.name, note: one.kind }))])
      .catch(() => {
        this.keys = null;
        return [];
      });
    return this.keys;
  }

  async suggest() {
    const { box } = this;
    if (!box || document.activeElement !== box) return;
    const before = box.value.slice(0, box.selectionStart ?? 0);
    this.items = [];
    const state = STATE.exec(before);
    const name = NAME.exec(before);
    if (before.trimStart().startsWith("{")) this.items = [];
    else if (state) {
      this.from = before.length - state[1].length;
      this.items = this.page.data.states.map((/** @type {string} */ one) => ({ text: textLiteral(one), note: "state" })).filter((/** @type {Item} */ one) => one.text.startsWith(state[1] || "'") && one.text !== state[1]);
    } else if (name) {
      const known = await this.known();
      if (document.activeElement !== box || box.value.slice(0, box.selectionStart ?? 0) !== before) return;
      const begun = plain(name[0]);
      this.from = name.index;
      const found = known.filter((one) => plain(one.name).includes(begun) && one.sql !== name[0]);
      found.sort((one, two) => Number(begins(two.name, begun)) - Number(begins(one.name, begun)));
      this.items = found.slice(0, SHOWN_MAX).map((one) => ({ text: one.sql, note: one.note }));
    }
    this.chosen = -1;
    this.render();
  }

  render() {
    const { box, list } = this;
    if (!box) return;
    list.replaceChildren(...this.items.map((item, at) =>
      h("li", { role: "option", id: `runs-option-${at}`, "aria-selected": String(at === this.chosen), onpointerdown: (/** @type {Event} */ event) => { event.preventDefault(); this.take(at); } }, h("bdi", { class: "mono" }, item.text), h("small", null, item.note))));
    list.hidden = !this.items.length;
    box.setAttribute("aria-expanded", String(!list.hidden));
    if (this.chosen >= 0) box.setAttribute("aria-activedescendant", `runs-option-${this.chosen}`);
    else box.removeAttribute("aria-activedescendant");
    const place = box.getBoundingClientRect();
    Object.assign(list.style, { left: `${place.left}px`, top: `${place.bottom + 2}px`, width: `${Math.min(place.width, 560)}px` });
  }

  close() {
    this.items = [];
    this.chosen = -1;
    this.render();
  }

  /** @param {number} at */
  take(at) {
    const { box } = this;
    if (!box) return;
    box.setRangeText(`${this.items[at].text} `, this.from, box.selectionStart ?? box.value.length, "end");
    this.close();
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.target !== this.box || !this.items.length) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const from = this.chosen < 0 && step < 0 ? 0 : this.chosen;
      this.chosen = (from + step + this.items.length) % this.items.length;
      this.render();
    } else if ((event.key === "Enter" || event.key === "Tab") && this.chosen >= 0) this.take(this.chosen);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** A name as one looks for it. @param {string} name */
function plain(name) {
  return name.replaceAll('"', "").toLowerCase();
}

/** @param {string} name @param {string} begun */
function begins(name, begun) {
  return plain(name).startsWith(begun) || plain(name).replace(/^(?:config|summary)\./, "").startsWith(begun);
}

// @ts-check
// The filter: chips for conditions that hold, and a box with completion for the next one.

import { lineOf } from "../cells/any.js";
import { literal, quoted } from "../conditions.js";
import { debounced, grouped, h } from "../dom.js";
import { numbersOf } from "../ranges.js";

const NAME = /(?:"((?:[^"]|"")*)|([A-Za-z_][A-Za-z_0-9.]*))$/;
const VALUE = /(?:"((?:[^"]|"")+)"|([A-Za-z_][A-Za-z_0-9]*))\s*(?:=|==|!=|<>|<|<=|>|>=|IN\s*\(|LIKE)\s*('?)([^'"()=<>]*)$/i;
const SUGGESTED_MAX = 12;

export class FilterBox {
  /** @param {HTMLElement} host @param {any} app */
  constructor(host, app) {
    this.app = app;
    this.chips = h("ul", { class: "chips", "aria-label": "Conditions" });
    this.box = h("input", {
      type: "text", class: "condition-box mono", role: "combobox", "aria-expanded": "false", "aria-controls": "condition-list", "aria-autocomplete": "list",
      "aria-label": "Condition", placeholder: app.placeholder, autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: 10000, enterkeyhint: "search",
    });
    this.list = h("ul", { id: "condition-list", class: "suggestions", role: "listbox", "aria-label": "Columns and values", hidden: true });
    this.error = h("div", { class: "condition-error", role: "alert", hidden: true });
    this.box.setAttribute("aria-describedby", "condition-error");
    this.error.id = "condition-error";
    const form = h("form", { class: "condition-form", role: "search", "aria-label": "Filter rows" }, h("span", { class: "box-frame" }, this.box, this.list), h("button", { class: "add-button" }, "Filter"));
    host.replaceChildren(form, this.chips, this.error);
    form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.submit();
    });
    this.box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.pressed(event));
    this.box.addEventListener("input", () => {
      this.error.hidden = true;
      this.box.removeAttribute("aria-invalid");
      this.isOpen = true;
      this.suggest();
    });
    this.box.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    this.suggest = debounced(() => this.isOpen && this.complete(), 90);
    /** Whether somebody writes: what is sent off is completed no more, or the list would hide what is wrong with it. */
    this.isOpen = false;
    /** @type {{text: string, note: string, from: number}[]} */
    this.items = [];
    this.chosen = -1;
    this.asked = 0;
  }

  focus() {
    this.box.focus();
    this.box.select();
  }

  submit() {
    const text = this.box.value.trim();
    this.isOpen = false;
    this.close();
    if (text) this.app.addCondition(text, true);
  }

  /** The condition in the box holds now. */
  taken() {
    this.box.value = "";
    this.error.hidden = true;
  }

  show() {
    const { where, among } = this.app.state;
    const count = among === null ? 0 : numbersOf(among).length;
    this.chips.replaceChildren(
      among === null ? "" : h("li", { class: "chip" }, h("span", { class: "chip-text" }, `only ${grouped(count)} chosen ${count === 1 ? "row" : "rows"}`), h("button", { type: "button", class: "chip-remove", "aria-label": "Show all rows again", onclick: () => this.app.change({ among: null, start: 0 }, true) }, "×")),
      ...where.map((/** @type {string} */ text, /** @type {number} */ at) =>
        h(
          "li",
          { class: "chip" },
          h("button", { type: "button", class: "chip-text mono", title: "Change this condition", onclick: () => this.edit(at) }, text.length > 120 ? `${text.slice(0, 120)}…` : text),
          h("button", { type: "button", class: "chip-remove", "aria-label": `Remove the condition ${text.slice(0, 200)}`, onclick: () => this.app.removeCondition(at) }, "×"),
        ),
      ),
      ...(where.length > 1 ? [h("li", null, h("button", { type: "button", class: "quiet-button", onclick: () => this.app.change({ where: [], start: 0 }, true) }, "Remove all"))] : []),
    );
    this.chips.hidden = !where.length && among === null;
  }

  /** @param {number} at */
  edit(at) {
    const text = this.app.state.where[at];
    this.app.removeCondition(at);
    this.box.value = text;
    this.focus();
  }

  /**
   * What is wrong with a condition: the line with a mark below the character.
   * @param {import("../api.js").ApiError} error
   * @param {string|null} text
   */
  fail(error, text) {
    const [first, ...lines] = error.message.split("\n");
    if (text !== null) {
      this.box.value = text;
      this.box.setAttribute("aria-invalid", "true");
      if (error.position !== null) {
        // The offset counts characters, the box counts UTF-16.
        const at = [...text].slice(0, error.position).join("").length;
        this.box.focus();
        this.box.setSelectionRange(at, at + 1);
      }
    }
    this.error.replaceChildren(h("strong", null, first), lines.length ? h("pre", null, lines.join("\n")) : "", error.hint ? h("span", null, error.hint) : "");
    this.error.hidden = false;
  }

  async complete() {
    const before = this.box.value.slice(0, this.box.selectionStart ?? 0);
    this.asked += 1;
    const mine = this.asked;
    /** @type {{text: string, note: string, from: number}[]} */
    let items = [];
    if (before.trim() && !before.trimStart().startsWith("{")) {
      items = await this.values(before).catch(() => []);
      if (!items.length) items = this.names(before);
    }
    if (mine !== this.asked || document.activeElement !== this.box) return;
    this.items = items.slice(0, SUGGESTED_MAX);
    this.chosen = -1;
    this.render();
  }

  /** @param {string} before */
  names(before) {
    const found = NAME.exec(before);
    if (!found) return [];
    const begun = (found[1] ?? found[2]).toLowerCase();
    const columns = this.app.columns.filter((/** @type {any} */ column) => column.name.toLowerCase().includes(begun) && column.name.toLowerCase() !== begun);
    columns.sort((/** @type {any} */ a, /** @type {any} */ b) => Number(b.name.toLowerCase().startsWith(begun)) - Number(a.name.toLowerCase().startsWith(begun)));
    return columns.map((/** @type {any} */ column) => ({ text: quoted(column.name), note: column.kind, from: found.index }));
  }

  /** @param {string} before */
  async values(before) {
    const found = VALUE.exec(before);
    if (!found) return [];
    const name = found[1]?.replaceAll('""', '"') ?? found[2];
    const column = this.app.columns.find((/** @type {any} */ one) => one.name === name);
    if (!column || !["text", "number", "bool", "time"].includes(column.role)) return [];
    const from = before.length - found[4].length - found[3].length;
    const values = await this.app.questions.valuesOf(name, found[4].trimStart(), SUGGESTED_MAX);
    return values
      .map((/** @type {any} */ one) => ({ text: literal(one.value) ?? "", note: grouped(one.count), from }))
      .filter((/** @type {any} */ item) => item.text && item.text !== before.slice(from));
  }

  render() {
    this.list.replaceChildren(
      ...this.items.map((item, at) =>
        h("li", { role: "option", id: `condition-option-${at}`, "aria-selected": at === this.chosen ? "true" : "false", onpointerdown: (/** @type {Event} */ event) => { event.preventDefault(); this.take(at); } }, h("span", { class: "mono" }, lineOf(item.text)), h("small", null, item.note)),
      ),
    );
    this.list.hidden = !this.items.length;
    this.box.setAttribute("aria-expanded", String(this.items.length > 0));
    if (this.chosen >= 0) this.box.setAttribute("aria-activedescendant", `condition-option-${this.chosen}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  close() {
    this.asked += 1;
    this.items = [];
    this.chosen = -1;
    this.render();
  }

  /** @param {number} at */
  take(at) {
    const { text, from } = this.items[at];
    const end = this.box.selectionStart ?? this.box.value.length;
    this.box.setRangeText(`${text} `, from, end, "end");
    this.close();
    this.suggest();
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.key === "Escape") {
      if (this.items.length) this.close();
      else this.app.focusGrid();
      event.stopPropagation();
      return;
    }
    if (!this.items.length) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.chosen = (this.chosen + step + this.items.length + (this.chosen < 0 && step < 0 ? 1 : 0)) % this.items.length;
      this.render();
    } else if ((event.key === "Enter" || event.key === "Tab") && this.chosen >= 0) {
      event.preventDefault();
      this.take(this.chosen);
    }
  }
}

// @ts-check
// Cells that were edited and are not saved yet: they wait here, can be listed and taken back.

import { h } from "../dom.js";

/** @typedef {{row: number, column: string, value: any, text: string}} Edit */

const EDITED = ["text", "number", "bool", "time", "list", "dict", "array", "mixed"];
const SUGGESTED = 50;

/**
 * A cell as plain JSON; undefined if it is not all here, or is nothing that is written.
 * @param {any} cell
 * @returns {any}
 */
function plain(cell) {
  if (cell === null || typeof cell !== "object") return cell;
  const kind = cell.$;
  if (cell.cut) return undefined;
  if (kind === "number") return cell;
  if (kind === "time") return cell.v;
  if (kind === "text") return cell.length > [...cell.v].length ? undefined : cell.v;
  if (kind === "list") return cell.length > cell.v.length ? undefined : whole(cell.v.map(plain));
  if (kind === "dict") {
    const values = whole(cell.v.map((/** @type {[string, any]} */ pair) => plain(pair[1])));
    return cell.length > cell.v.length || values === undefined ? undefined : Object.fromEntries(cell.v.map((/** @type {[string, any]} */ pair, /** @type {number} */ at) => [pair[0], values[at]]));
  }
  if (kind === "array") return String(cell.shape) === String(cell.shown) ? nested(cell.v, cell.shape) : undefined;
  return undefined;
}

/** @param {any[]} values */
function whole(values) {
  return values.includes(undefined) ? undefined : values;
}

/** @param {any[]} flat @param {number[]} shape @returns {any} */
function nested(flat, shape) {
  if (shape.length < 2) return flat;
  const size = shape.slice(1).reduce((product, length) => product * length, 1);
  return Array.from({ length: shape[0] }, (_, at) => nested(flat.slice(at * size, (at + 1) * size), shape.slice(1)));
}

/** @param {any} value @param {string} kind */
function shown(value, kind) {
  if (value === null || value === undefined) return "";
  if (value?.$ === "number") return value.v;
  return kind === "mixed" || typeof value === "object" ? JSON.stringify(value) : String(value);
}

/**
 * What was typed, as JSON for a column.
 * @param {string} text
 * @param {string} kind
 */
function read(text, kind) {
  if (kind === "text" || kind === "time") return text;
  if (kind === "number") {
    const number = Number(text);
    // Beyond what JavaScript counts exactly the digits themselves are sent.
    const isExact = text.trim() !== "" && Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number));
    return isExact ? number : { $: "number", v: text.trim().toLowerCase() };
  }
  return JSON.parse(text);
}

export class CellEdits {
  /**
   * @param {any} app the page
   * @param {() => void} changed called when there are more or fewer
   * @param {(edit: {row: number, column: string, value: any}) => Promise<string|null>} check tells why a value does not fit
   */
  constructor(app, changed, check) {
    this.app = app;
    this.changed = changed;
    this.check = check;
    /** @type {Map<string, Edit>} */
    this.edits = new Map();
  }

  get size() {
    return this.edits.size;
  }

  /** As the server takes them. */
  values() {
    return [...this.edits.values()].map(({ row, column, value }) => ({ row, column, value }));
  }

  /** @param {number|undefined} row @param {string} column */
  of(row, column) {
    return this.edits.size ? this.edits.get(`${row} ${column}`) : undefined;
  }

  /** What stands in the grid for a cell that was edited. @param {Edit} edit */
  mark({ text }) {
    return h("span", { title: `edited, not saved yet: ${text.slice(0, 200)}` }, h("b", { role: "img", "aria-label": "edited" }, "✎"), ` ${text.slice(0, 200)}`);
  }

  /** Takes back the edit that was made last. */
  undo() {
    const last = [...this.edits.values()].pop();
    if (last) this.takeBack(last.row, last.column);
  }

  clear() {
    this.edits.clear();
    this.changed();
  }

  /** @param {number} row @param {string} column @param {any} value @param {string} kind */
  keep(row, column, value, kind) {
    // The last one is the last one made.
    this.edits.delete(`${row} ${column}`);
    this.edits.set(`${row} ${column}`, { row, column, value, text: value === null ? "null" : shown(value, kind) });
    this.changed();
  }

  /** @param {number} row @param {string} column */
  takeBack(row, column) {
    this.edits.delete(`${row} ${column}`);
    this.changed();
  }

  /** All of them, each with a button that takes it back. @returns {HTMLElement|null} */
  list() {
    if (!this.edits.size) return null;
    const items = h("ul", { class: "value-list" });
    const box = h("fieldset", null, h("legend", null, "Edited cells"), items);
    if (this.edits.size > 1) box.append(h("button", { type: "button", onclick: () => { this.clear(); box.remove(); } }, "Take back all"));
    for (const { row, column, text } of this.edits.values()) {
      const item = h("li", null, h("span", null, `row ${row}, ${column}: ${text.slice(0, 100)}`), h("button", {
        type: "button",
        "aria-label": `Take back the edit of row ${row}, ${column}`,
        onclick: () => {
          this.takeBack(row, column);
          item.remove();
          if (!this.edits.size) box.remove();
        },
      }, "Take back"));
      items.append(item);
    }
    return box;
  }

  /**
   * What stands below a cell in the panel of a row: a button that opens a field, and the edit if there is one.
   * @param {any} column @param {any} cell @param {number} row
   * @returns {HTMLElement|null}
   */
  editor(column, cell, row) {
    if (column.computed || (cell === null && column.kind === "other")) return null;
    const box = h("div", { class: "cell-edit" });
    this.rest(box, column, cell, row);
    return box;
  }

  /** @param {HTMLElement} box @param {any} column @param {any} cell @param {number} row */
  rest(box, column, cell, row) {
    const edit = this.edits.get(`${row} ${column.name}`);
    const open = h("button", { type: "button", class: "quiet-button", "aria-label": `Edit ${column.name}`, onclick: () => this.begin(box, column, cell, row) }, "Edit");
    const back = edit && h("button", {
      type: "button",
      class: "quiet-button",
      "aria-label": `Take back the edit of ${column.name}`,
      onclick: () => {
        this.takeBack(row, column.name);
        this.rest(box, column, cell, row);
        box.querySelector("button")?.focus();
      },
    }, "Take back");
    box.replaceChildren(...(edit ? [h("strong", null, `→ ${edit.text.slice(0, 200)}`), " "] : []), open, ...(back ? [back] : []));
  }

  /** @param {HTMLElement} box @param {any} column @param {any} cell @param {number} row */
  async begin(box, column, cell, row) {
    const { kind } = column;
    const edit = this.edits.get(`${row} ${column.name}`);
    const close = () => {
      this.rest(box, column, cell, row);
      box.querySelector("button")?.focus();
    };
    let value = edit ? edit.value : plain(cell);
    if (value === undefined && kind === "text") {
      const { text } = await this.app.cellText(column.name, row, 0);
      value = [...text.v].length < text.length ? undefined : text.v;
    }
    const error = h("p", { class: "failure", role: "alert", hidden: true });
    const isWritten = EDITED.includes(kind) && value !== undefined;
    const field = isWritten ? this.field(column, value) : h("p", { class: "quiet" }, "This cell can only be made null.");
    /** @param {string} message */
    const tell = (message) => {
      error.textContent = message;
      error.hidden = false;
    };
    /** @param {any} kept */
    const keep = async (kept) => {
      try {
        const why = await this.check({ row, column: column.name, value: kept });
        if (why !== null) {
          tell(why);
          return;
        }
      } catch (failed) {
        tell(/** @type {Error} */ (failed).message);
        return;
      }
      this.keep(row, column.name, kept, kind);
      if (box.contains(form)) close();
    };
    const form = h(
      "form",
      { class: "saving" },
      field,
      error,
      h("p", { class: "buttons" }, isWritten ? h("button", { class: "main-button" }, "Keep") : null, h("button", { type: "button", onclick: () => keep(null) }, "Make null"), h("button", { type: "button", onclick: close }, "Cancel")),
    );
    form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      try {
        keep(read(/** @type {any} */ (field).value, kind));
      } catch (failed) {
        tell(`This is no JSON: ${/** @type {Error} */ (failed).message}`);
      }
    });
    form.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      // The keys of the page and of the panel mean something else here.
      event.stopPropagation();
      if (event.key !== "Escape") return;
      event.preventDefault();
      close();
    });
    box.replaceChildren(form);
    /** @type {HTMLElement|null} */ (form.querySelector("input, select, textarea, button"))?.focus();
  }

  /** @param {any} column @param {any} value */
  field(column, value) {
    const { kind, name } = column;
    const label = { "aria-label": `New value of ${name}` };
    const text = shown(value, kind);
    if (kind === "bool") {
      return h("select", label, ...["true", "false"].map((word) => h("option", { value: word, selected: text === word }, word)));
    }
    if (["list", "dict", "array", "mixed"].includes(kind) || text.length > 60 || text.includes("\n")) {
      return h("textarea", { ...label, rows: 4, spellcheck: "false" }, text);
    }
    const input = h("input", { ...label, value: text, autocomplete: "off", inputmode: kind === "number" ? "decimal" : null });
    if (kind === "text" || kind === "number") this.suggest(input, name);
    return input;
  }

  /** Values that the column has: a label is mostly one of them. @param {HTMLInputElement} input @param {string} name */
  async suggest(input, name) {
    const list = h("datalist", { id: "edit-values" });
    try {
      const values = await this.app.valuesOf(name, "", SUGGESTED);
      const plainValues = values.map((/** @type {any} */ one) => one.value).filter((/** @type {any} */ one) => typeof one !== "object");
      list.append(...plainValues.map((/** @type {any} */ one) => h("option", { value: String(one) })));
      input.after(list);
      input.setAttribute("list", list.id);
    } catch {
      // They are only offered.
    }
  }
}

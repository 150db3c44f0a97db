// @ts-check
// Saving from a table page: the view under a name, rows as a new version, edits that wait for it.

import { reached } from "../api.js";
import { badge } from "../cells/bars.js";
import { CellEdits } from "./celledits.js";
import { byId, grouped, h } from "../dom.js";
import { queryOf, selectionPairs } from "../state.js";

const TOKEN = "X-Artstore-Token";

/** @typedef {{save: string, views: string, viewList: string, collection: string, table: string}} Places */

/** @param {[string, string][]} pairs @param {string} name */
function parts(pairs, name) {
  return pairs.filter((pair) => pair[0] === name).map((pair) => pair[1]);
}

class Saving {
  /**
   * @param {any} app the page
   * @param {Places} places
   */
  constructor(app, places) {
    this.app = app;
    this.places = places;
    this.edits = new CellEdits(app, () => this.tell(), (edit) => this.check(edit));
    this.editButton = h("button", { type: "button", class: "tool", hidden: true, onclick: () => this.saveRows() });
    addEventListener("beforeunload", (event) => {
      if (this.edits.size) event.preventDefault();
    });
    document.addEventListener("keydown", (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      if (event.key !== "z" || event.shiftKey || !(event.ctrlKey || event.metaKey) || target.closest("input, select, textarea") || !this.edits.size) return;
      event.preventDefault();
      this.edits.undo();
    });
  }

  /** For the tools of the page. @returns {HTMLElement[]} */
  buttons() {
    /** @param {string} name @param {() => void} run */
    const button = (name, run) => h("button", { type: "button", class: "tool", "aria-haspopup": "dialog", onclick: run }, name);
    return [this.editButton, button("Save view", () => this.saveView()), button("Save rows", () => this.saveRows())];
  }

  /**
   * Whether a value fits its column, as the server sees it.
   * @param {{row: number, column: string, value: any}} edit
   * @returns {Promise<string|null>} why not
   */
  async check(edit) {
    const { collection, table } = this.places;
    const { error } = await this.send(this.places.save, { name: `${collection}/${table}`, edits: [edit], check: true });
    return error?.message ?? null;
  }

  /** How many edits wait has changed. */
  tell() {
    const count = this.edits.size;
    this.editButton.hidden = !count;
    this.editButton.textContent = count === 1 ? "1 edit" : `${grouped(count)} edits`;
    this.app.grid.draw();
  }

  /**
   * What stands below a cell in the panel of a row.
   * @param {any} column @param {any} cell @param {number} row
   */
  editor(column, cell, row) {
    // Of several tables it would not be clear which one is edited.
    if (this.app.comparing.how && !this.app.sides) return null;
    return this.edits.editor(column, cell, row);
  }

  saveView() {
    const title = h("input", { name: "title", required: true, maxlength: 200, autocomplete: "off" });
    const description = h("textarea", { name: "description", maxlength: 10_000, rows: 3 });
    const query = queryOf(this.app.state);
    this.open("Save view", "Save", [
      h("p", { class: "quiet" }, "Everybody who uses this store finds it among the saved views. The same title again makes a new version of it."),
      h("label", null, "Title", title),
      h("label", null, "Description", description),
    ], async () => {
      const address = query ? `${this.app.links.page}?${query}` : this.app.links.page;
      const told = await this.send(this.places.views, { title: title.value, description: description.value, address });
      return [h("p", null, "Saved as ", h("a", { href: told.address }, told.title), ". ", h("a", { href: this.places.viewList }, "All saved views"))];
    });
  }

  /** @param {boolean} [isChosen] whether those that are ticked are meant */
  saveRows(isChosen = false) {
    const { windows, chosen, comparing, state } = this.app;
    const isFiltered = state.where.length > 0 || state.among !== null || comparing.get("quick").length > 0;
    const isTogether = comparing.how !== null && !this.app.sides;
    const { collection, table } = this.places;
    const name = h("input", {
      name: "name",
      required: true,
      autocomplete: "off",
      spellcheck: "false",
      pattern: "[^\\/:@]+\\/.+",
      title: "NAME/TABLE: the artifact, and what the table is called in it",
      value: this.edits.size ? `${collection}/${table}` : `${collection}-chosen/${table}`,
    });
    const message = h("input", { name: "message", maxlength: 2000, autocomplete: "off" });
    /** @param {string} value @param {string} told @param {boolean} checked */
    const choice = (value, told, checked) => h("label", { class: "choice" }, h("input", { type: "radio", name: "which", value, checked }), ` ${told}`);
    const isAll = !isChosen && (!isFiltered || this.edits.size > 0);
    const onlyShown = h("input", { type: "checkbox", name: "columns" });
    const list = isTogether ? null : this.edits.list();
    this.open("Save rows", "Save", [
      h("p", { class: "quiet" }, "A new version with these rows; images stay where they are. It notes from which table and with which conditions it was made, and by whom."),
      h("label", null, "Artifact and table", name),
      h(
        "fieldset",
        null,
        h("legend", null, "Rows"),
        choice("all", `all ${grouped(windows.total)}`, isAll),
        isFiltered ? choice("matching", `the ${grouped(windows.matching)} that match`, !isAll && !isChosen) : null,
        chosen?.size ? choice("chosen", `the ${grouped(chosen.size)} chosen`, isChosen) : null,
        h("label", { class: "choice" }, onlyShown, " only the columns that are shown"),
      ),
      isTogether ? this.sideChoice() : null,
      h("label", null, "Message", message),
      list,
    ].filter(Boolean), async (form) => {
      const which = form.get("which");
      const pairs = selectionPairs(state);
      /** @type {Record<string, any>} */
      const body = { name: name.value, message: message.value, edits: isTogether ? [] : this.edits.values() };
      const lists = isTogether ? ["with", "key"] : ["compute"];
      // All rows keep the order of the table: then only what was edited is stored again.
      if (which === "matching") lists.push("where", "sort");
      for (const part of lists) body[part] = parts(pairs, part);
      if (which === "matching" && state.among !== null) body.among = state.among;
      if (which === "chosen") body.rows = [...chosen.numbers].sort((a, b) => a - b);
      let names = this.app.shownNames();
      if (isTogether) {
        body.side = Number(form.get("side"));
        for (const part of ["how", "judge", "truth", "guess", ...(which === "matching" ? ["quick"] : [])]) body[part] = comparing.get(part)[0];
        names = comparing.namesOf(body.side, names);
      }
      if (onlyShown.checked) body.columns = names;
      const told = await this.send(this.places.save, body);
      this.edits.clear();
      const said = told.is_new ? "Saved as " : "There already, as ";
      return [h("p", null, said, h("a", { href: told.address }, `${told.qualified_name}/${told.table}`), `: ${grouped(told.rows)} rows, ${grouped(told.edits)} edited cells.`)];
    });
  }

  /** Of compared tables one is saved: its rows among those that are meant. */
  sideChoice() {
    const { comparing } = this.app;
    return h(
      "fieldset",
      null,
      h("legend", null, "As they are in"),
      ...comparing.sides.map((/** @type {any} */ side, /** @type {number} */ at) => h("label", { class: "choice" }, h("input", { type: "radio", name: "side", value: at, checked: side.own }), " ", badge(at), ` ${side.label} `, h("small", null, side.name))),
    );
  }

  /**
   * A dialog with a form, which stays open until what it does is done.
   * @param {string} title
   * @param {string} action
   * @param {Node[]} content
   * @param {(form: FormData) => Promise<Node[]>} run gives what is said when it is done
   */
  open(title, action, content, run) {
    const error = h("p", { class: "failure", role: "alert", hidden: true });
    const button = h("button", { class: "main-button" }, action);
    const cancel = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
    const form = h("form", { class: "saving" }, h("h2", null, title), ...content, error, h("p", { class: "buttons" }, cancel, button));
    const dialog = h("dialog", { class: "ask", "aria-label": title }, form);
    form.addEventListener("submit", async (/** @type {Event} */ event) => {
      event.preventDefault();
      button.disabled = true;
      error.hidden = true;
      try {
        const said = await run(new FormData(form));
        const close = h("button", { type: "button", onclick: () => dialog.close() }, "Close");
        dialog.replaceChildren(h("div", { role: "status" }, h("h2", null, title), ...said), h("p", { class: "buttons" }, close));
        close.focus();
      } catch (failed) {
        const { message, hint } = /** @type {any} */ (failed);
        error.textContent = hint ? `${message}. ${hint}` : message;
        error.hidden = false;
        button.disabled = false;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      this.app.focusGrid();
    });
    document.body.append(dialog);
    dialog.showModal();
  }

  /** @param {string} address @param {Record<string, any>} body */
  async send(address, body) {
    const token = /** @type {HTMLMetaElement} */ (document.querySelector("meta[name=artstore-token]")).content;
    const headers = { "Content-Type": "application/json", Accept: "application/json", [TOKEN]: token };
    return this.app.api.answer(await reached(address, { method: "POST", headers, body: JSON.stringify(body) }));
  }
}

// This module comes before that of the page, and only where the server may write.
document.addEventListener("artstore-table", (event) => {
  const { page, data } = /** @type {CustomEvent} */ (event).detail;
  page.saving = new Saving(page, data.saving);
  byId("table-tools").lastElementChild.before(...page.saving.buttons());
  page.chosen?.show();
});

// @ts-check
// What can be done with one column.

import { fitting } from "../cells/registry.js";
import { lineOf } from "../cells/any.js";
import { quoted } from "../conditions.js";
import { grouped, h } from "../dom.js";
import { ask, menu, openPopup } from "../popup.js";
import { named } from "../state.js";

/**
 * @param {any} app
 * @param {any} one the column with its place, width and renderer
 * @param {HTMLElement} anchor
 */
export function openColumnMenu(app, one, anchor) {
  const { column } = one;
  const { name } = column;
  const { state } = app;
  const canSort = ["number", "text", "bool", "time"].includes(column.role);
  const isPinned = state.pins.includes(name);
  const others = fitting(column).filter((renderer) => renderer !== one.renderer);
  openPopup(
    anchor,
    menu(`Menu of ${name}`, [
      canSort ? ["Sort ascending", () => app.sortBy(name, false)] : null,
      canSort ? ["Sort descending", () => app.sortBy(name, true)] : null,
      ...(canSort ? (column.parts ?? []).slice(1) : []).map((/** @type {any} */ part) => /** @type {[string, () => void]} */ ([`Sort by ${part.name}`, () => app.sortBy(part.name, false)])),
      state.sort.length ? ["Do not sort", () => app.change({ sort: [], start: 0 }, true)] : null,
      canSort ? ["Filter by value…", () => openValues(app, name)] : null,
      ["Only null", () => app.filterByValue(name, null, false)],
      ["Without null", () => app.filterByValue(name, null, true)],
      canSort ? [`Group by ${name}`, () => app.change({ group: [name], start: 0 }, true)] : null,
      canSort && state.group.length === 1 && state.group[0] !== name ? [`Group by ${state.group[0]} and ${name}`, () => app.change({ group: [...state.group, name], start: 0 }, true)] : null,
      "Column",
      ["Hide", () => app.setColumns(app.shownNames().filter((/** @type {string} */ other) => other !== name))],
      ["Move left", () => app.moveColumn(name, -1)],
      ["Move right", () => app.moveColumn(name, 1)],
      [isPinned ? "Unpin" : "Pin to the left", () => app.change({ pins: isPinned ? state.pins.filter((/** @type {string} */ pin) => pin !== name) : [...state.pins, name] }, true)],
      ["Computed column…", () => openComputed(app, "", quoted(name))],
      app.links.points && (column.role === "number" || /^(array<.*, 2>|list<)/.test(column.type)) ? ["Points…", () => app.openScatter(name)] : null,
      column.computed ? ["Remove computed column", () => app.change({ compute: state.compute.filter((/** @type {[string, string]} */ pair) => pair[0] !== name) }, true)] : null,
      others.length ? "Show as" : null,
      ...others.map((renderer) => /** @type {[string, () => void]} */ ([renderer.label, () => app.change({ renderers: named(state.renderers, { [name]: renderer.name }) }, true)])),
    ]),
  );
}

/** @param {any} app @param {string} name @param {string} text */
function openComputed(app, name, text) {
  const content = [
    h("label", null, "Name ", h("input", { name: "name", required: true, maxlength: 100, value: name, autocomplete: "off" })),
    h("label", null, "Value ", h("input", { name: "text", required: true, maxlength: 10000, value: text, spellcheck: "false", class: "mono" })),
    h("p", { class: "quiet" }, "SQL or Mongo, as in conditions: score * 2, guess = truth, len(tags)"),
  ];
  ask("Computed column", content, "Add", async (form) => {
    const typed = ["name", "text"].map((field) => String(form.get(field)));
    // What cannot be used is there to be changed, below what is wrong with it.
    if (!(await app.addComputed(...typed))) openComputed(app, typed[0], typed[1]);
  });
}

/** @param {any} app @param {string} name */
async function openValues(app, name) {
  const list = h("ul", { class: "value-list" }, h("li", { class: "quiet" }, "…"));
  const box = h("input", { type: "search", "aria-label": `Values of ${name} that begin with`, placeholder: "begins with", autocomplete: "off" });
  const dialog = ask(`Values of ${name}`, [box, list], "");
  let asked = 0;
  const load = async () => {
    asked += 1;
    const mine = asked;
    try {
      const found = await app.questions.valuesOf(name, box.value, 100);
      if (mine !== asked) return;
      list.replaceChildren(
        ...found.map((/** @type {any} */ one) =>
          h("li", null, h("button", { type: "button", onclick: () => { dialog.close(); app.filterByValue(name, one.value, false); } }, lineOf(one.value)), h("small", null, grouped(one.count))),
        ),
      );
      if (!found.length) list.append(h("li", { class: "quiet" }, "no such value"));
    } catch (error) {
      list.replaceChildren(h("li", { class: "quiet" }, /** @type {Error} */ (error).message));
    }
  };
  box.addEventListener("input", load);
  box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => event.key === "Enter" && event.preventDefault());
  await load();
}

/** @param {any} app @param {HTMLElement} anchor */
export function openColumnList(app, anchor) {
  const shown = new Set(app.shownNames());
  const all = app.columns;
  const list = h("div", { class: "column-list", role: "group", "aria-label": "Columns" });
  const box = h("input", { type: "search", placeholder: "find a column", "aria-label": "Find a column", autocomplete: "off" });
  const fill = () => {
    const wanted = box.value.toLowerCase();
    const found = all.filter((/** @type {any} */ column) => column.name.toLowerCase().includes(wanted));
    list.replaceChildren(
      ...found.slice(0, 200).map((/** @type {any} */ column) =>
        h("label", null, h("input", { type: "checkbox", checked: shown.has(column.name), onchange: (/** @type {Event} */ event) => {
          const isOn = /** @type {HTMLInputElement} */ (event.target).checked;
          if (isOn) shown.add(column.name);
          else shown.delete(column.name);
          const order = app.shownNames().filter((/** @type {string} */ name) => shown.has(name));
          app.setColumns(isOn ? [...order, column.name] : order);
        } }), ` ${column.name} `, h("small", null, column.kind))),
      found.length > 200 ? h("small", null, `${grouped(found.length - 200)} more`) : "",
    );
  };
  box.addEventListener("input", fill);
  fill();
  openPopup(anchor, h("div", { role: "dialog", "aria-label": "Columns" }, box, list, h("button", { type: "button", onclick: () => app.change({ columns: null }, true) }, "All columns")));
}
